package operationengine

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/internal/trigger"
)

// Runner does scheduled operations of one type.
type Runner struct {
	// Start has the operation of a run accepted, which begins the run: the Caller says
	// which. It may be called again for a run that has not begun. The error is transient
	// if that may help, and wraps store.ErrRunLost if another node has begun the run.
	Start func(ctx context.Context, c protectionservice.Caller, r store.ClaimedRun) error
	// After, if any, is called when the operation was successful, perhaps more than once.
	// It gives a sentence for the log of runs, or "".
	After func(ctx context.Context, c protectionservice.Caller, r store.ClaimedRun) (string, error)
	// Next, if any, is called instead, and of whatever end, of a type whose runs may have
	// several operations. It has the next one accepted, as Start does, or gives how the run
	// ends.
	Next func(ctx context.Context, c protectionservice.Caller, r store.ClaimedRun) (*RunEnd, error)
}

// RunEnd is how a run ends.
type RunEnd struct {
	State karbor.RunState
	// Reason is a sentence for the log of runs, or "".
	Reason string
	// refused says that one of its operations could not begin on a checkpoint that is there.
	refused bool
}

// Runners are those of all types.
type Runners map[karbor.ScheduledOperationType]Runner

// Service does the operations; protectionservice.Service is one.
type Service interface {
	Protect(ctx context.Context, c protectionservice.Caller, r protectionservice.ProtectRequest) (karbor.Checkpoint, error)
	ApplyRetention(ctx context.Context, c protectionservice.Caller, r protectionservice.RetentionRequest) (protectionservice.RetentionResult, error)
	Verify(ctx context.Context, c protectionservice.Caller, r protectionservice.VerifyRequest) (karbor.Verification, error)
	Drill(ctx context.Context, c protectionservice.Caller, r protectionservice.DrillRequest) (karbor.Drill, error)
	Copy(ctx context.Context, c protectionservice.Caller, r protectionservice.CopyRequest) (karbor.Copy, error)
}

var _ Service = (*protectionservice.Service)(nil)

// Shelf gives what runs need to know of what is kept; store.Store is one.
type Shelf interface {
	Plans
	Trigger(ctx context.Context, projectID, id string) (karbor.Trigger, error)
	ToVerify(ctx context.Context, v store.Verifiable) ([]string, error)
	ToDrill(ctx context.Context, v store.Verifiable) ([]string, error)
	Scheduled(ctx context.Context, projectID, scheduledOperationID string, since time.Time) (int, error)
}

var _ Shelf = (*store.Store)(nil)

// NewRunners gives the runners of all types that there are.
func NewRunners(s Service, t Shelf, now func() time.Time) Runners {
	protect := func(ctx context.Context, c protectionservice.Caller, r store.ClaimedRun) error {
		d := r.Operation.Definition
		_, err := s.Protect(ctx, c, protectionservice.ProtectRequest{ProviderID: d.ProviderID, PlanID: d.PlanID})
		return err
	}
	retain := func(ctx context.Context, c protectionservice.Caller, r store.ClaimedRun) (string, error) {
		return retain(ctx, s, t, c, r)
	}
	return Runners{
		karbor.ScheduledProtect:   {Start: protect},
		karbor.ScheduledRetention: {Start: protect, After: retain},
		karbor.ScheduledVerify:    verifying(s, t, now).runner(),
		karbor.ScheduledDrill:     drilling(s, t, now).runner(),
		karbor.ScheduledCopy: {Start: func(ctx context.Context, c protectionservice.Caller, r store.ClaimedRun) error {
			return startCopy(ctx, s, c, r)
		}},
	}
}

// verifying does scheduled verifications.
func verifying(s Service, t Shelf, now func() time.Time) several {
	return several{
		plans: t, now: now,
		nothing: "there is no available checkpoint to verify",
		done:    "%d of %d checkpoints were verified and found good",
		choose: func(ctx context.Context, r store.ClaimedRun) ([]string, error) {
			return choose(ctx, t, r, t.ToVerify)
		},
		begin: func(ctx context.Context, c protectionservice.Caller, r store.ClaimedRun, checkpointID string) error {
			d := r.Operation.Definition
			_, err := s.Verify(ctx, c, protectionservice.VerifyRequest{ProviderID: d.ProviderID, CheckpointID: checkpointID, Depth: d.Depth})
			return err
		},
	}
}

// drilling does scheduled drills.
func drilling(s Service, t Shelf, now func() time.Time) several {
	return several{
		plans: t, now: now,
		nothing: "there is no available checkpoint to drill",
		done:    "%d of %d drills have passed",
		choose: func(ctx context.Context, r store.ClaimedRun) ([]string, error) {
			return choose(ctx, t, r, t.ToDrill)
		},
		begin: func(ctx context.Context, c protectionservice.Caller, r store.ClaimedRun, checkpointID string) error {
			d := r.Operation.Definition
			request := protectionservice.DrillRequest{ProviderID: d.ProviderID, CheckpointID: checkpointID}
			if d.Probes != nil {
				request.Probes = *d.Probes
			}
			_, err := s.Drill(ctx, c, request)
			if err != nil && karbor.KindOf(err) == karbor.OverLimit {
				// Other drills of the project go on: there is room later.
				err = &karbor.Error{Kind: karbor.Unavailable, Message: karbor.Sentence(err), Transient: true, Cause: err}
			}
			return err
		},
	}
}

// startCopy has the copies of a plan's checkpoints accepted that are not there yet.
func startCopy(ctx context.Context, s Service, c protectionservice.Caller, r store.ClaimedRun) error {
	d := r.Operation.Definition
	_, err := s.Copy(ctx, c, protectionservice.CopyRequest{
		ProviderID: d.ProviderID, PlanID: d.PlanID, Targets: d.Targets, Checkpoints: d.CheckpointIDs,
	})
	if errors.Is(err, store.ErrNothingToCopy) {
		return &nothingToDoError{karbor.Sentence(err)}
	}
	return err
}

// retain removes the checkpoints that a scheduled operation does not keep any more. It
// counts days and the like by the clock of the trigger.
func retain(ctx context.Context, s Service, t Shelf, c protectionservice.Caller, r store.ClaimedRun) (string, error) {
	g, err := t.Trigger(ctx, r.ProjectID, r.Operation.TriggerID)
	if err != nil {
		return "", err
	}
	schedule, err := trigger.Parse(g.Properties)
	if err != nil {
		return "", err
	}
	d := r.Operation.Definition
	result, err := s.ApplyRetention(ctx, c, protectionservice.RetentionRequest{
		ProviderID: d.ProviderID, PlanID: d.PlanID, Rules: d.Retention(schedule.Zone().String()), After: r.CheckpointID,
	})
	if err != nil || result.Refused != "" {
		return result.Refused, err
	}
	n := 0
	for _, v := range result.Verdicts {
		if v.Goes {
			n++
		}
	}
	switch n {
	case 0:
		return "", nil
	case 1:
		return "An older checkpoint is being deleted.", nil
	}
	return strconv.Itoa(n) + " older checkpoints are being deleted.", nil
}

package operationengine

import (
	"context"
	"strconv"

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
}

// Runners are those of all types.
type Runners map[karbor.ScheduledOperationType]Runner

// Service does the operations; protectionservice.Service is one.
type Service interface {
	Protect(ctx context.Context, c protectionservice.Caller, r protectionservice.ProtectRequest) (karbor.Checkpoint, error)
	ApplyRetention(ctx context.Context, c protectionservice.Caller, r protectionservice.RetentionRequest) (protectionservice.RetentionResult, error)
}

var _ Service = (*protectionservice.Service)(nil)

// Triggers gives triggers; store.Store is one.
type Triggers interface {
	Trigger(ctx context.Context, projectID, id string) (karbor.Trigger, error)
}

// NewRunners gives the runners of all types that there are.
func NewRunners(s Service, t Triggers) Runners {
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
	}
}

// retain removes the checkpoints that a scheduled operation does not keep any more. It
// counts days and the like by the clock of the trigger.
func retain(ctx context.Context, s Service, t Triggers, c protectionservice.Caller, r store.ClaimedRun) (string, error) {
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

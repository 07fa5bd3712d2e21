package operationengine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice"
	"github.com/karbor/karbor/internal/store"
)

// Plans keeps on which checkpoints the runs work that have several operations;
// store.Store is one.
type Plans interface {
	RunOperations(ctx context.Context, runID string) ([]karbor.RunOperation, error)
	PlanRun(ctx context.Context, c store.RunClaim, checkpoints []string) error
	LeaveOut(ctx context.Context, c store.RunClaim, position int, state karbor.RunState, reason string) error
}

var _ Plans = (*store.Store)(nil)

// mostOperations bounds how many checkpoints one run works on.
const mostOperations = 1000

// several does the runs of a type that have one operation for each of some checkpoints,
// one after another.
type several struct {
	plans Plans
	now   func() time.Time
	// choose gives the checkpoints of a run, in their order.
	choose func(ctx context.Context, r store.ClaimedRun) ([]string, error)
	// begin has the operation on one of them accepted.
	begin func(ctx context.Context, c protectionservice.Caller, r store.ClaimedRun, checkpointID string) error
	// nothing is why there is nothing to do, done what was done.
	nothing, done string
}

// runner gives the runner of the type.
func (s several) runner() Runner { return Runner{Start: s.start, Next: s.next} }

// start plans a run, and begins the first operation that can be begun.
func (s several) start(ctx context.Context, c protectionservice.Caller, r store.ClaimedRun) error {
	planned, err := s.plans.RunOperations(ctx, r.ID)
	if err != nil {
		return err
	}
	if len(planned) == 0 {
		chosen, err := s.choose(ctx, r)
		if err != nil {
			return err
		}
		if len(chosen) == 0 {
			return &nothingToDoError{s.nothing}
		}
		if err := s.plans.PlanRun(ctx, r.Claim, chosen); err != nil {
			return err
		}
	}
	end, err := s.next(ctx, c, r)
	switch {
	case err != nil || end == nil:
		return err
	case end.State == karbor.RunSuccess && !end.refused:
		return &nothingToDoError{end.Reason} // all have gone meanwhile
	}
	return &karbor.Error{Kind: karbor.Conflict, Message: end.Reason}
}

// stepPatience is for how long after the beginning of a run an operation is tried again
// that can't begin now.
const stepPatience = time.Hour

// next begins the next operation of a run that can be begun, or tells how the run ends.
func (s several) next(ctx context.Context, c protectionservice.Caller, r store.ClaimedRun) (*RunEnd, error) {
	planned, err := s.plans.RunOperations(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	var later error
	refused := false
	for i, o := range planned {
		if o.State != karbor.RunQueued {
			continue
		}
		run := *c.Run
		run.Step = &store.RunStep{Position: o.Position, OperationID: r.ID}
		if r.State == karbor.RunRunning {
			run.Step.OperationID = karbor.RunOperationID(r.ID, o.Position)
		}
		c := c
		c.Run = &run
		err := s.begin(ctx, c, r, o.CheckpointID)
		if err == nil || errors.Is(err, store.ErrRunLost) || ctx.Err() != nil {
			return nil, err
		}
		// One that can't be begun does not keep the others from it.
		state, patient := karbor.RunError, r.State == karbor.RunQueued || s.now().Sub(r.StartedAt) < stepPatience
		switch kind := karbor.KindOf(err); {
		case kind == karbor.Unauthorized || kind == karbor.Forbidden:
			return nil, err
		case waits(err) && patient:
			later = err
			continue
		case kind == karbor.NotFound || kind == karbor.Conflict:
			state = karbor.RunSkipped
			refused = refused || kind == karbor.Conflict
		}
		planned[i].State, planned[i].Reason = state, karbor.Sentence(err)
		if err := s.plans.LeaveOut(ctx, r.Claim, o.Position, state, planned[i].Reason); err != nil {
			return nil, err
		}
	}
	if later != nil {
		return nil, later
	}
	end := s.end(planned)
	end.refused = refused
	return end, nil
}

// namedFaults is how many faults the reason of a run tells.
const namedFaults = 3

// end gives the end of a run by those of its operations: it is good if each that was
// begun has ended well.
func (s several) end(planned []karbor.RunOperation) *RunEnd {
	good, state, faults := 0, karbor.RunSuccess, []string{}
	for _, o := range planned {
		if o.State == karbor.RunSuccess {
			good++
			continue
		}
		if o.State == karbor.RunError {
			state = karbor.RunError
		}
		if len(faults) < namedFaults {
			faults = append(faults, fmt.Sprintf("%s: %s", o.CheckpointID, o.Reason))
		}
	}
	reason := fmt.Sprintf(s.done, good, len(planned))
	if len(faults) > 0 {
		reason += "; " + strings.Join(faults, "; ")
	}
	return &RunEnd{State: state, Reason: reason}
}

// nothingToDoError is the error of a start that finds that there is nothing to be done, which
// is no fault.
type nothingToDoError struct{ why string }

func (e *nothingToDoError) Error() string { return e.why }

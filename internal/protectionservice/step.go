package protectionservice

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/checkpoint"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/internal/protectionservice/copies"
	"github.com/karbor/karbor/internal/protectionservice/deletion"
	"github.com/karbor/karbor/internal/protectionservice/drills"
	"github.com/karbor/karbor/internal/protectionservice/flow"
	"github.com/karbor/karbor/internal/protectionservice/hooks"
	"github.com/karbor/karbor/internal/protectionservice/outcome"
	"github.com/karbor/karbor/internal/protectionservice/protect"
	"github.com/karbor/karbor/internal/protectionservice/restore"
	"github.com/karbor/karbor/internal/protectionservice/running"
	"github.com/karbor/karbor/internal/protectionservice/verify"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/internal/workflow"
)

// Actions gives the work of the steps, for the engine's options: the engine calls them, and the
// service starts operations on the engine.
func (s *Service) Actions() map[string]workflow.Action {
	return map[string]workflow.Action{
		flow.Begin: s.begin,
		flow.Hook:  s.on(s.attempts.Hook),
		flow.Undo:  s.on(s.attempts.Undo),
		flow.Probe: s.on(s.drillSteps.Probe),
		flow.Copy: s.on(func(ctx context.Context, w running.Work, task *workflow.Task) error {
			return s.copier.Lane(ctx, w.Op, w.Provider, task)
		}),
		flow.Safety: s.on(func(ctx context.Context, w running.Work, _ *workflow.Task) error {
			return restore.AwaitSafety(ctx, w, s.store)
		}),
		flow.Count: s.on(func(ctx context.Context, w running.Work, task *workflow.Task) error {
			return protect.Count(ctx, w, task, protect.Counting{Store: s.store, Session: s.delegations.Session, Admin: s.adminReads, Logger: s.log})
		}),
		flow.Pause:    pause,
		flow.End:      s.end,
		flow.Fail:     s.fail,
		flow.Conclude: s.conclude,
	}
}

// on gives an action that needs no more than the work of its operation.
func (s *Service) on(do func(context.Context, running.Work, *workflow.Task) error) workflow.Action {
	return func(ctx context.Context, task *workflow.Task) error {
		w, err := s.operations.Work(ctx, task)
		if err != nil {
			return err
		}
		return do(ctx, w, task)
	}
}

// Context gives the context of an operation's actions, for the engine's options: the
// id of the request that asked for it goes along to the cloud and into the log.
func (s *Service) Context(ctx context.Context, operation string) context.Context {
	// Of all processes the engine has given the step to this one.
	ctx = checkpoint.TakingOver(ctx)
	op, err := s.operations.Get(ctx, operation)
	if err != nil || op.RequestID == "" {
		return ctx // a log without the id is better than none
	}
	return openstack.WithRequestID(ctx, op.RequestID)
}

// steps writes the flow of an operation.
func (s *Service) steps(op store.Operation) (workflow.Steps, error) {
	p, err := s.operations.Place(op)
	if err != nil {
		return nil, err
	}
	does := hooks.For(p, hooks.Kind(op))
	switch {
	case op.Type == karbor.CopyOperation:
		return flow.Copies(op.ProjectID, copies.TargetNames(p)), nil
	case op.Type == karbor.DrillOperation:
		return drills.Flow(op, does), nil
	case op.Type == karbor.Protect:
		return flow.Protect(op.ProjectID, op.Graph, does), nil
	case op.Choices.InPlace:
		return flow.InPlace(op.ProjectID, op.Graph, does), nil
	default:
		return flow.Steps(op.ProjectID, op.Graph, does, op.Choices.Stages...), nil
	}
}

// begin makes the operation visible in the bank before anything else happens.
func (s *Service) begin(ctx context.Context, task *workflow.Task) error {
	w, err := s.operations.Work(ctx, task)
	if err != nil {
		return err
	}
	switch w.Op.Type {
	case karbor.Protect:
		return protect.Begin(ctx, w, s.operations)
	case karbor.Delete:
		return deletion.Begin(ctx, w)
	case karbor.RestoreOperation, karbor.Verify:
		return s.standIns.BeginReading(ctx, w.Op, w.Provider, task)
	default:
		return nil
	}
}

// end makes success visible: in the bank first, which is the truth, then in the
// store. In a flow without hooks it does the work of begin before.
func (s *Service) end(ctx context.Context, task *workflow.Task) error {
	w, err := s.operations.Work(ctx, task)
	if err != nil || !w.Op.EndedAt.IsZero() {
		return err
	}
	whole := task.Input == flow.Begin
	if whole && w.Op.Type != karbor.Protect {
		if err := s.begin(ctx, task); err != nil {
			return s.banksPatience.of(task.Operation, err)
		}
	}
	if w.Op.Type == karbor.CopyOperation {
		o, err := s.copier.End(ctx, w.Op)
		if err != nil {
			return err
		}
		return s.operations.End(ctx, w.Op, o)
	}
	rows, err := s.store.Resources(ctx, w.Op.ID)
	if err != nil {
		return err
	}
	var o store.Outcome
	switch w.Op.Type {
	case karbor.Protect:
		o, err = protect.End(ctx, w, s.operations, rows, whole)
	case karbor.Delete:
		o, err = deletion.End(ctx, w, s.leftovers, s.custody)
	case karbor.Verify:
		o, err = verify.End(ctx, w, rows, s.now, s.log)
	default:
		o.RestoreStatus, o.LogStatus = karbor.RestoreSuccess, karbor.LogSuccess
	}
	if err != nil {
		return s.banksPatience.of(task.Operation, err)
	}
	if w.Op.Type == karbor.Protect {
		if o.Left, err = protect.Left(ctx, w, s.store); err != nil {
			return err
		}
	}
	if w.Op.Type != karbor.Verify { // which has told of each resource what was found
		outcome.Succeeded(&o, w.Op, rows)
	}
	return s.operations.End(ctx, w.Op, o)
}

// conclude ends a drill, once all that it made is removed, or could not be.
func (s *Service) conclude(ctx context.Context, task *workflow.Task) error {
	if task.Failure != nil {
		return s.fail(ctx, task)
	}
	op, err := s.store.Operation(ctx, task.Operation)
	if err != nil || !op.EndedAt.IsZero() {
		return err
	}
	return unended(s.drillSteps.EndWell(ctx, op))
}

// pause waits between two stages. After a crash it begins anew: a pause that is too long
// does less harm than one that is too short.
func pause(ctx context.Context, task *workflow.Task) error {
	seconds, err := strconv.ParseInt(task.Input, 10, 64)
	if err != nil {
		return fmt.Errorf("reading the pause of step %s: %w", task.Step, err)
	}
	if seconds == 0 {
		return nil
	}
	timer := time.NewTimer(time.Duration(seconds) * time.Second)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Package attempt runs hooks of plug-ins: one attempt at a step of one resource. It puts together
// what a hook gets, watches over it, and records what came of it.
package attempt

import (
	"context"
	"log/slog"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice/copies"
	"github.com/karbor/karbor/internal/protectionservice/deadline"
	"github.com/karbor/karbor/internal/protectionservice/delegation"
	"github.com/karbor/karbor/internal/protectionservice/drill"
	"github.com/karbor/karbor/internal/protectionservice/flow"
	"github.com/karbor/karbor/internal/protectionservice/hooks"
	"github.com/karbor/karbor/internal/protectionservice/outcome"
	"github.com/karbor/karbor/internal/protectionservice/record"
	"github.com/karbor/karbor/internal/protectionservice/running"
	"github.com/karbor/karbor/internal/protectionservice/transfer"
	"github.com/karbor/karbor/internal/protectionservice/turns"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/internal/workflow"
	"github.com/karbor/karbor/protection"
)

// Options of New. All but Installation, Settle and AdminReads are needed.
type Options struct {
	Store *store.Store
	// Delegations let the hooks act as their tenants.
	Delegations *delegation.Registry
	// Installation names this Karbor in the tags of temporary things in the cloud.
	Installation string
	// Settle is how long a cloud may take to carry out what it did not answer.
	Settle time.Duration
	// Guard watches over the hooks.
	Guard deadline.Guard
	// AdminReads is the service user's session, for what only an administrator
	// can read or set; nil where the operator does not allow it.
	AdminReads karbor.Cloud
	Transfers  *transfer.Places
	Paces      *transfer.Paces
	StandIns   *copies.StandIns
	Now        func() time.Time
	Logger     *slog.Logger
}

// recordTime bounds how long the record of what a hook has done keeps a flow that is being stopped.
const recordTime = 10 * time.Second

// Runner runs hooks. It is safe for concurrent use.
type Runner struct {
	store        *store.Store
	delegations  *delegation.Registry
	installation string
	settle       time.Duration
	guard        deadline.Guard
	adminReads   karbor.Cloud
	transfers    *transfer.Places
	paces        *transfer.Paces
	standIns     *copies.StandIns
	now          func() time.Time
	log          *slog.Logger
	cohorts      cohorts
	turns        *turns.Keeper
	verified     verified
}

// New makes a runner.
func New(o Options) *Runner {
	return &Runner{
		store: o.Store, delegations: o.Delegations, installation: o.Installation, settle: o.Settle, guard: o.Guard,
		adminReads: o.AdminReads, transfers: o.Transfers, paces: o.Paces, standIns: o.StandIns, now: o.Now, log: o.Logger,
		turns: turns.New(o.Store, o.Now, o.Logger),
	}
}

// Forget drops what is kept in memory of an operation that is over.
func (r *Runner) Forget(operation string) {
	r.paces.Forget(operation)
	r.verified.forget(operation)
}

// Hook runs one hook of one resource.
func (r *Runner) Hook(ctx context.Context, w running.Work, task *workflow.Task) error {
	word, node, err := w.Step(task.Input)
	if err != nil {
		return err
	}
	hook, last := flow.Find(hooks.Of(w.Provider, hooks.Kind(w.Op), node.Type), word)
	if hook == nil {
		return karbor.Errorf(karbor.Unavailable, "the plug-in for %s of provider %s was changed while the operation ran", node.Type, w.Provider.Name)
	}
	if hooks.KeepsOnly(w.Provider, w.Op.Type, node.Type) {
		hook = r.verifyKept(w, node)
	}
	if w.Op.Type == karbor.DrillOperation && drill.IsSite(node) {
		hook = r.isolate(w)
	}
	if ctx, err = r.store.Claim(ctx, w.Op.ID, task.Step, task.Attempt); err != nil {
		return err
	}
	ctx, leave := r.cohorts.join(ctx, w.Op.ID, node.Type)
	defer leave()
	return r.timed(ctx, w, node, word, func() error { return r.run(ctx, w, node, task, hook, word, last) })
}

func (r *Runner) run(ctx context.Context, w running.Work, node *karbor.Node, task *workflow.Task, hook protection.Hook, word string, last bool) error {
	row := r.record(w, node)
	faulty := false
	if err := row.Update(ctx, func(r *store.ResourceRecord) {
		if faulty = w.Op.Type == karbor.Verify && r.State == karbor.ResourceError; faulty {
			return
		}
		if r.Phase != word {
			r.Reason = ""
		}
		r.Started, r.State, r.Phase = true, outcome.Working(w.Op.Type), word
	}); err != nil || faulty {
		return err // an earlier hook has found that it is not good
	}
	if w.Op.Type == karbor.Delete {
		if err := w.Provider.Checkpoints().BeginPurge(ctx, w.Op.ProjectID, w.Op.CheckpointID); err != nil {
			return err
		}
	}
	out, err := r.call(ctx, w, node, task, row)
	if err != nil {
		return err
	}
	if err := r.watch(w.Op, node, word).Run(ctx, out.fresh.Reading(hook), out.Call); err != nil {
		if w.Op.Type == karbor.Verify {
			err = outcome.Plain(err)
		}
		if err = outcome.Of(node, err); isFinding(ctx, w.Op, err) {
			return r.found(ctx, w.Op, row, err)
		}
		return r.tell(ctx, row, err)
	}
	if word != flow.Main && !last {
		return nil
	}
	// What a hook has done counts even where its flow is being stopped: its bank may not let it go.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTime)
	defer cancel()
	return row.Update(ctx, func(r *store.ResourceRecord) {
		r.Reason = ""
		if d, t := out.moved.get(); d > 0 || t > 0 {
			r.Done, r.Total = d, t
		}
		if sum, ok := out.moved.tally.Sum(); ok {
			r.New, r.Stored = sum.New, sum.Stored
		}
		if last {
			r.State, r.Phase = outcome.Done(w.Op.Type), ""
		}
	})
}

// tell lets the tenant see why a hook failed while it is tried again, or while what
// was made is removed. It gives the hook's error back.
func (r *Runner) tell(ctx context.Context, row record.Record, failure error) error {
	if ctx.Err() != nil {
		return failure
	}
	if err := row.Update(ctx, func(r *store.ResourceRecord) { r.Reason = karbor.Sentence(failure) }); err != nil {
		r.log.ErrorContext(ctx, "the reason of a failure can't be recorded yet", "error", err)
	}
	return failure
}

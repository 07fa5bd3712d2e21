// Package admission accepts operations. Accepting is one transaction of the store; from the outbox
// in it, or from the same database, the engine gets the operation. So what was accepted survives
// a crash at any instant.
package admission

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/internal/protectionservice/delegation"
	"github.com/karbor/karbor/internal/protectionservice/hooks"
	"github.com/karbor/karbor/internal/provider"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/internal/workflow"
	"github.com/karbor/karbor/internal/workflow/local"
	"github.com/karbor/karbor/protection"
)

// Options of New. All are needed.
type Options struct {
	Store *store.Store
	// Delegations give the operations what they need to act as the callers.
	Delegations *delegation.Registry
	// Steps writes the flow of an operation.
	Steps func(store.Operation) (workflow.Steps, error)
	// Remember is told of what the engine has at once, with the checkpoint that it makes, if any.
	Remember func(op store.Operation, made *karbor.Checkpoint)
	// Enter gives operations places among those at work before they are accepted, if there is room:
	// see dispatch.Dispatcher.Enter.
	Enter func(ctx context.Context, operations []store.Operation) (leave func(), ok bool)
	// Wake tells that the outbox has something, or that something waits.
	Wake   func()
	Now    func() time.Time
	Logger *slog.Logger
}

// Desk accepts operations. It is safe for concurrent use.
type Desk struct {
	store       *store.Store
	delegations *delegation.Registry
	steps       func(store.Operation) (workflow.Steps, error)
	remember    func(store.Operation, *karbor.Checkpoint)
	enter       func(context.Context, []store.Operation) (func(), bool)
	wake        func()
	now         func() time.Time
	log         *slog.Logger

	engine workflow.Engine
}

// New makes a desk. It needs an engine (SetEngine) before anything is accepted.
func New(o Options) *Desk {
	return &Desk{store: o.Store, delegations: o.Delegations, steps: o.Steps, remember: o.Remember, enter: o.Enter, wake: o.Wake, now: o.Now, log: o.Logger}
}

// SetEngine sets the engine. It is called once.
func (d *Desk) SetEngine(e workflow.Engine) { d.engine = e }

// Acceptance is what an operation's kind fills in of store.Acceptance.
type Acceptance struct {
	store.Acceptance
	// Provider is the one that it works with.
	Provider *provider.Provider
	// LogStatus and Extra are the status and the extra information in the operation log.
	LogStatus karbor.LogStatus
	Extra     map[string]json.RawMessage
	// Target is another cloud that it acts in; nil for the caller's own.
	Target *delegation.Target
	// ScheduledOperationID is the scheduled operation after whose run it is, whose
	// delegation it uses, or "".
	ScheduledOperationID string

	granted *openstack.Delegation
}

// Accept makes operations durable, all of them or none: what their kinds have filled in, their
// logs, and a delegation for each of which any hook will need the cloud. With store.ErrUncertain in the
// error's chain it is not known whether they are; if so, they run.
func (d *Desk) Accept(ctx context.Context, c Caller, operations ...*Acceptance) (err error) {
	defer func() {
		if err != nil {
			d.withdraw(ctx, operations, err)
		}
	}()
	list := make([]*store.Acceptance, 0, len(operations))
	for _, a := range operations {
		if err := d.prepare(ctx, c, a); err != nil {
			return err
		}
		list = append(list, &a.Acceptance)
	}
	handed, err := d.persist(ctx, list)
	if err != nil {
		return err
	}
	for _, a := range operations {
		op := a.Operation
		d.log.InfoContext(ctx, "operation accepted", "operation", op.ID, "type", op.Type, "project", op.ProjectID,
			"checkpoint", op.CheckpointID, "resources", len(op.Graph.Nodes()))
	}
	if !handed {
		d.wake()
	}
	return nil
}

// withdraw gives up what operations were given that were not accepted. Where that is not known, as the
// connection to the database was lost at COMMIT, they may run, and need it: then only what is in memory
// of them goes, and it is looked whether they are there. A delegation that nobody needs ends by itself.
func (d *Desk) withdraw(ctx context.Context, operations []*Acceptance, why error) {
	uncertain := errors.Is(why, store.ErrUncertain)
	for _, a := range operations {
		if uncertain {
			d.delegations.Drop(a.Operation.ID)
			continue
		}
		d.delegations.Withdraw(ctx, a.Operation.ID, a.granted)
	}
	if uncertain {
		d.log.WarnContext(ctx, "it is not known whether operations were accepted; those that are will run", "operation", operations[0].Operation.ID, "error", why)
		d.wake()
	}
}

// prepare fills in what all operations have, and gets what one needs to act for the caller.
func (d *Desk) prepare(ctx context.Context, c Caller, a *Acceptance) (err error) {
	now := d.now()
	op := &a.Operation
	op.ID = cmp.Or(op.ID, karbor.NewID())
	op.ProjectID, op.ProviderID, op.CreatedAt = c.ActsOn(), a.Provider.ID, now
	op.RequestID = openstack.RequestID(ctx)
	a.Log = karbor.OperationLog{
		ID: op.ID, ProjectID: op.ProjectID, OperationType: op.Type, CheckpointID: op.CheckpointID,
		PlanID: op.PlanID, ProviderID: op.ProviderID, RestoreID: op.RestoreID,
		Status: a.LogStatus, StartedAt: now, ExtraInfo: a.Extra, ScheduledOperationID: a.ScheduledOperationID,
	}
	if c.Run != nil {
		c.Run.begin(a)
	}
	a.granted, err = d.authorize(ctx, c, op, hooks.For(a.Provider, hooks.Kind(*op)), a.Target)
	return err
}

// authorize gets what op needs to act as the caller, and seals it into op. An
// operation none of whose hooks does anything needs nothing.
func (d *Desk) authorize(ctx context.Context, c Caller, op *store.Operation, does func(karbor.ResourceType) protection.Hooks, to *delegation.Target) (*openstack.Delegation, error) {
	if !hooks.NeedCloud(op.Graph, does) {
		return nil, nil
	}
	if c.Crosses() {
		return nil, karbor.Errorf(karbor.Forbidden, "this needs the cloud of the project itself, which only its own people can give")
	}
	return d.delegations.Authorize(ctx, delegation.Grant{Identity: c.Identity, Cloud: c.Cloud, Borrowed: c.Borrowed, Target: to}, op)
}

// joiner is an engine whose journal is in the service's own database: the local one.
type joiner interface {
	Join(ctx context.Context, id string, g workflow.Graph) (*local.Joint, error)
}

// persist makes accepted operations durable. It reports whether the engine has them
// already; if not, they are in the outbox.
func (d *Desk) persist(ctx context.Context, list []*store.Acceptance) (handed bool, err error) {
	leave := d.join(ctx, list)
	defer leave()
	handed = !slices.ContainsFunc(list, func(a *store.Acceptance) bool { return a.Joint == nil })
	err = d.keep(ctx, list)
	for _, a := range list {
		if a.Joint == nil {
			continue
		}
		if err == nil {
			d.remember(a.Operation, a.Checkpoint)
		}
		a.Joint.Done(err == nil)
	}
	if errors.Is(err, local.ErrFenced) {
		for _, a := range list {
			a.Joint = nil
		}
		return false, d.keep(ctx, list)
	}
	return handed, err
}

// join hands to the engine what it takes at once, if there is room for more operations at work.
// leave must be called once they are kept, or are not.
func (d *Desk) join(ctx context.Context, list []*store.Acceptance) (leave func()) {
	engine, ok := d.engine.(joiner)
	if !ok {
		return func() {}
	}
	operations := make([]store.Operation, 0, len(list))
	for _, a := range list {
		operations = append(operations, a.Operation)
	}
	leave, room := d.enter(ctx, operations)
	if !room {
		return leave
	}
	for _, a := range list {
		// What is in the way of that shows again when the outbox is dispatched.
		if steps, err := d.steps(a.Operation); err == nil {
			a.Joint, _ = engine.Join(ctx, a.Operation.ID, steps)
		}
	}
	return leave
}

// keep has the store accept operations in one transaction. Those that the engine does not get with
// it wait for a place, as long as their kind is counted.
func (d *Desk) keep(ctx context.Context, list []*store.Acceptance) error {
	for _, a := range list {
		a.Operation.Waiting = a.Joint == nil && store.Counted(a.Operation.Type)
	}
	more := make([]store.Acceptance, 0, len(list))
	for _, a := range list[1:] {
		more = append(more, *a)
	}
	return d.store.Accept(ctx, *list[0], more...)
}

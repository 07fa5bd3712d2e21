// Package protectionservice is the protection service: it answers what can be
// protected, accepts operations (protect, restore, delete), writes their flows,
// and does the steps of those flows.
//
// Accepting is one transaction of the store; from the outbox in it, the engine
// gets the operation. So what was accepted survives a crash at any instant.
package protectionservice

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/checkpoint"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/internal/protectionservice/copies"
	"github.com/karbor/karbor/internal/protectionservice/custody"
	"github.com/karbor/karbor/internal/protectionservice/deadline"
	"github.com/karbor/karbor/internal/protectionservice/delegation"
	"github.com/karbor/karbor/internal/protectionservice/dispatch"
	"github.com/karbor/karbor/internal/protectionservice/flow"
	"github.com/karbor/karbor/internal/protectionservice/inventory"
	"github.com/karbor/karbor/internal/protectionservice/progress"
	"github.com/karbor/karbor/internal/protectionservice/transfer"
	"github.com/karbor/karbor/internal/provider"
	"github.com/karbor/karbor/internal/repository/verification"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/internal/workflow"
)

// Options of New. All but Installation, Settle, LeftoverTime, Deadline, Phases, Limits, AdminReads,
// Targets and Drills are needed.
type Options struct {
	Store     *store.Store
	Providers []*provider.Provider
	// Inventory finds what plans protect.
	Inventory *inventory.Finder
	// Delegations let the operations act as their tenants.
	Delegations *delegation.Registry
	// Installation names this Karbor in the tags of temporary things in the cloud.
	Installation string
	// Settle is how long a cloud may take to carry out what it did not answer.
	Settle time.Duration
	// LeftoverTime is how long it is tried to remove what an operation could not
	// remove from the cloud.
	LeftoverTime time.Duration
	// Deadline is how old an operation may become: then it is cancelled; 0 sets none.
	Deadline time.Duration
	// Phases say how long the hooks of an operation may get no further; none by default.
	Phases deadline.Limits
	// Limits are the configured quotas of each project; nil for none.
	Limits store.Limits
	// AdminReads is the service user's session, for what only an administrator
	// can read or set; nil where the operator does not allow it.
	AdminReads karbor.Cloud
	// Targets are the addresses of the Keystones of other clouds that tenants may
	// restore into.
	Targets []string
	// Custody looks after the banks.
	Custody *custody.Keeper
	// Drills says how restore drills run.
	Drills Drills
	Now    func() time.Time
	Logger *slog.Logger
}

// Service is the protection service. It is safe for concurrent use.
type Service struct {
	store       *store.Store
	providers   []*provider.Provider
	inventory   *inventory.Finder
	delegations *delegation.Registry
	custody     *custody.Keeper
	// installation names this Karbor in the tags of temporary things.
	installation string
	settle       time.Duration
	leftoverTime time.Duration
	phases       deadline.Limits
	limits       store.Limits
	adminReads   karbor.Cloud
	targets      []string
	drills       Drills
	transfers    *transfer.Places
	paces        *transfer.Paces
	progress     *progress.Reader
	dispatcher   *dispatch.Dispatcher
	copier       *copies.Copier
	standIns     *copies.StandIns
	now          func() time.Time
	log          *slog.Logger

	engine workflow.Engine

	mu sync.Mutex
	// running are operations that run, as they were accepted: see operation.
	running map[string]store.Operation
	// making are the checkpoints that some of them make, by operation.
	making map[string]*karbor.Checkpoint
	// verified is what verifications that run have found good, by operation.
	verified map[string]*verification.State
}

// New makes the service. It needs an engine (SetEngine) before Run.
func New(o Options) *Service {
	s := &Service{
		store: o.Store, providers: o.Providers, delegations: o.Delegations, custody: o.Custody, installation: o.Installation,
		settle: o.Settle, leftoverTime: o.LeftoverTime, phases: o.Phases, limits: o.Limits, adminReads: o.AdminReads, targets: o.Targets, drills: o.Drills, now: o.Now, log: o.Logger,
		transfers: transfer.New(),
		paces:     transfer.NewPaces(),
		inventory: o.Inventory,
		running:   map[string]store.Operation{},
		making:    map[string]*karbor.Checkpoint{},
		verified:  map[string]*verification.State{},
	}
	s.progress = progress.New(progress.Options{Store: o.Store, Describe: s.describe, Transfers: s.transfers, Paces: s.paces, Now: o.Now})
	s.dispatcher = dispatch.New(dispatch.Options{
		Store: o.Store, Operation: s.operation, Steps: s.steps, End: s.endAbandoned, Again: s.again, Deadline: o.Deadline, Now: o.Now, Logger: o.Logger,
	})
	s.standIns = copies.NewStandIns(o.Store, o.Custody, o.Logger)
	s.copier = copies.New(copies.Options{
		Store: o.Store, Banks: o.Custody, Transfers: s.transfers, As: copyOf, Delete: s.expireCopy, Now: o.Now, Logger: o.Logger,
	})
	return s
}

// Engine options that the service needs, and the engine that was made with them:
// the engine calls the service's actions, and the service starts operations on the
// engine.

// Actions gives the work of the steps, for the engine's options.
func (s *Service) Actions() map[string]workflow.Action {
	return map[string]workflow.Action{
		flow.Begin:    s.begin,
		flow.Hook:     s.hook,
		flow.Copy:     s.copyLane,
		flow.Undo:     s.undo,
		flow.Pause:    s.pause,
		flow.Safety:   s.awaitSafety,
		flow.End:      s.end,
		flow.Fail:     s.fail,
		flow.Probe:    s.probe,
		flow.Conclude: s.conclude,
	}
}

// Context gives the context of an operation's actions, for the engine's options: the
// id of the request that asked for it goes along to the cloud and into the log.
func (s *Service) Context(ctx context.Context, operation string) context.Context {
	// Of all processes the engine has given the step to this one.
	ctx = checkpoint.TakingOver(ctx)
	op, err := s.operation(ctx, operation)
	if err != nil || op.RequestID == "" {
		return ctx // a log without the id is better than none
	}
	return openstack.WithRequestID(ctx, op.RequestID)
}

// Places is the size of each pool that the steps name, for the engine's options: what
// one project may have at work at a time of each kind of step.
func (s *Service) Places() int { return Places }

// Places is the size of each pool but those of the short hooks.
const Places = 16

// Limits are the sizes of the other pools, for the engine's options. What short hooks wait for,
// a snapshot, is the same for fifty volumes as for one: they should be taken at one time. The
// long ones make larger things of the tenant's, who has few of them at a time.
func (s *Service) Limits() map[string]int { return flow.Limits() }

// SetEngine sets the engine that runs the operations. It is called once, before
// Run and before any operation is accepted.
func (s *Service) SetEngine(e workflow.Engine) {
	s.engine = e
	s.dispatcher.SetEngine(e)
}

// Run has accepted operations carried out, and looks after what is left of those that are over,
// until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	var parts sync.WaitGroup
	parts.Go(func() { s.delegations.Run(ctx) })
	parts.Go(func() { s.sweepLeftovers(ctx) })
	parts.Go(func() { s.sweepExpired(ctx) })
	parts.Go(func() { s.custody.Run(ctx) })
	parts.Go(func() { s.dispatcher.Run(ctx) })
	parts.Wait()
	return nil
}

// steps writes the flow of an operation.
func (s *Service) steps(op store.Operation) (workflow.Steps, error) {
	p, err := s.place(op)
	if err != nil {
		return nil, err
	}
	if op.Type == karbor.CopyOperation {
		return flow.Copies(op.ProjectID, targetNames(p)), nil
	}
	if op.Type == karbor.DrillOperation {
		return s.drillFlow(op, hooksFor(p, op.Type)), nil
	}
	if op.Choices.InPlace {
		return flow.InPlace(op.ProjectID, op.Graph, hooksFor(p, kindOf(op))), nil
	}
	return flow.Steps(op.ProjectID, op.Graph, hooksFor(p, op.Type), op.Choices.Stages...), nil
}

// Package protectionservice is the protection service: it answers what can be
// protected, accepts operations (protect, restore, delete), writes their flows,
// and does the steps of those flows.
//
// Accepting is one transaction of the store; from the outbox in it, the engine
// gets the operation. So what was accepted survives a crash at any instant.
package protectionservice

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/checkpoint"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/internal/provider"
	"github.com/karbor/karbor/internal/repository/verification"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/internal/workflow"
	"github.com/karbor/karbor/protectable"
)

// Caller is who asks, with a session in the cloud that acts as them.
type Caller struct {
	Identity *karbor.Identity
	Cloud    karbor.Cloud
	// Project is the project whose checkpoint an administrator acts on; "" stands for
	// the caller's own. Whether the caller may is asked before.
	Project string
	// Run is the scheduled run that the caller acts for; nil for a request of their own.
	Run *ScheduledRun

	// lent is the delegation that the caller acts through, which stays theirs: see
	// Borrow.
	lent *openstack.Delegation
}

// project gives the project whose things the caller acts on.
func (c Caller) project() string { return cmp.Or(c.Project, c.Identity.ProjectID) }

// crosses reports whether this is another project than the caller's.
func (c Caller) crosses() bool { return c.project() != c.Identity.ProjectID }

// Authority makes sessions that outlive a request; openstack.Authority is it.
type Authority interface {
	Delegate(ctx context.Context, who *karbor.Identity, lifetime time.Duration) (openstack.Delegation, error)
	Resume(ctx context.Context, d openstack.Delegation) (karbor.Cloud, error)
	// Probe gets a new token through a delegation.
	Probe(ctx context.Context, d openstack.Delegation) error
	Prefer(d openstack.Delegation, who *karbor.Identity) karbor.Cloud
	Revoke(ctx context.Context, d openstack.Delegation) error
	Password(ctx context.Context, authURL string, p openstack.PasswordAuth) (karbor.Cloud, error)
}

// Options of New. All but Settle, LeftoverTime, Deadline, Limits, AdminReads and Targets are needed.
type Options struct {
	Store        *store.Store
	Providers    []*provider.Provider
	Protectables []protectable.Plugin
	Authority    Authority
	// Key seals delegations and restore_auth in the database; 32 bytes.
	Key []byte
	// DelegationLifetime bounds how long an operation can go on after it was
	// accepted.
	DelegationLifetime time.Duration
	// Lending says how users lend their rights to what runs by itself.
	Lending Lending
	// Settle is how long a cloud may take to carry out what it did not answer.
	Settle time.Duration
	// LeftoverTime is how long it is tried to remove what an operation could not
	// remove from the cloud.
	LeftoverTime time.Duration
	// Deadline is how old an operation may become: then it is cancelled; 0 sets none.
	Deadline time.Duration
	// Limits are the configured quotas of each project; nil for none.
	Limits store.Limits
	// AdminReads is the service user's session, for what only an administrator
	// can read or set; nil where the operator does not allow it.
	AdminReads karbor.Cloud
	// Targets are the addresses of the Keystones of other clouds that tenants may
	// restore into.
	Targets []string
	// Front says that this process only accepts operations: it opens no bank, and others
	// carry the operations out. Neither Open, Run nor Keep is called then.
	Front bool
	// Upkeep says how the banks are looked after; zero members have defaults.
	Upkeep Upkeep
	Now    func() time.Time
	Logger *slog.Logger
}

// Service is the protection service. It is safe for concurrent use.
type Service struct {
	store        *store.Store
	providers    []*provider.Provider
	protectables map[karbor.ResourceType]protectable.Plugin
	authority    Authority
	seal         sealer
	lifetime     time.Duration
	lending      Lending
	settle       time.Duration
	leftoverTime time.Duration
	deadline     time.Duration
	limits       store.Limits
	adminReads   karbor.Cloud
	targets      []string
	transfers    *transfers
	paces        *paces
	now          func() time.Time
	log          *slog.Logger

	engine workflow.Engine
	// wake tells Run that the outbox has something, revocations that an operation
	// has ended.
	wake, revocations bell
	// handed are operations in the outbox that the engine has: Run's own.
	handed map[string]bool

	mu sync.Mutex
	// sessions are those of operations that run, by operation.
	sessions map[string]karbor.Cloud
	// running are operations that run, as they were accepted: see operation.
	running map[string]store.Operation
	// making are the checkpoints that some of them make, by operation.
	making map[string]*karbor.Checkpoint
	// verified is what verifications that run have found good, by operation.
	verified map[string]*verification.State
	// arrived is what is known of the packs at copy targets, by placeKey.
	arrived map[string]*verification.State
	// banks tell how far the service is with each provider's, by its id.
	banks  map[string]bankState
	upkeep Upkeep
	front  bool
	// care looks after what lies in the banks.
	care caretakers
}

// New makes the service. It needs an engine (SetEngine) before Run.
func New(o Options) (*Service, error) {
	seal, err := newSealer(o.Key)
	if err != nil {
		return nil, err
	}
	s := &Service{
		store: o.Store, providers: o.Providers, authority: o.Authority, seal: seal,
		lifetime: o.DelegationLifetime, settle: o.Settle, leftoverTime: o.LeftoverTime, deadline: o.Deadline, limits: o.Limits, adminReads: o.AdminReads, targets: o.Targets, now: o.Now, log: o.Logger,
		transfers:    newTransfers(sharedTransfers, mostTransfers),
		paces:        newPaces(),
		lending:      o.Lending,
		protectables: map[karbor.ResourceType]protectable.Plugin{},
		wake:         newBell(), revocations: newBell(),
		handed:   map[string]bool{},
		sessions: map[string]karbor.Cloud{},
		running:  map[string]store.Operation{},
		making:   map[string]*karbor.Checkpoint{},
		verified: map[string]*verification.State{},
		arrived:  map[string]*verification.State{},
		banks:    map[string]bankState{},
		upkeep:   o.Upkeep.filled(),
		front:    o.Front,
	}
	for _, p := range o.Protectables {
		if s.protectables[p.Type()] != nil {
			return nil, karbor.Errorf(karbor.Invalid, "two protectable plug-ins find %s", p.Type())
		}
		s.protectables[p.Type()] = p
	}
	return s, nil
}

// Engine options that the service needs, and the engine that was made with them:
// the engine calls the service's actions, and the service starts operations on the
// engine.

// Actions gives the work of the steps, for the engine's options.
func (s *Service) Actions() map[string]workflow.Action {
	return map[string]workflow.Action{
		actionBegin: s.begin,
		actionHook:  s.hook,
		actionCopy:  s.copyLane,
		actionUndo:  s.undo,
		actionPause: s.pause,
		actionEnd:   s.end,
		actionFail:  s.fail,
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

// Places is the size of each pool.
const Places = 16

// SetEngine sets the engine that runs the operations. It is called once, before
// Run and before any operation is accepted.
func (s *Service) SetEngine(e workflow.Engine) { s.engine = e }

// outboxPoll is how often the outbox is looked at when nobody calls: for what a
// process accepted that died before it could call, or that failed to start.
const outboxPoll = 2 * time.Second

// Run hands accepted operations to the engine until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	var tidying sync.WaitGroup
	tidying.Go(func() { s.revokeAll(ctx) })
	tidying.Go(func() { s.sweepLeftovers(ctx) })
	tidying.Go(func() { s.sweepExpired(ctx) })
	tidying.Go(func() { s.honourRequests(ctx) })
	tidying.Go(func() { s.buryForsaken(ctx) })
	defer tidying.Wait()
	ticker := time.NewTicker(outboxPoll)
	defer ticker.Stop()
	var reconciled time.Time
	for {
		err := s.dispatch(ctx)
		if err == nil && s.now().Sub(reconciled) >= reconcilePause {
			err, reconciled = errors.Join(s.reconcile(ctx), s.endOverdue(ctx), s.forget(ctx)), s.now()
		}
		if err != nil && ctx.Err() == nil {
			s.log.ErrorContext(ctx, "handing operations to the engine failed; it is tried again", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-s.wake:
		case <-ticker.C:
			if err := s.clearOutbox(ctx, dispatchBatch+len(s.handed)); err != nil && ctx.Err() == nil {
				s.log.ErrorContext(ctx, "clearing the outbox failed; it is tried again", "error", err)
			}
		}
	}
}

// dispatchBatch is how much of the outbox is read at a time.
const dispatchBatch = 100

// dispatch starts on the engine what the outbox holds. It leaves it in the outbox:
// most operations have ended, and so left it, before clearOutbox comes.
func (s *Service) dispatch(ctx context.Context) error {
	var errs []error
	stuck := map[string]bool{}
	for {
		limit := dispatchBatch + len(stuck)
		ids, err := s.store.Undispatched(ctx, limit)
		if err != nil {
			return err
		}
		for _, id := range ids {
			if s.handed[id] || stuck[id] {
				continue
			}
			// One that can't be started now does not keep the others waiting.
			if err := s.start(ctx, id); err != nil {
				errs = append(errs, err)
				stuck[id] = true
				continue
			}
			s.handed[id] = true
		}
		if len(ids) < limit || ctx.Err() != nil {
			return errors.Join(errs...)
		}
		if err := s.clearOutbox(ctx, limit); err != nil {
			return err
		}
	}
}

// clearOutbox takes out of the outbox what the engine has, of its first entries. What
// it forgets besides has ended; should it not have, it is handed over once more, which
// does no harm.
func (s *Service) clearOutbox(ctx context.Context, limit int) error {
	if len(s.handed) == 0 {
		return nil
	}
	ids, err := s.store.Undispatched(ctx, limit)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if s.handed[id] {
			if err := s.store.Dispatched(ctx, id); err != nil {
				return err
			}
		}
	}
	clear(s.handed)
	return nil
}

func (s *Service) start(ctx context.Context, id string) error {
	op, err := s.operation(ctx, id)
	if err != nil {
		return err
	}
	steps, err := s.steps(op)
	if err != nil {
		// The provider's file has gone: there is nobody to do the work.
		return s.abandon(ctx, op, err)
	}
	err = s.engine.Start(ctx, id, steps)
	if err != nil && karbor.KindOf(err) == karbor.Invalid {
		s.log.ErrorContext(ctx, "the engine refuses an operation", "operation", id, "error", err)
		return s.abandon(ctx, op, karbor.Errorf(karbor.Internal, "the service can't carry this operation out"))
	}
	if err != nil {
		return err
	}
	return s.cancelStarted(ctx, id)
}

// steps writes the flow of an operation.
func (s *Service) steps(op store.Operation) (workflow.Steps, error) {
	p, err := s.place(op)
	if err != nil {
		return nil, err
	}
	if op.Type == karbor.CopyOperation {
		return copyFlow(op.ProjectID, p.Targets()), nil
	}
	return flow(op.ProjectID, op.Graph, hooksFor(p, op.Type), op.Choices.Stages...), nil
}

// abandon ends an operation that nobody can carry out.
func (s *Service) abandon(ctx context.Context, op store.Operation, why error) error {
	f := &workflow.Failure{Steps: []workflow.StepError{{Sentence: karbor.Sentence(why)}}}
	if err := s.endFailed(ctx, op, f, ending{abandoned: true}); err != nil {
		return err
	}
	return s.store.Dispatched(ctx, op.ID)
}

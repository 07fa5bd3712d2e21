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
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/internal/provider"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/internal/workflow"
	"github.com/karbor/karbor/protectable"
)

// Caller is who asks, with a session in the cloud that acts as them.
type Caller struct {
	Identity *karbor.Identity
	Cloud    karbor.Cloud
}

// Authority makes sessions that outlive a request; openstack.Authority is it.
type Authority interface {
	Delegate(ctx context.Context, who *karbor.Identity, lifetime time.Duration) (openstack.Delegation, error)
	Resume(ctx context.Context, d openstack.Delegation) (karbor.Cloud, error)
	Prefer(d openstack.Delegation, who *karbor.Identity) karbor.Cloud
	Revoke(ctx context.Context, d openstack.Delegation) error
	Password(ctx context.Context, authURL string, p openstack.PasswordAuth) (karbor.Cloud, error)
}

// Options of New. All but AdminReads and Targets are needed.
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
	// AdminReads is the service user's session, for what only an administrator
	// can read or set; nil where the operator does not allow it.
	AdminReads karbor.Cloud
	// Targets are the addresses of the Keystones of other clouds that tenants may
	// restore into.
	Targets []string
	Now     func() time.Time
	Logger  *slog.Logger
}

// Service is the protection service. It is safe for concurrent use.
type Service struct {
	store        *store.Store
	providers    []*provider.Provider
	protectables map[karbor.ResourceType]protectable.Plugin
	authority    Authority
	seal         sealer
	lifetime     time.Duration
	adminReads   karbor.Cloud
	targets      []string
	now          func() time.Time
	log          *slog.Logger

	engine workflow.Engine
	// wake tells Run that the outbox has something; it holds at most one.
	wake chan struct{}

	mu sync.Mutex
	// sessions are those of operations that run, by operation.
	sessions map[string]karbor.Cloud
}

// New makes the service. It needs an engine (SetEngine) before Run.
func New(o Options) (*Service, error) {
	seal, err := newSealer(o.Key)
	if err != nil {
		return nil, err
	}
	s := &Service{
		store: o.Store, providers: o.Providers, authority: o.Authority, seal: seal,
		lifetime: o.DelegationLifetime, adminReads: o.AdminReads, targets: o.Targets, now: o.Now, log: o.Logger,
		protectables: map[karbor.ResourceType]protectable.Plugin{},
		wake:         make(chan struct{}, 1),
		sessions:     map[string]karbor.Cloud{},
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
		actionUndo:  s.undo,
		actionEnd:   s.end,
		actionFail:  s.fail,
	}
}

// Limits gives the sizes of the pools that the steps name.
func (s *Service) Limits() map[string]int {
	return map[string]int{poolData: 4, poolHooks: 32, "": 16}
}

// SetEngine sets the engine that runs the operations. It is called once, before
// Run and before any operation is accepted.
func (s *Service) SetEngine(e workflow.Engine) { s.engine = e }

// outboxPoll is how often the outbox is looked at when nobody calls: for what a
// process accepted that died before it could call, or that failed to start.
const outboxPoll = 2 * time.Second

// Run hands accepted operations to the engine until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	ticker := time.NewTicker(outboxPoll)
	defer ticker.Stop()
	for {
		if err := s.dispatch(ctx); err != nil && ctx.Err() == nil {
			s.log.ErrorContext(ctx, "handing operations to the engine failed; it is tried again", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-s.wake:
		case <-ticker.C:
		}
	}
}

// call wakes Run.
func (s *Service) call() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// dispatch starts on the engine what the outbox holds.
func (s *Service) dispatch(ctx context.Context) error {
	const batch = 100
	for {
		ids, err := s.store.Undispatched(ctx, batch)
		if err != nil || len(ids) == 0 {
			return err
		}
		for _, id := range ids {
			if err := s.start(ctx, id); err != nil {
				return err
			}
		}
	}
}

func (s *Service) start(ctx context.Context, id string) error {
	op, err := s.store.Operation(ctx, id)
	if err != nil {
		return err
	}
	steps, err := s.steps(op)
	if err != nil {
		// The provider's file has gone: there is nobody to do the work.
		return s.abandon(ctx, op, err)
	}
	if err := s.engine.Start(ctx, id, steps); err != nil {
		return err
	}
	return s.store.Dispatched(ctx, id)
}

// steps writes the flow of an operation.
func (s *Service) steps(op store.Operation) (workflow.Steps, error) {
	p, err := s.provider(op.ProviderID)
	if err != nil {
		return nil, err
	}
	return flow(op.Graph, hooksFor(p, op.Type)), nil
}

// abandon ends an operation that can't be started.
func (s *Service) abandon(ctx context.Context, op store.Operation, why error) error {
	o := failedOutcome(op.Type)
	o.ErrorInfo = karbor.Sentence(why)
	if err := s.store.EndOperation(ctx, op.ID, o); err != nil {
		return err
	}
	return s.store.Dispatched(ctx, op.ID)
}

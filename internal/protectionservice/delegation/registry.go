// Package delegation keeps what lets operations act as tenants when the request is long over:
// trusts, application credentials and the log-ins of other clouds. All of it lies sealed in
// the database, bound to what it was given for. It is lent to scheduled operations, turned
// into sessions, and given back when an operation is over.
package delegation

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/internal/store"
)

// Authority makes sessions that outlive a request; openstack.Authority is it.
type Authority interface {
	Delegate(ctx context.Context, who *karbor.Identity, lifetime time.Duration) (openstack.Delegation, error)
	DelegateUntil(ctx context.Context, who *karbor.Identity, end time.Time) (openstack.Delegation, error)
	// TrustsUntil finds the trusts of a user in a project that end at a time.
	TrustsUntil(ctx context.Context, userID, projectID string, end time.Time) ([]openstack.Delegation, error)
	Resume(ctx context.Context, d openstack.Delegation) (karbor.Cloud, error)
	// Probe gets a new token through a delegation.
	Probe(ctx context.Context, d openstack.Delegation) error
	Prefer(d openstack.Delegation, who *karbor.Identity) karbor.Cloud
	Revoke(ctx context.Context, d openstack.Delegation) error
	Password(ctx context.Context, authURL string, p openstack.PasswordAuth) (karbor.Cloud, error)
}

// Options of New. All but Lending and Front are needed.
type Options struct {
	Store     *store.Store
	Authority Authority
	// Key seals delegations and restore_auth in the database; 32 bytes.
	Key []byte
	// Lifetime bounds how long an operation can go on after it was accepted.
	Lifetime time.Duration
	// Lending says how users lend their rights to what runs by itself.
	Lending Lending
	// Front says that this process only accepts operations: it keeps no sessions of them.
	Front  bool
	Now    func() time.Time
	Logger *slog.Logger
}

// Registry keeps the delegations of a service. It is safe for concurrent use.
type Registry struct {
	store     *store.Store
	authority Authority
	seal      sealer
	lifetime  time.Duration
	lending   Lending
	front     bool
	now       func() time.Time
	log       *slog.Logger

	// ended tells Run that an operation has ended; it holds at most one call.
	ended chan struct{}

	mu sync.Mutex
	// sessions are those of operations that run, by operation.
	sessions map[string]karbor.Cloud
}

// New makes the registry; a key of another size is karbor.Invalid.
func New(o Options) (*Registry, error) {
	seal, err := newSealer(o.Key)
	if err != nil {
		return nil, err
	}
	return &Registry{
		store: o.Store, authority: o.Authority, seal: seal, lifetime: o.Lifetime, lending: o.Lending, front: o.Front,
		now: o.Now, log: o.Logger, ended: make(chan struct{}, 1), sessions: map[string]karbor.Cloud{},
	}, nil
}

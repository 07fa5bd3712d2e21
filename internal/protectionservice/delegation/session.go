package delegation

import (
	"context"
	"fmt"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/internal/store"
)

// mostSessions bounds the sessions that are kept in memory.
const mostSessions = 1000

// keepSession keeps the session of an operation in memory. A process that only accepts
// operations never hears of their ends, and has no use for it. Others may carry an
// operation out that was accepted here: when there are more than mostSessions, all are
// forgotten, and made again from what is sealed.
func (r *Registry) keepSession(operation string, cloud karbor.Cloud) {
	if r.front {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.sessions) >= mostSessions {
		clear(r.sessions)
	}
	r.sessions[operation] = cloud
}

// Session gives the session that op acts through: the one from its request while
// this process lives, else one from what is sealed in op.
func (r *Registry) Session(ctx context.Context, op store.Operation) (karbor.Cloud, error) {
	r.mu.Lock()
	cloud := r.sessions[op.ID]
	r.mu.Unlock()
	if cloud != nil || op.Delegation == nil {
		return cloud, nil
	}
	auth, err := r.authorization(op)
	if err != nil {
		return nil, err
	}
	switch {
	case auth.Target != nil:
		cloud, err = r.authority.Password(ctx, auth.Target.URL, auth.Target.auth())
	default:
		var d openstack.Delegation
		if d, err = openstack.DecodeDelegation(auth.Delegation); err == nil {
			cloud, err = r.authority.Resume(ctx, d)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("logging in for operation %s: %w", op.ID, err)
	}
	r.keepSession(op.ID, cloud)
	return cloud, nil
}

// Drop forgets the session of an operation that has ended, or was not accepted.
func (r *Registry) Drop(operation string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.sessions, operation)
}

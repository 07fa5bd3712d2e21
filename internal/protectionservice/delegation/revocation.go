package delegation

import (
	"context"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/internal/store"
)

// Revocable reports whether a finished operation has a delegation to revoke. What
// let it into another cloud, or is a scheduled operation's, was lent to it, and is only
// erased.
func (r *Registry) Revocable(ctx context.Context, op store.Operation) bool {
	if op.Delegation == nil {
		return false
	}
	auth, err := r.authorization(op)
	if err != nil {
		r.log.WarnContext(ctx, "the authorization of a finished operation can't be read", "operation", op.ID, "error", err)
	}
	return err == nil && auth.Delegation != nil && !auth.Lent
}

// revocationPause is the time between two tries to give delegations back, and
// revocationBatch how many there are in one.
const (
	revocationPause = 15 * time.Second
	revocationBatch = 100
)

// Run gives back the delegations of operations that are over, until ctx ends.
// They survive a crash; a Keystone that does not answer is asked again.
func (r *Registry) Run(ctx context.Context) {
	timer := time.NewTicker(revocationPause)
	defer timer.Stop()
	for {
		for r.revokeSome(ctx) {
		}
		select {
		case <-ctx.Done():
			return
		case <-r.ended:
		case <-timer.C:
		}
	}
}

// revokeSome gives the oldest delegations back. It reports whether there may be more
// to do at once.
func (r *Registry) revokeSome(ctx context.Context) bool {
	due, err := r.store.Revocations(ctx, revocationBatch)
	if err != nil {
		if ctx.Err() == nil {
			r.log.ErrorContext(ctx, "the delegations to revoke can't be listed", "error", err)
		}
		return false
	}
	failed := false
	for _, one := range due {
		if err := r.revokeOne(ctx, one); err != nil {
			if ctx.Err() != nil {
				return false
			}
			failed = true
			r.log.WarnContext(ctx, "a delegation could not be revoked; it is tried again", "operation", one.OperationID, "error", err)
		}
	}
	return len(due) == revocationBatch && !failed
}

func (r *Registry) revokeOne(ctx context.Context, due store.Revocation) error {
	auth, err := r.authorization(store.Operation{ID: due.OperationID, Delegation: due.Delegation})
	var d openstack.Delegation
	if err == nil {
		d, err = openstack.DecodeDelegation(auth.Delegation)
	}
	// One that has ended by itself is gone from Keystone too.
	if err == nil && (d.ExpiresAt.IsZero() || r.now().Before(d.ExpiresAt)) {
		call, cancel := context.WithTimeout(ctx, revokeTimeout)
		err = r.authority.Revoke(call, d)
		cancel()
		if karbor.IsTransient(err) || ctx.Err() != nil {
			return err
		}
	}
	if err != nil {
		r.log.WarnContext(ctx, "a delegation can't be revoked; it ends by itself", "operation", due.OperationID,
			"expires", d.ExpiresAt, "error", err)
	}
	return r.store.Revoked(ctx, due.OperationID)
}

// Wake tells Run that an operation has ended.
func (r *Registry) Wake() {
	select {
	case r.ended <- struct{}{}:
	default:
	}
}

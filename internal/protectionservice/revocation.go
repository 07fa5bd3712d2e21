package protectionservice

import (
	"context"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/internal/store"
)

// bell tells a loop that there is something to do; it holds at most one call.
type bell chan struct{}

func newBell() bell { return make(bell, 1) }

func (b bell) call() {
	select {
	case b <- struct{}{}:
	default:
	}
}

// revocable reports whether a finished operation has a delegation to revoke. What
// let it into another cloud, or is a scheduled operation's, was lent to it, and is only
// erased.
func (s *Service) revocable(ctx context.Context, op store.Operation) bool {
	if op.Delegation == nil {
		return false
	}
	auth, err := s.authorization(op)
	if err != nil {
		s.log.WarnContext(ctx, "the authorization of a finished operation can't be read", "operation", op.ID, "error", err)
	}
	return err == nil && auth.Delegation != nil && !auth.Lent
}

// revocationPause is the time between two tries to give delegations back, and
// revocationBatch how many there are in one.
const (
	revocationPause = 15 * time.Second
	revocationBatch = 100
)

// revokeAll gives back the delegations of operations that are over, until ctx ends.
// They survive a crash; a Keystone that does not answer is asked again.
func (s *Service) revokeAll(ctx context.Context) {
	timer := time.NewTicker(revocationPause)
	defer timer.Stop()
	for {
		for s.revokeSome(ctx) {
		}
		select {
		case <-ctx.Done():
			return
		case <-s.revocations:
		case <-timer.C:
		}
	}
}

// revokeSome gives the oldest delegations back. It reports whether there may be more
// to do at once.
func (s *Service) revokeSome(ctx context.Context) bool {
	due, err := s.store.Revocations(ctx, revocationBatch)
	if err != nil {
		if ctx.Err() == nil {
			s.log.ErrorContext(ctx, "the delegations to revoke can't be listed", "error", err)
		}
		return false
	}
	failed := false
	for _, r := range due {
		if err := s.revokeOne(ctx, r); err != nil {
			if ctx.Err() != nil {
				return false
			}
			failed = true
			s.log.WarnContext(ctx, "a delegation could not be revoked; it is tried again", "operation", r.OperationID, "error", err)
		}
	}
	return len(due) == revocationBatch && !failed
}

func (s *Service) revokeOne(ctx context.Context, r store.Revocation) error {
	auth, err := s.authorization(store.Operation{ID: r.OperationID, Delegation: r.Delegation})
	var d openstack.Delegation
	if err == nil {
		d, err = openstack.DecodeDelegation(auth.Delegation)
	}
	// One that has ended by itself is gone from Keystone too.
	if err == nil && (d.ExpiresAt.IsZero() || s.now().Before(d.ExpiresAt)) {
		call, cancel := context.WithTimeout(ctx, revokeTimeout)
		err = s.authority.Revoke(call, d)
		cancel()
		if karbor.IsTransient(err) || ctx.Err() != nil {
			return err
		}
	}
	if err != nil {
		s.log.WarnContext(ctx, "a delegation can't be revoked; it ends by itself", "operation", r.OperationID,
			"expires", d.ExpiresAt, "error", err)
	}
	return s.store.Revoked(ctx, r.OperationID)
}

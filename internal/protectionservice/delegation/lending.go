package delegation

import (
	"context"
	"crypto/rand"
	"errors"
	"math/big"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/internal/store"
)

// A trust that is lent without an end has one that nobody lives to see: a second of the
// endings after firstEnd, at random. One that is lent for a time ends up to mostEarlier
// sooner. So each can be told from all others. Only even seconds are taken: see
// openstack.Authority.Delegate.
var firstEnd = time.Date(3000, 1, 1, 0, 0, 0, 0, time.UTC)

const (
	endings     = 4000 * 365 * 24 * 3600
	mostEarlier = time.Hour
)

// mark chooses the end of a trust that is to be lent.
func (r *Registry) mark() (time.Time, error) {
	from, seconds := firstEnd, int64(endings)
	if life := r.lending.Lifetime; life > 0 {
		earlier := min(mostEarlier, life/10)
		from, seconds = r.now().Add(life-earlier), int64(earlier/time.Second)+1
	}
	n, err := rand.Int(rand.Reader, big.NewInt(max(1, seconds/2)))
	if err != nil {
		return time.Time{}, err
	}
	first := from.Unix() + from.Unix()%2
	return time.Unix(first+2*n.Int64(), 0).UTC(), nil
}

// marks is how many ends are tried for a trust: a user may have another one of that second.
const marks = 10

// trust gets a trust to be lent, and the lending under which it is found again should this
// process die before it is kept. The error is transient if one may be got later.
func (r *Registry) trust(ctx context.Context, who *karbor.Identity) (d openstack.Delegation, lending string, err error) {
	for range marks {
		if d, lending, err = r.marked(ctx, who); err == nil || karbor.KindOf(err) != karbor.Conflict {
			return d, lending, err
		}
	}
	return d, "", openstack.NoFurtherTrust(err)
}

// marked is trust with one end. The error is karbor.Conflict if that is taken.
func (r *Registry) marked(ctx context.Context, who *karbor.Identity) (d openstack.Delegation, lending string, err error) {
	end, err := r.mark()
	if err != nil {
		return d, "", err
	}
	if err := r.free(ctx, who, end); err != nil {
		return d, "", err
	}
	l := store.Lending{ID: karbor.NewID(), ProjectID: who.ProjectID, UserID: who.UserID, End: end}
	if err := r.store.BeginLending(ctx, l); err != nil {
		return d, "", err
	}
	d, err = r.authority.DelegateUntil(ctx, who, end)
	if kind := karbor.KindOf(err); err != nil && (kind == karbor.Forbidden || kind == karbor.Conflict) {
		// There is none, or one that is another lending's. Should this fail, it is found out later.
		_ = r.store.EndLending(ctx, l.ID, time.Time{})
	}
	if r.lending.Lifetime == 0 {
		d.ExpiresAt = time.Time{}
	}
	return d, l.ID, err
}

// free looks whether a user has another trust that ends at a time, which is karbor.Conflict. Who found
// a lending left by a process that died would give that trust back. It lists the trusts of all users, so
// it is left out where no trust is to be had, and where no two will ever meet.
func (r *Registry) free(ctx context.Context, who *karbor.Identity, end time.Time) error {
	if r.lending.Lifetime <= 0 || !who.CanDelegate {
		return nil
	}
	taken, err := r.authority.TrustsUntil(ctx, who.UserID, who.ProjectID, end)
	switch {
	case err != nil && karbor.KindOf(err) == karbor.Forbidden:
		// It is said to Karbor, and not to the user, for whom it would mean that they can't lend.
		return &karbor.Error{Kind: karbor.Unavailable, Cause: err, Message: "Keystone does not let Karbor list the trusts that it was given"}
	case err != nil:
		return err
	case len(taken) > 0:
		return karbor.Errorf(karbor.Conflict, "user %s has another trust that ends at %s", who.UserID, end)
	}
	return nil
}

// Reclaim gives a trust back, if there is one, that was made for a scheduled operation by a
// process that died before it was kept. The error is transient if it is to be tried again.
func (r *Registry) Reclaim(ctx context.Context, l store.Lending) error {
	found, err := r.authority.TrustsUntil(ctx, l.UserID, l.ProjectID, l.End)
	for _, d := range found {
		err = errors.Join(err, r.authority.Revoke(ctx, d))
	}
	if err == nil && len(found) > 0 {
		r.log.WarnContext(ctx, "a trust was given back that a process had left when it died", "user", l.UserID, "project", l.ProjectID)
	}
	return err
}

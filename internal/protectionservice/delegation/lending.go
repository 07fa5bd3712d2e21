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
// sooner. So each can be told from all others.
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
	n, err := rand.Int(rand.Reader, big.NewInt(seconds))
	if err != nil {
		return time.Time{}, err
	}
	return time.Unix(from.Unix()+n.Int64(), 0).UTC(), nil
}

// marks is how many ends are tried for a trust: a user may have another one of that second.
const marks = 10

// trust gets a trust to be lent, and the lending under which it is found again should this
// process die before it is kept.
func (r *Registry) trust(ctx context.Context, who *karbor.Identity) (d openstack.Delegation, lending string, err error) {
	for range marks {
		if d, lending, err = r.marked(ctx, who); err == nil || karbor.KindOf(err) != karbor.Conflict {
			break
		}
	}
	return d, lending, err
}

// marked is trust with one end. The error is karbor.Conflict if that is taken.
func (r *Registry) marked(ctx context.Context, who *karbor.Identity) (d openstack.Delegation, lending string, err error) {
	end, err := r.mark()
	if err != nil {
		return d, "", err
	}
	// Who found this lending left by a process that died would give that trust back.
	taken, err := r.authority.TrustsUntil(ctx, who.UserID, who.ProjectID, end)
	if err == nil && len(taken) > 0 {
		err = karbor.Errorf(karbor.Conflict, "user %s has another trust that ends at %s", who.UserID, end)
	}
	if err != nil {
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

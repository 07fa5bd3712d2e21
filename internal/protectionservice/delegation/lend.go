package delegation

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/internal/store"
)

// Lending says how users lend their rights to what runs by itself.
type Lending struct {
	// Lifetime is that of the trusts; 0 for no end. A trust can't be made to last longer
	// by who uses it, only be replaced by its user.
	Lifetime time.Duration
	// Withheld are the roles that are not lent, unless a user has no others.
	Withheld []string
}

// Lend gets a delegation from a user by which a scheduled operation of a project can act as
// them: a trust, or the application credential that they have registered. The error is
// karbor.Forbidden, and says what to do, where there is neither.
func (r *Registry) Lend(ctx context.Context, from *karbor.Identity, projectID, scheduledOperationID string) (store.Lent, error) {
	if projectID != from.ProjectID {
		return store.Lent{}, karbor.Errorf(karbor.Forbidden, "only people of the project itself can have it act as them")
	}
	who := *from
	if roles := slices.DeleteFunc(slices.Clone(who.Roles), r.withheld); len(roles) > 0 {
		who.Roles = roles
	}
	d, lending, err := r.trust(ctx, &who)
	if karbor.KindOf(err) == karbor.Forbidden && err != nil {
		// No trust was made that could be left, and so nothing is kept to find one.
		lending = ""
		d, err = r.registered(ctx, &who, err)
	}
	if err != nil {
		return store.Lent{}, err
	}
	lent := store.Lent{Sealed: r.seal.seal(lentPurpose(scheduledOperationID), d.Encode()), Kind: karbor.DelegationTrust, End: d.ExpiresAt, Lending: lending}
	if d.TrustID == "" {
		lent.Kind = karbor.DelegationCredential
	}
	return lent, nil
}

// withheld reports whether a role is not lent. Keystone tells no roles apart by case.
func (r *Registry) withheld(role string) bool {
	return slices.ContainsFunc(r.lending.Withheld, func(w string) bool { return strings.EqualFold(w, role) })
}

// lentPurpose binds a sealed delegation to the scheduled operation that it is lent to.
func lentPurpose(scheduledOperationID string) string { return "schedule/" + scheduledOperationID }

func (r *Registry) lent(scheduledOperationID string, sealed []byte) (openstack.Delegation, error) {
	text, err := r.seal.open(lentPurpose(scheduledOperationID), sealed)
	if err != nil {
		return openstack.Delegation{}, err
	}
	return openstack.DecodeDelegation(text)
}

// Borrowed is who has lent a delegation to a scheduled operation, with a session that acts
// as them.
type Borrowed struct {
	Identity   *karbor.Identity
	Cloud      karbor.Cloud
	Delegation openstack.Delegation
}

// Borrow gives who lent a delegation to a scheduled operation, with a session that
// acts as them. The error is karbor.Unauthorized if the delegation has ended.
func (r *Registry) Borrow(ctx context.Context, scheduledOperationID string, sealed []byte) (Borrowed, error) {
	d, err := r.lent(scheduledOperationID, sealed)
	if err != nil {
		return Borrowed{}, err
	}
	cloud, err := r.authority.Resume(ctx, d)
	if err != nil {
		return Borrowed{}, err
	}
	return Borrowed{Identity: &karbor.Identity{UserID: d.UserID, ProjectID: d.ProjectID}, Cloud: cloud, Delegation: d}, nil
}

// ProbeLent finds out whether a delegation still works: it gets a new token by it. The
// error is karbor.Unauthorized if it does not, and transient if that can't be told.
func (r *Registry) ProbeLent(ctx context.Context, scheduledOperationID string, sealed []byte) error {
	d, err := r.lent(scheduledOperationID, sealed)
	if err != nil {
		return err
	}
	return r.authority.Probe(ctx, d)
}

// ReturnLent gives a delegation back to who lent it. The error is transient if it is to
// be tried again.
func (r *Registry) ReturnLent(ctx context.Context, scheduledOperationID string, sealed []byte) error {
	d, err := r.lent(scheduledOperationID, sealed)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, revokeTimeout)
	defer cancel()
	return r.authority.Revoke(ctx, d)
}

package protectionservice

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/internal/store"
)

// ScheduledBy is the value of CreatedBy of what a schedule asked for.
const ScheduledBy = "operation-engine"

// Lending says how users lend their rights to what runs by itself.
type Lending struct {
	// Lifetime is that of the trusts; 0 for no end. A trust can't be made to last longer
	// by who uses it, only be replaced by its user.
	Lifetime time.Duration
	// Withheld are the roles that are not lent, unless a user has no others.
	Withheld []string
}

// ScheduledRun says which run of a scheduled operation a Caller acts for. The
// operation that is accepted then begins the run, and has its id.
type ScheduledRun struct {
	Claim                           store.RunClaim
	ScheduledOperationID, TriggerID string
}

// scheduledInfo gives the members of extra information that tell of a run.
func (r *ScheduledRun) scheduledInfo() map[string]json.RawMessage {
	text := func(s string) json.RawMessage {
		raw, _ := json.Marshal(s) // a text always encodes
		return raw
	}
	return map[string]json.RawMessage{
		CreatedBy: text(ScheduledBy), "trigger_id": text(r.TriggerID), "scheduled_operation_id": text(r.ScheduledOperationID),
	}
}

// begin makes an acceptance that of the run.
func (r *ScheduledRun) begin(a *acceptance) {
	a.Run = &r.Claim
	a.Operation.ID, a.Log.ID = r.Claim.RunID, r.Claim.RunID
	a.Log.ScheduledOperationID = r.ScheduledOperationID
}

// Lend gets a delegation from the caller by which a scheduled operation can act as
// them: a trust, or the application credential that they have registered. The error is
// karbor.Forbidden, and says what to do, where there is neither.
func (s *Service) Lend(ctx context.Context, c Caller, scheduledOperationID string) (store.Lent, error) {
	if c.crosses() {
		return store.Lent{}, karbor.Errorf(karbor.Forbidden, "only people of the project itself can have it act as them")
	}
	who := *c.Identity
	if roles := slices.DeleteFunc(slices.Clone(who.Roles), func(r string) bool { return s.withheld(r) }); len(roles) > 0 {
		who.Roles = roles
	}
	d, err := s.delegateFor(ctx, &who, s.lending.Lifetime)
	if err != nil {
		return store.Lent{}, err
	}
	lent := store.Lent{Sealed: s.seal.seal(lentPurpose(scheduledOperationID), d.Encode()), Kind: karbor.DelegationTrust, End: d.ExpiresAt}
	if d.TrustID == "" {
		lent.Kind = karbor.DelegationCredential
	}
	return lent, nil
}

// withheld reports whether a role is not lent. Keystone tells no roles apart by case.
func (s *Service) withheld(role string) bool {
	return slices.ContainsFunc(s.lending.Withheld, func(w string) bool { return strings.EqualFold(w, role) })
}

// lentPurpose binds a sealed delegation to the scheduled operation that it is lent to.
func lentPurpose(scheduledOperationID string) string { return "schedule/" + scheduledOperationID }

func (s *Service) lent(scheduledOperationID string, sealed []byte) (openstack.Delegation, error) {
	text, err := s.seal.open(lentPurpose(scheduledOperationID), sealed)
	if err != nil {
		return openstack.Delegation{}, err
	}
	return openstack.DecodeDelegation(text)
}

// Borrow gives who lent a delegation to a scheduled operation, with a session that
// acts as them. The error is karbor.Unauthorized if the delegation has ended.
func (s *Service) Borrow(ctx context.Context, scheduledOperationID string, sealed []byte) (Caller, error) {
	d, err := s.lent(scheduledOperationID, sealed)
	if err != nil {
		return Caller{}, err
	}
	cloud, err := s.authority.Resume(ctx, d)
	if err != nil {
		return Caller{}, err
	}
	return Caller{Identity: &karbor.Identity{UserID: d.UserID, ProjectID: d.ProjectID}, Cloud: cloud, lent: &d}, nil
}

// ProbeLent finds out whether a delegation still works: it gets a new token by it. The
// error is karbor.Unauthorized if it does not, and transient if that can't be told.
func (s *Service) ProbeLent(ctx context.Context, scheduledOperationID string, sealed []byte) error {
	d, err := s.lent(scheduledOperationID, sealed)
	if err != nil {
		return err
	}
	return s.authority.Probe(ctx, d)
}

// ReturnLent gives a delegation back to who lent it. The error is transient if it is to
// be tried again.
func (s *Service) ReturnLent(ctx context.Context, scheduledOperationID string, sealed []byte) error {
	d, err := s.lent(scheduledOperationID, sealed)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, revokeTimeout)
	defer cancel()
	return s.authority.Revoke(ctx, d)
}

package openstack

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/karbor/karbor"
)

// Delegation lets Karbor act for a user in a project without the user's token:
// through a Keystone trust, or through an application credential that the user has
// registered. Exactly one of TrustID and ApplicationCredentialID is set.
type Delegation struct {
	TrustID                 string
	ApplicationCredentialID string
	// Secret is the application credential's.
	Secret    karbor.Secret
	ProjectID string
	UserID    string
	// ExpiresAt is zero for one that does not end by itself.
	ExpiresAt time.Time
}

type delegationDocument struct {
	TrustID                 string     `json:"trust_id,omitempty"`
	ApplicationCredentialID string     `json:"application_credential_id,omitempty"`
	Secret                  string     `json:"secret,omitempty"`
	ProjectID               string     `json:"project_id"`
	UserID                  string     `json:"user_id"`
	ExpiresAt               *time.Time `json:"expires_at,omitempty"`
}

// Encode gives the delegation as JSON. It holds the secret in clear: seal it
// before it is stored.
func (d Delegation) Encode() []byte {
	doc := delegationDocument{
		TrustID: d.TrustID, ApplicationCredentialID: d.ApplicationCredentialID,
		Secret: d.Secret.Reveal(), ProjectID: d.ProjectID, UserID: d.UserID,
	}
	if !d.ExpiresAt.IsZero() {
		doc.ExpiresAt = &d.ExpiresAt
	}
	// Strings and a time of our own making always encode.
	text, _ := json.Marshal(doc)
	return text
}

// DecodeDelegation reads what Encode wrote. Its errors do not repeat the text.
func DecodeDelegation(text []byte) (Delegation, error) {
	var doc delegationDocument
	if json.Unmarshal(text, &doc) != nil {
		return Delegation{}, karbor.Errorf(karbor.Internal, "a delegation can't be read")
	}
	d := Delegation{
		TrustID: doc.TrustID, ApplicationCredentialID: doc.ApplicationCredentialID,
		Secret: karbor.Secret(doc.Secret), ProjectID: doc.ProjectID, UserID: doc.UserID,
	}
	if doc.ExpiresAt != nil {
		d.ExpiresAt = *doc.ExpiresAt
	}
	return d, d.check()
}

func (d Delegation) check() error {
	if (d.TrustID == "") == (d.ApplicationCredentialID == "") {
		return karbor.Errorf(karbor.Internal, "a delegation is neither a trust nor an application credential")
	}
	if d.ProjectID == "" || d.UserID == "" {
		return karbor.Errorf(karbor.Internal, "a delegation names no user or no project")
	}
	return nil
}

// refusedTrust is what a tenant can do when Keystone gives no trust.
const refusedTrust = "Keystone gives no trust to this token; use a token got with a password, or register an application credential with Karbor"

// A trust ends at a second of its own: Keystone takes no two of one user for one trustee
// and project that end in the same second, even if one of them has been given back. So
// ends are spread over a share of the lifetime behind it, and tried again elsewhere. They are
// odd seconds: even ones are for what a caller marks by its end, to find it again by TrustsUntil.
const (
	spreadShare = 10
	mostSpread  = time.Hour
	leastSpread = time.Minute
	delegations = 24 // tries; with 1,000 trusts in an hour, one in a million fails
)

// Delegate makes a trust by which Karbor's service user may act for the caller in
// the caller's project, with the caller's roles, for lifetime and up to a tenth of it, an
// hour at most, a minute at least; 0 stands for no end. It ends at an odd second.
// The error is karbor.Forbidden when Keystone gives no trust to such a token; it
// says what to do instead.
func (a *Authority) Delegate(ctx context.Context, identity *karbor.Identity, lifetime time.Duration) (d Delegation, err error) {
	if lifetime <= 0 {
		return a.DelegateUntil(ctx, identity, time.Time{})
	}
	spread := min(max(lifetime/spreadShare, leastSpread), mostSpread)
	for range delegations {
		end := a.site.now().Add(lifetime).Add(rand.N(spread)) //nolint:gosec // nothing depends on its being guessed
		end = time.Unix(end.Unix()|1, 0)
		if d, err = a.DelegateUntil(ctx, identity, end); karbor.KindOf(err) != karbor.Conflict {
			return d, err
		}
	}
	return d, NoFurtherTrust(err)
}

// NoFurtherTrust says, as a transient error, what to do where each end that was tried for a trust is
// taken by another; err is that of the last.
func NoFurtherTrust(err error) error {
	return &karbor.Error{Kind: karbor.Unavailable, Transient: true, Cause: err,
		Message: "Keystone gives no further trust for now, as too many of your operations began at once: try again in a minute"}
}

// DelegateUntil is Delegate with the end of the trust, in whole seconds; the zero time
// stands for none. The error is karbor.Conflict if the caller has, or has had, another trust
// for the project that ends in that second.
func (a *Authority) DelegateUntil(ctx context.Context, identity *karbor.Identity, end time.Time) (Delegation, error) {
	if !identity.CanDelegate {
		return Delegation{}, karbor.Errorf(karbor.Forbidden, refusedTrust)
	}
	own, err := a.service.grant(ctx)
	if err != nil {
		return Delegation{}, explain(err, "making a trust")
	}
	roles := make([]map[string]string, 0, len(identity.Roles))
	for _, r := range identity.Roles {
		roles = append(roles, map[string]string{"name": r})
	}
	trust := map[string]any{
		"trustor_user_id": identity.UserID, "trustee_user_id": own.userID,
		"project_id": identity.ProjectID, "impersonation": true, "roles": roles,
	}
	d := Delegation{ProjectID: identity.ProjectID, UserID: identity.UserID}
	if !end.IsZero() {
		d.ExpiresAt = end.UTC().Truncate(time.Second)
		trust["expires_at"] = d.ExpiresAt.Format("2006-01-02T15:04:05.000000Z")
	}
	var out struct {
		Trust named `json:"trust"`
	}
	_, err = a.site.call(ctx, http.MethodPost, "/OS-TRUST/trusts", identity.Token, nil,
		map[string]any{"trust": trust}, &out, http.StatusCreated)
	switch karbor.KindOf(err) {
	case karbor.Forbidden, karbor.Invalid, karbor.NotFound:
		return Delegation{}, &karbor.Error{Kind: karbor.Forbidden, Message: refusedTrust, Cause: err}
	}
	if err != nil {
		return Delegation{}, explain(err, "making a trust")
	}
	if out.Trust.ID == "" {
		return Delegation{}, karbor.Errorf(karbor.Unavailable, "making a trust: Keystone's answer holds none")
	}
	d.TrustID = out.Trust.ID
	return d, nil
}

// Resume opens a session through a delegation. It gets a token at once, or goes on
// with the one that an earlier session of this delegation got, and a new one
// whenever that ends. The error is karbor.Unauthorized if the delegation has ended
// or was revoked.
func (a *Authority) Resume(ctx context.Context, d Delegation) (karbor.Cloud, error) {
	s, err := a.delegated(d, nil)
	if err != nil {
		return nil, err
	}
	if _, err := s.grant(ctx); err != nil {
		return nil, explain(err, "opening a session through the delegation")
	}
	return s, nil
}

// Prefer gives a session that uses the tenant's own token as long as it is valid,
// and goes on through the delegation when it ends. A delegation of another user or
// project than the identity's is left out: the session then ends with the token.
func (a *Authority) Prefer(d Delegation, identity *karbor.Identity) karbor.Cloud {
	if d.UserID != identity.UserID || d.ProjectID != identity.ProjectID {
		return a.Session(identity)
	}
	s, err := a.delegated(d, grantOf(identity))
	if err != nil {
		return a.Session(identity)
	}
	return s
}

// delegated makes the session of a delegation, with a first token of the user's own
// if there is one.
func (a *Authority) delegated(d Delegation, first *grant) (*session, error) {
	if err := d.check(); err != nil {
		return nil, err
	}
	tokens := a.grantsOf(d)
	if first != nil {
		// The tenant's token is this session's alone; what comes after it is shared.
		shared := tokens
		tokens = newGrants(first, shared.fresh(a.site.now))
		tokens.shared = shared
	}
	return newSession(a.site, d.UserID, d.ProjectID, tokens), nil
}

// fresh gives the shared token while it lasts, else a new one.
func (g *grants) fresh(now func() time.Time) func(context.Context) (*grant, error) {
	var last *grant
	return func(ctx context.Context) (*grant, error) {
		held := g.held()
		// Being asked again for the same one means that it was refused.
		if held != nil && held != last && held.left(now(), tokenMargin) {
			last = held
			return held, nil
		}
		next, err := g.renew(ctx, held)
		last = next
		return next, err
	}
}

func (a *Authority) grantsOf(d Delegation) *grants {
	key := fingerprintOf(karbor.Secret(d.Encode()))
	return a.grants.getOrPut(key, a.site.now().Add(24*time.Hour), func() *grants {
		return newGrants(nil, func(ctx context.Context) (*grant, error) { return a.issueFor(ctx, d) })
	})
}

// issueFor gets a token for a delegation and makes sure that it is the one meant.
func (a *Authority) issueFor(ctx context.Context, d Delegation) (*grant, error) {
	var g *grant
	var err error
	if d.TrustID != "" {
		g, err = a.trustToken(ctx, d.TrustID)
	} else {
		g, err = a.site.issue(ctx, applicationCredentialAuth(d.ApplicationCredentialID, d.Secret))
	}
	switch karbor.KindOf(err) {
	case karbor.Unauthorized, karbor.NotFound:
		return nil, &karbor.Error{Kind: karbor.Unauthorized, Message: "the delegation has ended, or was revoked", Cause: err}
	case karbor.Forbidden:
		// The trust is there, and may be of use again.
		return nil, &karbor.Error{Kind: karbor.Unauthorized, Cause: err,
			Message: "Keystone refuses the delegation, as its user is disabled or has lost a role that was lent"}
	}
	if err != nil {
		return nil, err
	}
	if g.projectID != d.ProjectID || g.userID != d.UserID {
		return nil, karbor.Errorf(karbor.Forbidden, "the delegation belongs to another user or project")
	}
	return g, nil
}

// trustToken gets a token for a trust. It is got with the password: one got with
// the service user's token would end with that.
func (a *Authority) trustToken(ctx context.Context, id string) (*grant, error) {
	g, err := a.site.issue(ctx, a.user.auth(trustScope(id)))
	if karbor.KindOf(err) != karbor.Unauthorized || err == nil {
		return g, err
	}
	// Keystone says the same of a dead trust and of a wrong password. If it is the
	// password, this says so, and the trust may be well.
	if _, wrong := a.service.grants.issuer(ctx); wrong != nil {
		return nil, wrong
	}
	return nil, err
}

// Revoke deletes a trust, and forgets the tokens got through it. One that is gone
// already, or has ended, is no error. An application credential stays: it is the
// user's own.
func (a *Authority) Revoke(ctx context.Context, d Delegation) error {
	if err := d.check(); err != nil {
		return err
	}
	shared := a.grantsOf(d)
	defer a.grants.remove(fingerprintOf(karbor.Secret(d.Encode())))
	if d.TrustID == "" {
		return nil
	}
	// Only the trustor may delete a trust. A token of the trust counts as the
	// trustor's.
	g, err := shared.current(ctx)
	for range 2 {
		if err != nil {
			break
		}
		if _, err = a.site.call(ctx, http.MethodDelete, "/OS-TRUST/trusts/"+d.TrustID, g.token, nil, nil, nil, http.StatusNoContent); karbor.KindOf(err) != karbor.Unauthorized {
			break
		}
		g, err = shared.renew(ctx, g)
	}
	switch karbor.KindOf(err) {
	case karbor.NotFound, karbor.Unauthorized:
		return nil
	}
	return explain(err, "deleting a trust")
}

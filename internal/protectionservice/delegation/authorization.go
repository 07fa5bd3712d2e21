package delegation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/internal/store"
)

// authorization is what lets an operation go on as the tenant when the request is
// long over. It is stored sealed, and erased when the operation ends.
type authorization struct {
	// Delegation is for the tenant's own cloud.
	Delegation json.RawMessage `json:"delegation,omitempty"`
	// Lent says that the delegation is a scheduled operation's, and stays.
	Lent bool `json:"lent,omitempty"`
	// Target is for a restore into another cloud.
	Target *targetDocument `json:"target,omitempty"`
}

// Target is another cloud, and who to be there.
type Target struct {
	// URL is the address of its Keystone.
	URL  string
	Auth openstack.PasswordAuth
}

// LogIn gives a session in another cloud, in a region that has services. An operation that was
// let in there goes on by Session, whatever that cloud says of its regions by then.
func (r *Registry) LogIn(ctx context.Context, t Target) (karbor.Cloud, error) {
	cloud, err := r.authority.Password(ctx, t.URL, t.Auth)
	if err != nil || t.Auth.Region == "" {
		return cloud, err
	}
	if err := openstack.InRegion(ctx, cloud); err != nil {
		return nil, err
	}
	return cloud, nil
}

// targetDocument is Target as it is sealed: it holds the password in clear.
type targetDocument struct {
	URL           string `json:"url"`
	Username      string `json:"username,omitempty"`
	UserID        string `json:"user_id,omitempty"`
	Password      string `json:"password"`
	UserDomain    string `json:"user_domain,omitempty"`
	Project       string `json:"project,omitempty"`
	ProjectID     string `json:"project_id,omitempty"`
	ProjectDomain string `json:"project_domain,omitempty"`
	Region        string `json:"region,omitempty"`
	// Of an application credential.
	CredentialID     string `json:"credential_id,omitempty"`
	CredentialSecret string `json:"credential_secret,omitempty"`
}

func (t Target) document() *targetDocument {
	a := t.Auth
	return &targetDocument{
		URL: t.URL, Username: a.Username, UserID: a.UserID, Password: a.Password.Reveal(), UserDomain: a.UserDomain,
		Project: a.Project, ProjectID: a.ProjectID, ProjectDomain: a.ProjectDomain, Region: a.Region,
		CredentialID: a.CredentialID, CredentialSecret: a.CredentialSecret.Reveal(),
	}
}

func (d *targetDocument) auth() openstack.PasswordAuth {
	return openstack.PasswordAuth{
		Username: d.Username, UserID: d.UserID, Password: karbor.Secret(d.Password), UserDomain: d.UserDomain,
		Project: d.Project, ProjectID: d.ProjectID, ProjectDomain: d.ProjectDomain, Region: d.Region,
		CredentialID: d.CredentialID, CredentialSecret: karbor.Secret(d.CredentialSecret),
	}
}

// Grant is who lets an operation act as them, and how.
type Grant struct {
	// Identity is who asks, and Cloud a session that acts as them.
	Identity *karbor.Identity
	Cloud    karbor.Cloud
	// Borrowed is the delegation that they act through, which stays theirs, or nil.
	Borrowed *openstack.Delegation
	// Target is another cloud that the operation acts in, or nil.
	Target *Target
}

// Authorize gets what op needs to act as who grants it, and seals it into op. What it gives
// is for Withdraw, should op not be accepted; it is nil where nothing was asked of Keystone.
func (r *Registry) Authorize(ctx context.Context, g Grant, op *store.Operation) (*openstack.Delegation, error) {
	var auth authorization
	var granted *openstack.Delegation
	switch {
	case g.Target != nil:
		auth.Target = g.Target.document()
	case g.Borrowed != nil:
		auth.Delegation, auth.Lent = g.Borrowed.Encode(), true
		r.keepSession(op.ID, g.Cloud)
	default:
		d, err := r.delegate(ctx, g.Identity)
		if err != nil {
			return nil, err
		}
		granted = &d
		auth.Delegation = d.Encode()
		r.keepSession(op.ID, r.authority.Prefer(d, g.Identity))
	}
	text, err := json.Marshal(auth)
	if err != nil {
		return nil, fmt.Errorf("encoding the authorization: %w", err)
	}
	op.Delegation = r.seal.seal(op.ID, text)
	return granted, nil
}

// Withdraw takes back what Authorize got, for an operation that is not accepted.
func (r *Registry) Withdraw(ctx context.Context, operation string, d *openstack.Delegation) {
	r.Drop(operation)
	if d != nil {
		r.revoke(ctx, *d)
	}
}

const revokeTimeout = 10 * time.Second

// revoke gives a delegation back. It ends by itself, so failing is no harm.
func (r *Registry) revoke(ctx context.Context, d openstack.Delegation) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), revokeTimeout)
	defer cancel()
	if err := r.authority.Revoke(ctx, d); err != nil {
		r.log.WarnContext(ctx, "a delegation could not be revoked; it ends by itself", "expires", d.ExpiresAt, "error", err)
	}
}

func (r *Registry) authorization(op store.Operation) (authorization, error) {
	var auth authorization
	text, err := r.seal.open(op.ID, op.Delegation)
	if err != nil {
		return auth, err
	}
	if err := json.Unmarshal(text, &auth); err != nil {
		return auth, fmt.Errorf("reading the authorization of operation %s: %w", op.ID, err)
	}
	return auth, nil
}

// Elsewhere reports whether an operation was let into another cloud.
func (r *Registry) Elsewhere(op store.Operation) (bool, error) {
	if op.Delegation == nil {
		return false, nil
	}
	auth, err := r.authorization(op)
	return auth.Target != nil, err
}

// Renew gives an operation that is over a new delegation from a user, by which what it has
// left in the cloud can be removed, and has the old one revoked, unless a scheduled
// operation's was used.
func (r *Registry) Renew(ctx context.Context, who *karbor.Identity, op store.Operation) error {
	var old authorization
	var err error
	if op.Delegation != nil {
		if old, err = r.authorization(op); err != nil {
			return err
		}
	}
	d, err := r.delegate(ctx, who)
	if err != nil {
		return err
	}
	text, err := json.Marshal(authorization{Delegation: d.Encode()})
	if err == nil {
		err = r.store.RenewLeftovers(ctx, op.ID, r.seal.seal(op.ID, text))
	}
	if err != nil {
		r.Drop(op.ID)
		if !errors.Is(err, store.ErrUncertain) { // it may have been kept, and be needed
			r.revoke(ctx, d)
		}
		return fmt.Errorf("keeping the delegation of operation %s: %w", op.ID, err)
	}
	r.Drop(op.ID)
	if old.Lent || len(old.Delegation) == 0 {
		return nil // a scheduled operation's stays
	}
	if previous, err := openstack.DecodeDelegation(old.Delegation); err == nil {
		r.revoke(ctx, previous)
	}
	return nil
}

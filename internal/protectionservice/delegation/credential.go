package delegation

import (
	"context"
	"fmt"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/internal/store"
)

// RegisterCredential keeps an application credential of a user's, sealed, for
// operations that Keystone gives no trust for: those asked for with a token of an
// application credential. It takes the place of an earlier one. One that does not
// log in as the user, in the user's project, is karbor.Invalid.
func (r *Registry) RegisterCredential(ctx context.Context, who *karbor.Identity, id string, secret karbor.Secret) (store.ApplicationCredential, error) {
	d := openstack.Delegation{
		ApplicationCredentialID: id, Secret: secret, ProjectID: who.ProjectID, UserID: who.UserID,
	}
	if _, err := r.authority.Resume(ctx, d); err != nil {
		if karbor.IsTransient(err) {
			return store.ApplicationCredential{}, err
		}
		return store.ApplicationCredential{}, &karbor.Error{
			Kind: karbor.Invalid, Cause: err,
			Message: "the application credential does not log in as you in this project: " + karbor.Sentence(err),
		}
	}
	kept := store.ApplicationCredential{
		ProjectID: d.ProjectID, UserID: d.UserID, ID: id, CreatedAt: r.now().UTC().Truncate(time.Microsecond),
		Sealed: r.seal.seal(credentialPurpose(d.ProjectID, d.UserID), d.Encode()),
	}
	return kept, r.store.PutApplicationCredential(ctx, kept)
}

// credentialPurpose binds a sealed credential to whom it belongs to.
func credentialPurpose(project, user string) string { return "credential/" + project + "/" + user }

// Credential tells which application credential a user has registered;
// karbor.NotFound if there is none.
func (r *Registry) Credential(ctx context.Context, who *karbor.Identity) (store.ApplicationCredential, error) {
	return r.store.ApplicationCredential(ctx, who.ProjectID, who.UserID)
}

// ForgetCredential removes a user's application credential. Operations that
// run keep what they were accepted with.
func (r *Registry) ForgetCredential(ctx context.Context, who *karbor.Identity) error {
	return r.store.DeleteApplicationCredential(ctx, who.ProjectID, who.UserID)
}

// delegate gets a delegation from a user: a trust, or, where Keystone gives
// none, the application credential that they have registered.
func (r *Registry) delegate(ctx context.Context, who *karbor.Identity) (openstack.Delegation, error) {
	d, err := r.authority.Delegate(ctx, who, r.lifetime)
	if karbor.KindOf(err) != karbor.Forbidden {
		return d, err
	}
	return r.registered(ctx, who, err)
}

// registered gives the application credential that a user has registered. Without one the
// error is the one that there is no trust.
func (r *Registry) registered(ctx context.Context, who *karbor.Identity, err error) (d openstack.Delegation, _ error) {
	kept, lookErr := r.store.ApplicationCredential(ctx, who.ProjectID, who.UserID)
	switch {
	case karbor.KindOf(lookErr) == karbor.NotFound:
		return d, err
	case lookErr != nil:
		return d, lookErr
	}
	text, openErr := r.seal.open(credentialPurpose(who.ProjectID, who.UserID), kept.Sealed)
	if openErr != nil {
		return d, fmt.Errorf("reading the application credential of user %s: %w", who.UserID, openErr)
	}
	d, err = openstack.DecodeDelegation(text)
	if err != nil {
		return d, err
	}
	// One that was deleted in Keystone is told now, and not in mid-operation.
	if _, err := r.authority.Resume(ctx, d); err != nil {
		if karbor.IsTransient(err) {
			return d, err
		}
		return d, &karbor.Error{
			Kind: karbor.Forbidden, Cause: err,
			Message: "Keystone gives no trust to this token, and the application credential that you have registered no longer works; register another one",
		}
	}
	return d, nil
}

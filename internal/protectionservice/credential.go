package protectionservice

import (
	"context"
	"fmt"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/internal/store"
)

// RegisterCredential keeps an application credential of the caller's, sealed, for
// operations that Keystone gives no trust for: those asked for with a token of an
// application credential. It takes the place of an earlier one. One that does not
// log in as the caller, in the caller's project, is karbor.Invalid.
func (s *Service) RegisterCredential(ctx context.Context, c Caller, id string, secret karbor.Secret) (store.ApplicationCredential, error) {
	d := openstack.Delegation{
		ApplicationCredentialID: id, Secret: secret, ProjectID: c.Identity.ProjectID, UserID: c.Identity.UserID,
	}
	if _, err := s.authority.Resume(ctx, d); err != nil {
		if karbor.IsTransient(err) {
			return store.ApplicationCredential{}, err
		}
		return store.ApplicationCredential{}, &karbor.Error{
			Kind: karbor.Invalid, Cause: err,
			Message: "the application credential does not log in as you in this project: " + karbor.Sentence(err),
		}
	}
	kept := store.ApplicationCredential{
		ProjectID: d.ProjectID, UserID: d.UserID, ID: id, CreatedAt: s.now().UTC().Truncate(time.Microsecond),
		Sealed: s.seal.seal(credentialPurpose(d.ProjectID, d.UserID), d.Encode()),
	}
	return kept, s.store.PutApplicationCredential(ctx, kept)
}

// credentialPurpose binds a sealed credential to whom it belongs to.
func credentialPurpose(project, user string) string { return "credential/" + project + "/" + user }

// Credential tells which application credential the caller has registered;
// karbor.NotFound if there is none.
func (s *Service) Credential(ctx context.Context, c Caller) (store.ApplicationCredential, error) {
	return s.store.ApplicationCredential(ctx, c.Identity.ProjectID, c.Identity.UserID)
}

// ForgetCredential removes the caller's application credential. Operations that
// run keep what they were accepted with.
func (s *Service) ForgetCredential(ctx context.Context, c Caller) error {
	return s.store.DeleteApplicationCredential(ctx, c.Identity.ProjectID, c.Identity.UserID)
}

// delegate gets a delegation from the caller: a trust, or, where Keystone gives
// none, the application credential that the caller has registered.
func (s *Service) delegate(ctx context.Context, who *karbor.Identity) (openstack.Delegation, error) {
	return s.delegateFor(ctx, who, s.lifetime)
}

// delegateFor is delegate with a lifetime of the trust.
func (s *Service) delegateFor(ctx context.Context, who *karbor.Identity, lifetime time.Duration) (openstack.Delegation, error) {
	d, err := s.authority.Delegate(ctx, who, lifetime)
	if karbor.KindOf(err) != karbor.Forbidden {
		return d, err
	}
	kept, lookErr := s.store.ApplicationCredential(ctx, who.ProjectID, who.UserID)
	switch {
	case karbor.KindOf(lookErr) == karbor.NotFound:
		return d, err
	case lookErr != nil:
		return d, lookErr
	}
	text, openErr := s.seal.open(credentialPurpose(who.ProjectID, who.UserID), kept.Sealed)
	if openErr != nil {
		return d, fmt.Errorf("reading the application credential of user %s: %w", who.UserID, openErr)
	}
	d, err = openstack.DecodeDelegation(text)
	if err != nil {
		return d, err
	}
	// One that was deleted in Keystone is told now, and not in mid-operation.
	if _, err := s.authority.Resume(ctx, d); err != nil {
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

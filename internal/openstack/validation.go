package openstack

import (
	"context"
	"slices"
	"time"

	"github.com/karbor/karbor"
)

// validation is what is remembered of a token: who it is, or that Keystone
// refused it.
type validation struct {
	identity *karbor.Identity
	refused  error
}

// Validate tells whose token it is. What Keystone said is believed for up to 300
// seconds, and never beyond the token's end; a refusal for 10 seconds. Callers with
// the same token at the same time share one request. The error is
// karbor.Unauthorized for a token that is not valid or belongs to no project, and a
// transient karbor.Unavailable while Keystone does not answer.
func (a *Authority) Validate(ctx context.Context, token karbor.Secret) (*karbor.Identity, error) {
	if !isHeaderSafe(token) {
		return nil, karbor.Errorf(karbor.Unauthorized, "the token is not valid")
	}
	return a.known(ctx, token, false)
}

// ValidateFor is Validate of a token that another service of the cloud hands on. That
// service proves itself with a token of its own that has one of the service roles;
// then a user's token that has ended meanwhile is still taken, for as long as
// Keystone knows it. A service token that is not good, or lacks the roles, is
// karbor.Unauthorized.
func (a *Authority) ValidateFor(ctx context.Context, token, service karbor.Secret) (*karbor.Identity, error) {
	who, err := a.Validate(ctx, service)
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(a.serviceRoles, who.HasRole) {
		return nil, karbor.Errorf(karbor.Unauthorized, "the service token has none of the service roles")
	}
	if !isHeaderSafe(token) {
		return nil, karbor.Errorf(karbor.Unauthorized, "the token is not valid")
	}
	id, err := a.known(ctx, token, true)
	if err != nil {
		return nil, err
	}
	id.FromService = true
	return id, nil
}

// known tells whose token it is, from memory or from Keystone. Tokens that may have
// ended are remembered apart: a service token is needed for each use.
func (a *Authority) known(ctx context.Context, token karbor.Secret, expired bool) (*karbor.Identity, error) {
	key := fingerprintOf(token)
	if expired {
		key = fingerprintOf("expired\n" + token)
	}
	if v, ok := a.tokens.get(key); ok {
		return v.answer(token)
	}
	id, err := a.flights.do(ctx, key, func(ctx context.Context) (*karbor.Identity, error) {
		return a.validate(ctx, key, token, expired)
	})
	return validation{id, err}.answer(token)
}

// answer gives the caller a copy of its own, with the token.
func (v validation) answer(token karbor.Secret) (*karbor.Identity, error) {
	if v.refused != nil {
		return nil, v.refused
	}
	id := *v.identity
	id.Roles = slices.Clone(id.Roles)
	id.AccessRules = slices.Clone(id.AccessRules)
	id.Token = token
	return &id, nil
}

func (a *Authority) validate(ctx context.Context, key fingerprint, token karbor.Secret, expired bool) (*karbor.Identity, error) {
	g, err := a.ask(ctx, token, expired)
	now := a.site.now()
	if karbor.KindOf(err) == karbor.NotFound || err == nil && !expired && !now.Before(g.expires) {
		err = karbor.Errorf(karbor.Unauthorized, "the token is not valid")
	} else if err == nil && g.projectID == "" {
		err = karbor.Errorf(karbor.Unauthorized, "the token belongs to no project")
	}
	switch {
	case karbor.KindOf(err) == karbor.Unauthorized && err != nil:
		a.tokens.put(key, validation{refused: err}, now.Add(refusalTTL))
		return nil, err
	case err != nil:
		return nil, err
	}
	// The cache keeps no token: its key is a digest, and the caller has it.
	id := &karbor.Identity{
		UserID: g.userID, UserName: g.userName,
		ProjectID: g.projectID, ProjectName: g.projectName,
		Roles: g.roles, ExpiresAt: g.expires, CanDelegate: !g.delegated, AccessRules: g.rules,
		OutsideAdminProject: g.outside,
	}
	until := now.Add(tokenTTL)
	if !expired {
		until = earlier(until, g.expires)
	}
	a.tokens.put(key, validation{identity: id}, until)
	return id, nil
}

// ask looks the token up as the service user, whose own token is renewed once if
// Keystone no longer takes it.
func (a *Authority) ask(ctx context.Context, token karbor.Secret, expired bool) (*grant, error) {
	own, err := a.service.grant(ctx)
	if err != nil {
		return nil, err
	}
	g, err := a.site.lookup(ctx, own.token, token, expired)
	if err != nil && karbor.KindOf(err) == karbor.Forbidden && !expired && a.site.useless(ctx, token) {
		return nil, karbor.Errorf(karbor.Unauthorized, "the token is not valid")
	}
	if karbor.KindOf(err) != karbor.Unauthorized {
		return g, notAsTenant(err)
	}
	if own, err = a.service.grants.renew(ctx, own); err != nil {
		return nil, err
	}
	g, err = a.site.lookup(ctx, own.token, token, expired)
	return g, notAsTenant(err)
}

// notAsTenant makes sure that what Keystone holds against the service user is not
// told to the tenant as a fault of the tenant's token.
func notAsTenant(err error) error {
	if err == nil {
		return nil
	}
	switch karbor.KindOf(err) {
	case karbor.Unauthorized, karbor.Forbidden, karbor.Invalid:
		return &karbor.Error{Kind: karbor.Unavailable, Message: "Keystone does not let Karbor's service user validate tokens", Cause: err}
	}
	return err
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

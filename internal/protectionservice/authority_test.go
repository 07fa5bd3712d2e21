package protectionservice_test

import (
	"context"
	"sync"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
)

// cloud is a session of nobody in particular.
type cloud struct{}

func (cloud) ProjectID() string { return projectID }
func (cloud) UserID() string    { return "u" }

// authority makes delegations without a Keystone, and counts them.
type authority struct {
	mu               sync.Mutex
	granted, revoked int
	// roles are those of the last delegation.
	roles        []string
	refuse, deaf error
	// as is the session of the operations; nil for one of nobody.
	as karbor.Cloud
	// meanwhile, if any, runs while a delegation is made.
	meanwhile func()
}

func (a *authority) Delegate(_ context.Context, who *karbor.Identity, _ time.Duration) (openstack.Delegation, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.roles = who.Roles
	if a.refuse != nil {
		return openstack.Delegation{}, a.refuse
	}
	a.granted++
	if a.meanwhile != nil {
		a.meanwhile()
	}
	return openstack.Delegation{TrustID: "t", ProjectID: projectID, UserID: "u"}, nil
}
func (a *authority) DelegateUntil(ctx context.Context, who *karbor.Identity, _ time.Time) (openstack.Delegation, error) {
	return a.Delegate(ctx, who, 0)
}
func (a *authority) TrustsUntil(context.Context, string, string, time.Time) ([]openstack.Delegation, error) {
	return nil, nil
}
func (a *authority) Resume(context.Context, openstack.Delegation) (karbor.Cloud, error) {
	return a.session(), nil
}
func (a *authority) session() karbor.Cloud {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.as != nil {
		return a.as
	}
	return cloud{}
}
func (a *authority) Probe(context.Context, openstack.Delegation) error          { return nil }
func (a *authority) Prefer(openstack.Delegation, *karbor.Identity) karbor.Cloud { return a.session() }
func (a *authority) Revoke(context.Context, openstack.Delegation) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.deaf != nil {
		return a.deaf
	}
	a.revoked++
	return nil
}
func (a *authority) Password(context.Context, string, openstack.PasswordAuth) (karbor.Cloud, error) {
	return cloud{}, nil
}

func (a *authority) lastRoles() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.roles
}

func (a *authority) counts() (granted, revoked int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.granted, a.revoked
}

func (a *authority) set(deaf error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.deaf = deaf
}

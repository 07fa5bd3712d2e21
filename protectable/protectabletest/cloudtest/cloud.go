// Package cloudtest gives tests a cloud (internal/testcloud) with sessions for
// its tenants, and makes resources in any cloud through a session.
package cloudtest

import (
	"context"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/internal/testcloud"
	"github.com/karbor/karbor/internal/testcloud/fabric"
)

// Cloud is a running test cloud, with Karbor's authority in it.
type Cloud struct {
	*testcloud.Cloud
	Authority *openstack.Authority

	t testing.TB
}

// Start starts a cloud that ends with the test.
func Start(t testing.TB) *Cloud {
	t.Helper()
	cloud, err := testcloud.Start(t.Context(), testcloud.Options{
		Dir: t.TempDir(), Now: time.Now, Timing: fabric.Timing{Change: -1},
	})
	if err != nil {
		t.Fatalf("starting the test cloud: %v", err)
	}
	t.Cleanup(func() {
		if err := cloud.Close(); err != nil {
			t.Errorf("closing the test cloud: %v", err)
		}
	})
	user, ok := cloud.User("karbor")
	if !ok {
		t.Fatal("the test cloud has no user karbor")
	}
	authority, err := openstack.NewAuthority(t.Context(), openstack.Options{
		AuthURL: cloud.URL(), Username: user.Name, Password: karbor.Secret(user.Password),
		Project: user.ProjectName, Now: time.Now,
	})
	if err != nil {
		t.Fatalf("making the authority: %v", err)
	}
	t.Cleanup(authority.Close)
	return &Cloud{Cloud: cloud, Authority: authority, t: t}
}

// Tenant makes a project of this name with one user who has the roles, and opens a
// session for that user. The project starts empty.
func (c *Cloud) Tenant(project string, roles ...string) karbor.Cloud {
	c.t.Helper()
	p, err := c.Keystone().AddProject(project)
	if err != nil {
		c.t.Fatalf("making project %s: %v", project, err)
	}
	user := project + "-user"
	if _, err := c.Keystone().AddUser(user, "secret", p.ID, roles...); err != nil {
		c.t.Fatalf("making user %s: %v", user, err)
	}
	return c.login(user, "secret", project)
}

// Session opens a session for one of the cloud's own users, such as "demo".
func (c *Cloud) Session(user string) karbor.Cloud {
	c.t.Helper()
	u, ok := c.User(user)
	if !ok {
		c.t.Fatalf("the test cloud has no user %s", user)
	}
	return c.login(u.Name, karbor.Secret(u.Password), u.ProjectName)
}

func (c *Cloud) login(user string, password karbor.Secret, project string) karbor.Cloud {
	c.t.Helper()
	session, err := c.Authority.Password(c.t.Context(), c.URL(), openstack.PasswordAuth{
		Username: user, Password: password, Project: project,
	})
	if err != nil {
		c.t.Fatalf("logging in as %s: %v", user, err)
	}
	return session
}

// wait polls until check is done, for up to two minutes.
func wait(t testing.TB, what string, check func(ctx context.Context) (bool, error)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if err := openstack.Poll(ctx, what, 500*time.Millisecond, check); err != nil {
		t.Fatal(err)
	}
}

package openstack

import (
	"context"
	"net/http"

	"github.com/karbor/karbor"
)

// PasswordAuth is how a tenant logs in to another cloud.
type PasswordAuth struct {
	// Username, or UserID, and Password. UserDomain is as in Options.
	Username   string
	UserID     string
	Password   karbor.Secret
	UserDomain string
	// Project is a name, or ProjectID an id. Without both it is the user's only
	// project.
	Project       string
	ProjectID     string
	ProjectDomain string
	// Region is the region of that cloud; empty takes the first.
	Region string
	// CredentialID and CredentialSecret are those of an application credential of that
	// cloud, which names its user and project itself. They stand instead of the rest but
	// for Region.
	CredentialID     string
	CredentialSecret karbor.Secret
}

// Password opens a session with the cloud of the Keystone at authURL, which may be
// another than Karbor's own. The password is kept in memory as long as the session
// is, to get new tokens. The error is karbor.Invalid if authURL is no URL or the
// project is not clear, karbor.Unauthorized if that Keystone refuses the password, and
// karbor.Forbidden if Options.Reach does not lead there.
//
// authURL comes from a tenant, and what lies behind it may be hostile: each request of
// the session, to whatever its catalogue names, goes only where Options.Reach says.
func (a *Authority) Password(ctx context.Context, authURL string, p PasswordAuth) (karbor.Cloud, error) {
	s, err := a.target(authURL, p.Region)
	if err != nil {
		return nil, err
	}
	var again func(project string) auth
	var body auth
	if p.CredentialID != "" {
		body = applicationCredentialAuth(p.CredentialID, p.CredentialSecret)
		again = func(string) auth { return body }
	} else {
		user := passwordUser{ID: p.UserID, Name: p.Username, Domain: p.UserDomain, Password: p.Password}
		if p.Project == "" && p.ProjectID == "" {
			if p.ProjectID, err = s.onlyProject(ctx, user); err != nil {
				return nil, explain(err, "logging in to the restore target")
			}
		}
		body = user.auth(projectScope(p.Project, p.ProjectID, p.ProjectDomain))
		again = func(project string) auth { return user.auth(projectScope("", project, "")) }
	}
	first, err := s.issue(ctx, body)
	if err != nil {
		return nil, explain(err, "logging in to the restore target")
	}
	if first.projectID == "" {
		return nil, karbor.Errorf(karbor.Unauthorized, "logging in to the restore target: the token belongs to no project")
	}
	next := func(ctx context.Context) (*grant, error) {
		g, err := s.issue(ctx, again(first.projectID))
		if err == nil && (g.userID != first.userID || g.projectID != first.projectID) {
			return nil, karbor.Errorf(karbor.Forbidden, "the restore target answers with another user or project than before")
		}
		return g, err
	}
	return newSession(s, first.userID, first.projectID, newGrants(first, next)), nil
}

// target gives the cloud of a Keystone.
func (a *Authority) target(authURL, region string) (*site, error) {
	t := a.abroad
	if t == nil {
		t = a.site.transport
	}
	s, err := newSite(authURL, t, Options{Region: region, Interface: "public", Now: a.site.now})
	if err != nil {
		return nil, err
	}
	if s.url == a.site.url {
		// The same cloud: reach it as the operator has set.
		own := *a.site
		if region != "" {
			own.region = region
		}
		return &own, nil
	}
	if a.abroad == nil {
		return nil, karbor.Errorf(karbor.Forbidden, "the operator of this service allows it to connect to no other cloud")
	}
	return s, nil
}

// onlyProject gives the id of the one project that a user has a role in.
func (s *site) onlyProject(ctx context.Context, user passwordUser) (string, error) {
	g, err := s.issue(ctx, user.auth(nil))
	if err != nil {
		return "", err
	}
	// A user with a default project gets a token for that.
	if g.projectID != "" {
		return g.projectID, nil
	}
	var out struct {
		Projects []named `json:"projects"`
	}
	if _, err = s.call(ctx, http.MethodGet, "/auth/projects", g.token, nil, nil, &out, http.StatusOK); err != nil {
		return "", err
	}
	if len(out.Projects) != 1 {
		return "", karbor.Errorf(karbor.Invalid, "the user has %d projects there: name one", len(out.Projects))
	}
	return out.Projects[0].ID, nil
}

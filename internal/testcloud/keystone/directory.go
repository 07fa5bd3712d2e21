package keystone

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/karbor/karbor/internal/testcloud/fabric"
)

// DefaultDomain is the id of the only domain.
const DefaultDomain = "default"

// Domain is a domain.
type Domain struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	Description string `json:"description"`
	Enabled     bool   `json:"enabled"`
}

// Project is a project.
type Project struct {
	ID          string   `json:"id"`
	Name        string   `json:"name"`
	DomainID    string   `json:"domain_id"`
	ParentID    string   `json:"parent_id"`
	Description string   `json:"description"`
	Enabled     bool     `json:"enabled"`
	IsDomain    bool     `json:"is_domain"`
	Tags        []string `json:"tags"`
	Options     struct{} `json:"options"`
}

// User is a user as it is kept. The password is plain: this is a test double.
type User struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	DomainID  string `json:"domain_id"`
	Enabled   bool   `json:"enabled"`
	Password  string `json:"password"`
	ProjectID string `json:"project_id"` // the one that its openrc names
}

// Role is a role.
type Role struct {
	ID       string   `json:"id"`
	Name     string   `json:"name"`
	DomainID *string  `json:"domain_id"`
	Descr    string   `json:"description"`
	Options  struct{} `json:"options"`
}

// Grant gives a user a role on a project.
type Grant struct {
	UserID    string `json:"user_id"`
	ProjectID string `json:"project_id"`
	RoleID    string `json:"role_id"`
}

func (g Grant) key() string { return g.UserID + "." + g.ProjectID + "." + g.RoleID }

// AddProject makes a project. A second one of the same name is a 409.
func (k *Keystone) AddProject(name string) (Project, error) {
	var p Project
	err := k.fab.Atomic(func() error {
		if _, ok := k.projectNamed(name); ok {
			return fabric.Conflict("Conflict occurred attempting to store project - it is not permitted to have two projects with the same name in the same domain : %s.", name)
		}
		p = Project{ID: newID(), Name: name, DomainID: DefaultDomain, ParentID: DefaultDomain, Enabled: true, Tags: []string{}}
		k.projects.Put(p.ID, p)
		return nil
	})
	return p, err
}

// AddUser makes a user whose openrc names the project, with roles on it (by
// name). A second one of the same name is a 409; an empty password is replaced
// by a random one.
func (k *Keystone) AddUser(name, password, projectID string, roles ...string) (User, error) {
	var u User
	if password == "" {
		password = newID()
	}
	err := k.fab.Atomic(func() error {
		if _, ok := k.userNamed(name); ok {
			return fabric.Conflict("Conflict occurred attempting to store user - Duplicate entry found with name %s at domain ID default.", name)
		}
		u = User{ID: newID(), Name: name, DomainID: DefaultDomain, Enabled: true, Password: password, ProjectID: projectID}
		k.users.Put(u.ID, u)
		return nil
	})
	if err != nil {
		return User{}, err
	}
	for _, role := range roles {
		if err := k.Grant(u.ID, projectID, role); err != nil {
			return User{}, err
		}
	}
	return u, nil
}

// Grant gives a user a role (by name or id) on a project.
func (k *Keystone) Grant(userID, projectID, role string) error {
	found, ok := k.role(role)
	if !ok {
		return missing("role", role)
	}
	g := Grant{UserID: userID, ProjectID: projectID, RoleID: found.ID}
	k.grants.Put(g.key(), g)
	return nil
}

// Revoke takes a role (by name or id) on a project from a user, and so from the
// tokens that have it. Trusts that need it are of no use meanwhile.
func (k *Keystone) Revoke(userID, projectID, role string) error {
	found, ok := k.role(role)
	if !ok || !k.grants.Delete(Grant{UserID: userID, ProjectID: projectID, RoleID: found.ID}.key()) {
		return missing("role", role)
	}
	return nil
}

// Users gives all users, with their passwords.
func (k *Keystone) Users() []User { return k.users.List(nil) }

// Project gives the project of that id.
func (k *Keystone) Project(id string) (Project, bool) { return k.projects.Get(id) }

// ProjectNamed gives the project of that name.
func (k *Keystone) ProjectNamed(name string) (Project, bool) { return k.projectNamed(name) }

func (k *Keystone) projectNamed(name string) (Project, bool) {
	return first(k.projects, func(p Project) bool { return p.Name == name })
}

func (k *Keystone) userNamed(name string) (User, bool) {
	return first(k.users, func(u User) bool { return u.Name == name })
}

// role finds a role by id or name.
func (k *Keystone) role(ref string) (Role, bool) {
	return first(k.roles, func(r Role) bool { return r.ID == ref || r.Name == ref })
}

// rolesOf gives the roles that a user has on a project.
func (k *Keystone) rolesOf(userID, projectID string) []Role {
	var roles []Role
	for _, g := range k.grants.List(nil) {
		if g.UserID == userID && g.ProjectID == projectID {
			if r, ok := k.roles.Get(g.RoleID); ok {
				roles = append(roles, r)
			}
		}
	}
	return roles
}

// projectsOf gives the projects on which a user has a role.
func (k *Keystone) projectsOf(userID string) []Project {
	grants := k.grants.List(func(g Grant) bool { return g.UserID == userID })
	return k.projects.List(func(p Project) bool {
		return p.Enabled && slices.ContainsFunc(grants, func(g Grant) bool { return g.ProjectID == p.ID })
	})
}

func first[T any](c *fabric.Collection[T], is func(T) bool) (T, bool) {
	for _, v := range c.List(is) {
		return v, true
	}
	var none T
	return none, false
}

// Seed fills a new directory: the default domain, the usual roles, the
// projects admin, demo, other and service, and the users admin, demo,
// demo-reader, other and karbor. In a directory that is not new it changes
// nothing. It gives the projects' ids.
func (k *Keystone) Seed() (fabric.Projects, error) {
	if _, ok := k.domains.Get(DefaultDomain); !ok {
		if err := k.seed(); err != nil {
			return fabric.Projects{}, err
		}
	}
	var p fabric.Projects
	for name, id := range map[string]*string{"admin": &p.Admin, "demo": &p.Demo, "other": &p.Other, "service": &p.Service} {
		project, _ := k.projectNamed(name)
		*id = project.ID
	}
	return p, nil
}

func (k *Keystone) seed() error {
	for _, name := range []string{"admin", "member", "reader", "service"} {
		r := Role{ID: newID(), Name: name}
		k.roles.Put(r.ID, r)
	}
	ids := map[string]string{}
	for _, name := range []string{"admin", "demo", "other", "service"} {
		p, err := k.AddProject(name)
		if err != nil {
			return err
		}
		ids[name] = p.ID
	}
	var errs []error
	for _, u := range []struct{ name, project, roles string }{
		{"admin", "admin", "admin member reader"}, {"demo", "demo", "member reader"},
		{"demo-reader", "demo", "reader"}, {"other", "other", "member reader"},
		{"karbor", "service", "admin service"},
	} {
		_, err := k.AddUser(u.name, "", ids[u.project], strings.Fields(u.roles)...)
		errs = append(errs, err)
	}
	// The domain comes last: it says that all the rest is there.
	k.domains.Put(DefaultDomain, Domain{ID: DefaultDomain, Name: "Default", Description: "The default domain", Enabled: true})
	return errors.Join(errs...)
}

func (k *Keystone) directoryRoutes() {
	k.projectRoutes()
	k.userRoutes()
	k.listing("domains", "domain", func() []any { return shown(k.domains.List(nil), k.showDomain) })
	k.listing("roles", "role", func() []any { return shown(k.roles.List(nil), k.showRole) })
	k.Handle("GET /v3/role_assignments", k.listGrants)
	k.Handle("PUT /v3/projects/{project}/users/{user}/roles/{role}", func(r *fabric.Request) error {
		if !r.Admin() {
			return notAllowed("identity:create_grant")
		}
		if err := k.Grant(r.PathValue("user"), r.PathValue("project"), r.PathValue("role")); err != nil {
			return err
		}
		return r.Empty(http.StatusNoContent)
	})
	k.Handle("DELETE /v3/projects/{project}/users/{user}/roles/{role}", func(r *fabric.Request) error {
		if !r.Admin() {
			return notAllowed("identity:revoke_grant")
		}
		if err := k.Revoke(r.PathValue("user"), r.PathValue("project"), r.PathValue("role")); err != nil {
			return err
		}
		return r.Empty(http.StatusNoContent)
	})
}

// listing adds the list and the show of a kind that every admin may read. A
// list can be filtered by any member that is text, such as name.
func (k *Keystone) listing(plural, singular string, all func() []any) {
	k.Handle("GET /v3/"+plural, func(r *fabric.Request) error {
		if !r.Admin() && !r.Has("service") {
			return notAllowed("identity:list_" + plural)
		}
		return r.JSON(http.StatusOK, collection(r, plural, filtered(r, all())))
	})
	k.Handle("GET /v3/"+plural+"/{id}", func(r *fabric.Request) error {
		id := r.PathValue("id")
		if !r.Admin() && !r.Has("service") && id != r.ProjectID && id != r.UserID {
			return notAllowed("identity:get_" + singular)
		}
		for _, v := range all() {
			if v.(map[string]any)["id"] == id {
				return r.JSON(http.StatusOK, map[string]any{singular: v})
			}
		}
		return missing(singular, id)
	})
}

// filtered keeps the objects whose members have the query's values.
func filtered(r *fabric.Request, all []any) []any {
	kept := []any{}
	for _, v := range all {
		m := v.(map[string]any)
		keep := true
		for name, values := range r.URL.Query() {
			if text, ok := m[name].(string); ok && text != values[0] {
				keep = false
			}
		}
		if keep {
			kept = append(kept, v)
		}
	}
	return kept
}

func collection(r *fabric.Request, plural string, list []any) map[string]any {
	return map[string]any{plural: list, "links": map[string]any{
		"next": nil, "previous": nil, "self": r.Base() + r.URL.Path}}
}

func shown[T any](list []T, show func(T) map[string]any) []any {
	out := make([]any, 0, len(list))
	for _, v := range list {
		out = append(out, show(v))
	}
	return out
}

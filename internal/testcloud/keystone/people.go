package keystone

import (
	"net/http"

	"github.com/karbor/karbor/internal/testcloud/fabric"
)

func (k *Keystone) self(plural, id string) map[string]string {
	return map[string]string{"self": k.fab.Base() + "/v3/" + plural + "/" + id}
}

func (k *Keystone) showDomain(d Domain) map[string]any {
	return map[string]any{"id": d.ID, "name": d.Name, "description": d.Description, "enabled": d.Enabled,
		"tags": []string{}, "options": struct{}{}, "links": k.self("domains", d.ID)}
}

func (k *Keystone) showRole(r Role) map[string]any {
	return map[string]any{"id": r.ID, "name": r.Name, "domain_id": nil, "description": nil,
		"options": struct{}{}, "links": k.self("roles", r.ID)}
}

func (k *Keystone) showProject(p Project) map[string]any {
	return map[string]any{"id": p.ID, "name": p.Name, "domain_id": p.DomainID, "description": p.Description,
		"enabled": p.Enabled, "parent_id": p.ParentID, "is_domain": false, "tags": []string{},
		"options": struct{}{}, "links": k.self("projects", p.ID)}
}

func (k *Keystone) showUser(u User) map[string]any {
	return map[string]any{"id": u.ID, "name": u.Name, "domain_id": u.DomainID, "enabled": u.Enabled,
		"password_expires_at": nil, "options": struct{}{}, "links": k.self("users", u.ID)}
}

func (k *Keystone) projectRoutes() {
	k.listing("projects", "project", func() []any { return shown(k.projects.List(nil), k.showProject) })
	own := func(r *fabric.Request) error {
		return r.JSON(http.StatusOK, collection(r, "projects", shown(k.projectsOf(r.UserID), k.showProject)))
	}
	k.Handle("GET /v3/auth/projects", own)
	k.Handle("GET /v3/auth/domains", func(r *fabric.Request) error {
		return r.JSON(http.StatusOK, collection(r, "domains", []any{}))
	})
	k.Handle("GET /v3/users/{id}/projects", func(r *fabric.Request) error {
		if id := r.PathValue("id"); id != r.UserID {
			if !r.Admin() {
				return notAllowed("identity:list_user_projects")
			}
			return r.JSON(http.StatusOK, collection(r, "projects", shown(k.projectsOf(id), k.showProject)))
		}
		return own(r)
	})
	k.Handle("POST /v3/projects", func(r *fabric.Request) error {
		var body struct {
			Project struct{ Name, Description string }
		}
		if err := r.Decode(&body); err != nil {
			return err
		}
		if !r.Admin() {
			return notAllowed("identity:create_project")
		}
		if body.Project.Name == "" {
			return fabric.BadRequest("Invalid input for field 'name': '' is too short")
		}
		p, err := k.AddProject(body.Project.Name)
		if err != nil {
			return err
		}
		p.Description = body.Project.Description
		k.projects.Put(p.ID, p)
		return r.JSON(http.StatusCreated, map[string]any{"project": k.showProject(p)})
	})
}

// listGrants lists who has which role where. Without the role admin one sees
// one's own.
func (k *Keystone) listGrants(r *fabric.Request) error {
	q := r.URL.Query()
	names := q.Has("include_names") && q.Get("include_names") != "0" && q.Get("include_names") != "false"
	list := []any{}
	for _, g := range k.grants.List(nil) {
		if !r.Admin() && g.UserID != r.UserID || differs(q.Get("user.id"), g.UserID) ||
			differs(q.Get("scope.project.id"), g.ProjectID) || differs(q.Get("role.id"), g.RoleID) {
			continue
		}
		user, project, role := map[string]any{"id": g.UserID}, map[string]any{"id": g.ProjectID}, map[string]any{"id": g.RoleID}
		if names {
			domain := k.domainRef()
			u, _ := k.users.Get(g.UserID)
			p, _ := k.projects.Get(g.ProjectID)
			ro, _ := k.roles.Get(g.RoleID)
			user["name"], user["domain"] = u.Name, domain
			project["name"], project["domain"] = p.Name, domain
			role["name"] = ro.Name
		}
		list = append(list, map[string]any{"user": user, "role": role, "scope": map[string]any{"project": project},
			"links": map[string]string{"assignment": k.fab.Base() + "/v3/projects/" + g.ProjectID + "/users/" + g.UserID + "/roles/" + g.RoleID}})
	}
	return r.JSON(http.StatusOK, collection(r, "role_assignments", list))
}

func differs(wanted, is string) bool { return wanted != "" && wanted != is }

func (k *Keystone) domainRef() map[string]string {
	return map[string]string{"id": DefaultDomain, "name": "Default"}
}

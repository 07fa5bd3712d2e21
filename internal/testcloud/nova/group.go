package nova

import (
	"net/http"

	"github.com/karbor/karbor/internal/testcloud/fabric"
)

// Group is a server group.
type Group struct {
	ID, Name, Policy  string
	ProjectID, UserID string
}

func (n *Nova) groupRoutes() {
	path := root + "/os-server-groups"
	n.Handle("GET "+path, func(r *fabric.Request) error {
		list := []object{}
		for _, g := range n.groups.List(func(g Group) bool {
			return g.ProjectID == r.ProjectID || r.Admin() && r.Flag("all_projects")
		}) {
			list = append(list, n.groupView(r, g))
		}
		return r.JSON(http.StatusOK, object{"server_groups": list})
	})
	n.Handle("POST "+path, n.createGroup)
	n.Handle("GET "+path+"/{group}", func(r *fabric.Request) error {
		g, err := n.group(r, r.PathValue("group"))
		if err != nil {
			return err
		}
		return r.JSON(http.StatusOK, object{"server_group": n.groupView(r, g)})
	})
	n.Handle("DELETE "+path+"/{group}", func(r *fabric.Request) error {
		g, err := n.group(r, r.PathValue("group"))
		if err != nil {
			return err
		}
		if !r.Writer() {
			return denied("os-server-groups:delete")
		}
		n.groups.Delete(g.ID)
		return r.Empty(http.StatusNoContent)
	})
}

func (n *Nova) group(r *fabric.Request, id string) (Group, error) {
	g, ok := n.groups.Get(id)
	if !ok || !r.Sees(g.ProjectID) {
		return g, fabric.NotFound("Instance group %s could not be found.", id)
	}
	return g, nil
}

func (n *Nova) groupView(r *fabric.Request, g Group) object {
	members := []string{}
	for _, s := range n.servers.List(func(s Server) bool { return s.GroupID == g.ID }) {
		members = append(members, s.ID)
	}
	o := object{"id": g.ID, "name": g.Name, "members": members}
	if r.Version.AtLeast(2, 64) {
		o["policy"], o["rules"] = g.Policy, object{}
	} else {
		o["policies"], o["metadata"] = []string{g.Policy}, object{}
	}
	if r.Version.AtLeast(2, 13) {
		o["project_id"], o["user_id"] = g.ProjectID, g.UserID
	}
	return o
}

func (n *Nova) createGroup(r *fabric.Request) error {
	if !r.Writer() {
		return denied("os-server-groups:create")
	}
	var body struct {
		Group struct {
			Name     string   `json:"name"`
			Policy   string   `json:"policy"`
			Policies []string `json:"policies"`
		} `json:"server_group"`
	}
	if err := r.Decode(&body); err != nil {
		return err
	}
	policy := body.Group.Policy
	if policy == "" && len(body.Group.Policies) == 1 {
		policy = body.Group.Policies[0]
	}
	switch policy {
	case "affinity", "anti-affinity", "soft-affinity", "soft-anti-affinity":
	default:
		return fabric.BadRequest("Invalid input for field/attribute policy. Value: %s.", policy)
	}
	g := Group{ID: fabric.NewID(), Name: body.Group.Name, Policy: policy, ProjectID: r.ProjectID, UserID: r.UserID}
	err := n.fab.Atomic(func() error {
		used := len(n.groups.List(func(o Group) bool { return o.ProjectID == r.ProjectID }))
		if over := n.fab.Quotas.Check(r.ProjectID, "server_groups", used, 1); over != nil {
			return fabric.Forbidden("Quota exceeded, too many server groups.")
		}
		n.groups.Put(g.ID, g)
		return nil
	})
	if err != nil {
		return err
	}
	return r.JSON(http.StatusOK, object{"server_group": n.groupView(r, g)})
}

// groupsOf gives the ids of the groups that a server is in.
func (n *Nova) groupsOf(s Server) []string {
	if _, ok := n.groups.Get(s.GroupID); !ok {
		return []string{}
	}
	return []string{s.GroupID}
}

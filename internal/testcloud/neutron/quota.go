package neutron

import (
	"maps"
	"net/http"
	"slices"

	"github.com/karbor/karbor/internal/testcloud/fabric"
)

// quotaNames are the limits that Neutron knows.
var quotaNames = []string{"network", "subnet", "subnetpool", "port", "router", "floatingip", "rbac_policy",
	"security_group", "security_group_rule"}

func (n *Neutron) quotaRoutes() {
	path := root + "/v2.0/quotas"
	n.Handle("GET "+path+"/{project}", n.quota(func(project, name string) any { return n.fab.Quotas.Limit(project, name) }))
	n.Handle("GET "+path+"/{project}/default", n.quota(func(_, name string) any { return n.fab.Quotas.Default(name) }))
	details := n.quota(func(project, name string) any {
		return object{"limit": n.fab.Quotas.Limit(project, name), "used": n.usedOf(project, name), "reserved": 0}
	})
	n.Handle("GET "+path+"/{project}/details", details)
	n.Handle("GET "+path+"/{project}/details.json", details)
	n.Handle("PUT "+path+"/{project}", n.setQuota)
	n.Handle("DELETE "+path+"/{project}", func(r *fabric.Request) error {
		if !r.Admin() {
			return quotaDenied("delete_quota")
		}
		n.resetQuota(r.PathValue("project"))
		return r.Empty(http.StatusNoContent)
	})
}

func quotaDenied(rule string) error {
	return fabric.Typed(http.StatusForbidden, "PolicyNotAuthorized", "rule:%s is disallowed by policy", rule)
}

func (n *Neutron) quota(value func(project, name string) any) fabric.Handler {
	return func(r *fabric.Request) error {
		project := r.PathValue("project")
		if !r.Sees(project) {
			return quotaDenied("get_quota")
		}
		quota := object{}
		for _, name := range quotaNames {
			quota[name] = value(project, name)
		}
		return r.JSON(http.StatusOK, object{"quota": quota})
	}
}

func (n *Neutron) setQuota(r *fabric.Request) error {
	if !r.Admin() {
		return quotaDenied("update_quota")
	}
	var body struct {
		Quota map[string]int `json:"quota"`
	}
	if err := r.Decode(&body); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(body.Quota)) {
		if !slices.Contains(quotaNames, name) {
			return fabric.BadRequest("Unrecognized attribute(s) '%s'", name)
		}
		n.fab.Quotas.Set(r.PathValue("project"), name, body.Quota[name])
	}
	return n.quota(func(project, name string) any { return n.fab.Quotas.Limit(project, name) })(r)
}

// resetQuota gives a project Neutron's defaults again and leaves the other
// services' limits alone.
func (n *Neutron) resetQuota(project string) {
	for _, name := range quotaNames {
		n.fab.Quotas.Set(project, name, n.fab.Quotas.Default(name))
	}
}

func (n *Neutron) usedOf(project, name string) int {
	switch name {
	case "network":
		return n.networks.used(project)
	case "subnet":
		return n.subnets.used(project)
	case "port":
		return n.ports.used(project)
	case "router":
		return n.routers.used(project)
	case "floatingip":
		return n.floating.used(project)
	case "security_group":
		return n.groups.used(project)
	case "security_group_rule":
		return n.rules.used(project)
	}
	return 0
}

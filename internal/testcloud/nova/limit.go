package nova

import (
	"net/http"

	"github.com/karbor/karbor/internal/testcloud/fabric"
)

// quotaNames are the limits that Nova knows.
var quotaNames = []string{"cores", "instances", "key_pairs", "metadata_items", "ram", "server_group_members", "server_groups"}

// usage counts what a project's servers use.
func (n *Nova) usage(project string) map[string]int {
	used := map[string]int{}
	for _, s := range n.servers.List(func(s Server) bool { return s.ProjectID == project }) {
		used["instances"]++
		used["cores"] += s.Flavor.VCPUs
		used["ram"] += s.Flavor.RAM
	}
	used["server_groups"] = len(n.groups.List(func(g Group) bool { return g.ProjectID == project }))
	return used
}

func (n *Nova) limitRoutes() {
	n.Handle("GET "+root+"/limits", n.limits)
	path := root + "/os-quota-sets/{project}"
	n.Handle("GET "+path, n.quotaSet(func(project, name string) any { return n.fab.Quotas.Limit(project, name) }))
	n.Handle("GET "+path+"/defaults", n.quotaSet(func(_, name string) any { return n.fab.Quotas.Default(name) }))
	n.Handle("GET "+path+"/detail", func(r *fabric.Request) error {
		used := n.usage(r.PathValue("project"))
		return n.quotaSet(func(project, name string) any {
			return object{"limit": n.fab.Quotas.Limit(project, name), "in_use": used[name], "reserved": 0}
		})(r)
	})
	n.Handle("PUT "+path, n.setQuota)
	n.Handle("GET "+root+"/os-availability-zone", func(r *fabric.Request) error {
		list := []object{}
		for _, p := range places() {
			list = append(list, object{"zoneName": p.zone, "zoneState": object{"available": true}, "hosts": nil})
		}
		return r.JSON(http.StatusOK, object{"availabilityZoneInfo": list})
	})
	n.Handle("GET "+root+"/os-availability-zone/detail", func(r *fabric.Request) error {
		if !r.Admin() {
			return denied("os-availability-zone:detail")
		}
		alive := object{"available": true, "active": true, "updated_at": fabric.Micros(n.fab.Clock.Now())}
		list := []object{}
		for _, p := range places() {
			list = append(list, object{"zoneName": p.zone, "zoneState": object{"available": true}, "hosts": object{p.host: object{"nova-compute": alive}}})
		}
		return r.JSON(http.StatusOK, object{"availabilityZoneInfo": list})
	})
	n.Handle("GET "+root+"/os-services", n.services)
	n.Handle("GET "+root+"/extensions", func(r *fabric.Request) error {
		list := []object{}
		for _, name := range []string{"os-keypairs", "os-volumes", "os-quota-sets", "os-server-groups", "os-interface", "os-availability-zone"} {
			list = append(list, object{"alias": name, "name": name, "description": name + ".", "links": []any{},
				"namespace": "http://docs.openstack.org/compute/ext/fake_xml", "updated": "2014-12-03T00:00:00Z"})
		}
		return r.JSON(http.StatusOK, object{"extensions": list})
	})
}

func (n *Nova) limits(r *fabric.Request) error {
	project := r.ProjectID
	if other := r.URL.Query().Get("tenant_id"); other != "" && r.Admin() {
		project = other
	}
	used := n.usage(project)
	limit := func(name string) int { return n.fab.Quotas.Limit(project, name) }
	return r.JSON(http.StatusOK, object{"limits": object{"rate": []any{}, "absolute": object{
		"maxTotalInstances": limit("instances"), "maxTotalCores": limit("cores"), "maxTotalRAMSize": limit("ram"),
		"maxServerMeta": limit("metadata_items"), "maxTotalKeypairs": limit("key_pairs"),
		"maxServerGroups": limit("server_groups"), "maxServerGroupMembers": limit("server_group_members"),
		"totalRAMUsed": used["ram"], "totalCoresUsed": used["cores"], "totalInstancesUsed": used["instances"],
		"totalServerGroupsUsed": used["server_groups"],
	}}})
}

func (n *Nova) quotaSet(value func(project, name string) any) fabric.Handler {
	return func(r *fabric.Request) error {
		project := r.PathValue("project")
		if !r.Sees(project) {
			return denied("os-quota-sets:show")
		}
		set := object{"id": project}
		for _, name := range quotaNames {
			set[name] = value(project, name)
		}
		return r.JSON(http.StatusOK, object{"quota_set": set})
	}
}

func (n *Nova) setQuota(r *fabric.Request) error {
	if !r.Admin() {
		return denied("os-quota-sets:update")
	}
	var body struct {
		Set map[string]any `json:"quota_set"`
	}
	if err := r.Decode(&body); err != nil {
		return err
	}
	project := r.PathValue("project")
	for _, name := range quotaNames {
		if v, ok := body.Set[name]; ok {
			n.fab.Quotas.Set(project, name, number(v))
		}
	}
	set := object{}
	for _, name := range quotaNames {
		set[name] = n.fab.Quotas.Limit(project, name)
	}
	return r.JSON(http.StatusOK, object{"quota_set": set})
}

func (n *Nova) services(r *fabric.Request) error {
	if !r.Admin() {
		return denied("os-services:list")
	}
	list := []object{}
	add := func(name string, p place) {
		list = append(list, object{"id": len(list) + 1, "binary": name, "host": p.host, "zone": p.zone, "status": "enabled", "state": "up",
			"updated_at": fabric.Micros(n.fab.Clock.Now()), "disabled_reason": nil})
	}
	add("nova-conductor", place{"internal", "controller"})
	add("nova-scheduler", place{"internal", "controller"})
	for _, p := range places() {
		add("nova-compute", p)
	}
	return r.JSON(http.StatusOK, object{"services": list})
}

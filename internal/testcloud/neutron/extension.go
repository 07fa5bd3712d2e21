package neutron

import (
	"net/http"

	"github.com/karbor/karbor/internal/testcloud/fabric"
)

// extensions are the parts of the API beyond its core, by alias.
var extensions = []struct{ alias, name string }{
	{"agent", "agent"},
	{"allowed-address-pairs", "Allowed Address Pairs"},
	{"availability_zone", "Availability Zone"},
	{"binding", "Port Binding"},
	{"default-subnetpools", "Default Subnetpools"},
	{"ext-gw-mode", "Neutron L3 Configurable external gateway mode"},
	{"external-net", "Neutron external network"},
	{"extra_dhcp_opt", "Neutron Extra DHCP options"},
	{"extraroute", "Neutron Extra Route"},
	{"filter-validation", "Filter parameters validation"},
	{"fip-port-details", "Floating IP Port Details Extension"},
	{"ip-substring-filtering", "IP address substring filtering"},
	{"net-mtu", "Network MTU"},
	{"net-mtu-writable", "Network MTU (writable)"},
	{"network_availability_zone", "Network Availability Zone"},
	{"pagination", "Pagination support"},
	{"port-security", "Port Security"},
	{"project-id", "project_id field enabled"},
	{"provider", "Provider Network"},
	{"quota_details", "Quota details management support"},
	{"quotas", "Quota management support"},
	{"router", "Neutron L3 Router"},
	{"router_availability_zone", "Router Availability Zone"},
	{"security-group", "security-group"},
	{"shared-security-group", "Security group RBAC"},
	{"sorting", "Sorting support"},
	{"standard-attr-description", "standard-attr-description"},
	{"standard-attr-revisions", "Resource revision numbers"},
	{"standard-attr-tag", "Tag support for resources with standard attribute: port, subnet, network, security_group, router, floatingip"},
	{"standard-attr-timestamp", "Resource timestamps"},
	{"stateful-security-group", "Stateful security group"},
	{"subnet_allocation", "Subnet Allocation"},
}

// emptyLists are kinds of resources that this cloud has none of.
var emptyLists = []string{"agents", "subnetpools", "address-scopes", "rbac-policies", "trunks", "segments", "address-groups"}

func (n *Neutron) extensionRoutes() {
	show := func(alias, name string) object {
		return object{"alias": alias, "name": name, "description": name + ".", "updated": "2016-01-01T10:00:00-00:00", "links": []any{}}
	}
	n.Handle("GET "+root+"/v2.0/extensions", func(r *fabric.Request) error {
		list := []object{}
		for _, e := range extensions {
			list = append(list, show(e.alias, e.name))
		}
		return r.JSON(http.StatusOK, object{"extensions": list})
	})
	n.Handle("GET "+root+"/v2.0/extensions/{alias}", func(r *fabric.Request) error {
		for _, e := range extensions {
			if e.alias == r.PathValue("alias") {
				return r.JSON(http.StatusOK, object{"extension": show(e.alias, e.name)})
			}
		}
		return fabric.NotFound("Extension with alias %s does not exist", r.PathValue("alias"))
	})
	n.Handle("GET "+root+"/v2.0/availability_zones", func(r *fabric.Request) error {
		return r.JSON(http.StatusOK, object{"availability_zones": []object{
			{"name": "nova", "resource": "network", "state": "available"},
			{"name": "nova", "resource": "router", "state": "available"},
		}})
	})
	for _, name := range emptyLists {
		key := kind{path: name}.many()
		n.Handle("GET "+root+"/v2.0/"+name, func(r *fabric.Request) error {
			return r.JSON(http.StatusOK, object{key: []any{}})
		})
	}
}

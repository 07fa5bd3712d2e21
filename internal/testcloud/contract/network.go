package contract

import (
	"net/http"
	"slices"
	"testing"

	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/extensions/layer3/floatingips"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/extensions/layer3/routers"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/extensions/security/groups"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/networks"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/ports"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/subnets"
)

func testNetwork(t *testing.T, c *cloud) {
	t.Run("network and subnet", func(t *testing.T) { testSubnet(t, c) })
	t.Run("port", func(t *testing.T) { testPort(t, c) })
	t.Run("port on another project's network", func(t *testing.T) { testForeignPort(t, c) })
	t.Run("router and floating ip", func(t *testing.T) { testRouter(t, c) })
	t.Run("security group", func(t *testing.T) { testSecurityGroup(t, c) })
	t.Run("other project", func(t *testing.T) { testNetworkIsolation(t, c) })
	t.Run("tags and filters", func(t *testing.T) { testNetworkTags(t, c) })
	t.Run("refused", func(t *testing.T) { testNetworkRefused(t, c) })
}

// make makes a resource of the network service, which goes with the test.
func (c *cloud) make(t *testing.T, path, one string, members object) *answer {
	t.Helper()
	a := c.member.post(t, "network", path, object{one: members}).want(t, http.StatusCreated)
	c.member.forget(t, "network", path+"/"+a.text(one, "id"))
	return a
}

// net makes a network with one IPv4 subnet.
func (c *cloud) net(t *testing.T, name, cidr string) (network, subnet string) {
	t.Helper()
	network = c.make(t, "/networks", "network", object{"name": c.name(name)}).text("network", "id")
	subnet = c.make(t, "/subnets", "subnet", object{
		"network_id": network, "name": c.name(name), "ip_version": 4, "cidr": cidr,
	}).text("subnet", "id")
	return network, subnet
}

func testSubnet(t *testing.T, c *cloud) {
	a := c.make(t, "/networks", "network", object{"name": c.name("net"), "description": "one"})
	network := a.text("network", "id")
	a.equals(t, "ACTIVE", "network", "status")
	a.equals(t, true, "network", "admin_state_up")
	a.equals(t, false, "network", "shared")
	a.equals(t, false, "network", "router:external")
	a.equals(t, c.member.projectID, "network", "project_id")
	a.equals(t, c.member.projectID, "network", "tenant_id")
	a.dated(t, glanceTime, "network", "created_at")
	a.has(t, []any{"network"}, "mtu", "subnets", "tags", "revision_number", "port_security_enabled", "availability_zones")
	if a.at("network", "provider:network_type") != nil {
		t.Error("a member sees provider:network_type")
	}
	a = c.make(t, "/subnets", "subnet", object{"network_id": network, "ip_version": 4, "cidr": "10.9.0.0/24",
		"dns_nameservers": []string{"192.0.2.53"}, "host_routes": []object{{"destination": "10.8.0.0/16", "nexthop": "10.9.0.9"}}})
	subnet := a.text("subnet", "id")
	a.equals(t, "10.9.0.1", "subnet", "gateway_ip")
	a.equals(t, "10.9.0.2", "subnet", "allocation_pools", 0, "start")
	a.equals(t, "10.9.0.254", "subnet", "allocation_pools", 0, "end")
	a.equals(t, true, "subnet", "enable_dhcp")
	a.equals(t, "192.0.2.53", "subnet", "dns_nameservers", 0)
	a.equals(t, "10.9.0.9", "subnet", "host_routes", 0, "nexthop")
	six := c.make(t, "/subnets", "subnet", object{"network_id": network, "ip_version": 6, "cidr": "fd00:9::/64",
		"gateway_ip": nil, "ipv6_ra_mode": "slaac", "ipv6_address_mode": "slaac"})
	six.equals(t, nil, "subnet", "gateway_ip")
	got := c.member.get(t, "network", "/networks/"+network).want(t, http.StatusOK)
	if list, _ := got.at("network", "subnets").([]any); len(list) != 2 {
		t.Errorf("the network shows %d subnets, want 2", len(list))
	}
	client := c.client(t, c.Member, "network")
	n, err := networks.Get(t.Context(), client, network).Extract()
	if err != nil || n.CreatedAt.IsZero() || len(n.Subnets) != 2 {
		t.Errorf("gophercloud reads the network as %+v, %v", n, err)
	}
	s, err := subnets.Get(t.Context(), client, subnet).Extract()
	if err != nil || s.GatewayIP != "10.9.0.1" || len(s.AllocationPools) != 1 {
		t.Errorf("gophercloud reads the subnet as %+v, %v", s, err)
	}
	c.member.put(t, "network", "/subnets/"+subnet, object{"subnet": object{"dns_nameservers": []string{}}}).want(t, http.StatusOK)
	c.member.put(t, "network", "/networks/"+network, object{"network": object{"name": c.name("other")}}).want(t, http.StatusOK).
		equals(t, c.name("other"), "network", "name")
	for _, bad := range []object{
		{"network_id": network, "ip_version": 4, "cidr": "10.9.0.0/25"},
		{"network_id": network, "ip_version": 4, "cidr": "10.9.0.300/25"},
	} {
		c.member.post(t, "network", "/subnets", object{"subnet": bad}).refusedByNeutron(t, http.StatusBadRequest, "InvalidInput")
	}
	c.member.delete(t, "network", "/networks/"+network).want(t, http.StatusNoContent)
	c.member.get(t, "network", "/subnets/"+subnet).refusedByNeutron(t, http.StatusNotFound, "SubnetNotFound")
}

func testPort(t *testing.T, c *cloud) {
	network, subnet := c.net(t, "ports", "10.10.0.0/24")
	group := c.make(t, "/security-groups", "security_group", object{"name": c.name("ports")}).text("security_group", "id")
	want := object{"network_id": network, "name": c.name("port"), "security_groups": []string{group},
		"fixed_ips":             []object{{"subnet_id": subnet, "ip_address": "10.10.0.77"}},
		"allowed_address_pairs": []object{{"ip_address": "10.10.0.200"}}}
	a := c.make(t, "/ports", "port", want)
	port := a.text("port", "id")
	a.equals(t, "10.10.0.77", "port", "fixed_ips", 0, "ip_address")
	a.equals(t, group, "port", "security_groups", 0)
	a.equals(t, "DOWN", "port", "status")
	a.equals(t, "", "port", "device_id")
	a.equals(t, "10.10.0.200", "port", "allowed_address_pairs", 0, "ip_address")
	a.equals(t, a.text("port", "mac_address"), "port", "allowed_address_pairs", 0, "mac_address")
	a.equals(t, "normal", "port", "binding:vnic_type")
	if a.at("port", "binding:host_id") != nil {
		t.Error("a member sees binding:host_id")
	}
	decoded, err := ports.Get(t.Context(), c.client(t, c.Member, "network"), port).Extract()
	if err != nil || decoded.FixedIPs[0].IPAddress != "10.10.0.77" || decoded.CreatedAt.IsZero() {
		t.Errorf("gophercloud reads the port as %+v, %v", decoded, err)
	}
	if c.admin != nil {
		c.admin.get(t, "network", "/ports/"+port).want(t, http.StatusOK).
			has(t, []any{"port"}, "binding:host_id", "binding:vif_type", "binding:profile", "binding:vif_details")
	}
	delete(want, "allowed_address_pairs")
	c.member.post(t, "network", "/ports", object{"port": want}).refusedByNeutron(t, http.StatusConflict, "IpAddressAlreadyAllocated")
	want["fixed_ips"] = []object{{"subnet_id": subnet, "ip_address": "10.99.0.1"}}
	c.member.post(t, "network", "/ports", object{"port": want}).refusedByNeutron(t, http.StatusBadRequest, "InvalidIpForSubnet")
	delete(want, "fixed_ips")
	want["mac_address"] = a.text("port", "mac_address")
	c.member.post(t, "network", "/ports", object{"port": want}).refusedByNeutron(t, http.StatusConflict, "MacAddressInUse")
	c.member.post(t, "network", "/ports", object{"port": object{"network_id": network,
		"security_groups": []string{"00000000-0000-4000-8000-000000000000"}}}).refusedByNeutron(t, http.StatusNotFound, "SecurityGroupNotFound")

	c.member.put(t, "network", "/ports/"+port, object{"port": object{"name": c.name("renamed"),
		"fixed_ips": []object{{"subnet_id": subnet, "ip_address": "10.10.0.78"}}}}).want(t, http.StatusOK).
		equals(t, "10.10.0.78", "port", "fixed_ips", 0, "ip_address")
	c.member.delete(t, "network", "/networks/"+network).refusedByNeutron(t, http.StatusConflict, "NetworkInUse")
	c.member.delete(t, "network", "/subnets/"+subnet).refusedByNeutron(t, http.StatusConflict, "SubnetInUse")
	c.member.delete(t, "network", "/security-groups/"+group).refusedByNeutron(t, http.StatusConflict, "SecurityGroupInUse")
	c.member.delete(t, "network", "/ports/"+port).want(t, http.StatusNoContent)
	c.member.get(t, "network", "/ports/"+port).refusedByNeutron(t, http.StatusNotFound, "PortNotFound")
}

func testRouter(t *testing.T, c *cloud) {
	external := c.member.get(t, "network", "/networks?router:external=True").want(t, http.StatusOK).list("networks")
	if len(external) == 0 {
		t.Fatal("a member sees no external network")
	}
	outside, _ := external[0]["id"].(string)
	network, subnet := c.net(t, "routed", "10.11.0.0/24")
	a := c.make(t, "/routers", "router", object{"name": c.name("router"), "external_gateway_info": object{"network_id": outside}})
	router := a.text("router", "id")
	path := "/routers/" + router
	a.equals(t, "ACTIVE", "router", "status")
	a.equals(t, outside, "router", "external_gateway_info", "network_id")
	a.equals(t, true, "router", "external_gateway_info", "enable_snat")
	if a.text("router", "external_gateway_info", "external_fixed_ips", 0, "ip_address") == "" {
		t.Error("the router has no outer address")
	}
	c.member.put(t, "network", path+"/add_router_interface", object{"subnet_id": subnet}).want(t, http.StatusOK).
		equals(t, subnet, "subnet_ids", 0)
	t.Cleanup(func() {
		c.member.put(t, "network", path+"/remove_router_interface", object{"subnet_id": subnet}).want(t, http.StatusOK, http.StatusNotFound)
	})
	c.member.put(t, "network", path+"/add_router_interface", object{"subnet_id": subnet}).refusedByNeutron(t, http.StatusBadRequest, "BadRequest")
	inner := c.member.get(t, "network", "/ports?device_owner=network:router_interface&device_id="+router).want(t, http.StatusOK).list("ports")
	if len(inner) != 1 || follow(inner[0], "fixed_ips", 0, "ip_address") != "10.11.0.1" {
		t.Fatalf("the router's interfaces are %v, want one with the gateway's address", inner)
	}
	port, _ := inner[0]["id"].(string)
	c.member.delete(t, "network", "/ports/"+port).refusedByNeutron(t, http.StatusConflict, "ServicePortInUse")
	c.member.delete(t, "network", path).refusedByNeutron(t, http.StatusConflict, "RouterInUse")
	c.other.get(t, "network", path).refusedByNeutron(t, http.StatusNotFound, "RouterNotFound")
	client := c.client(t, c.Member, "network")
	decoded, err := routers.Get(t.Context(), client, router).Extract()
	if err != nil || decoded.GatewayInfo.NetworkID != outside {
		t.Errorf("gophercloud reads the router as %+v, %v", decoded, err)
	}
	testFloatingIP(t, c, outside, network, subnet, path)

	c.member.put(t, "network", path, object{"router": object{"external_gateway_info": object{}}}).want(t, http.StatusOK).
		equals(t, nil, "router", "external_gateway_info")
	c.member.put(t, "network", path+"/remove_router_interface", object{"subnet_id": subnet}).want(t, http.StatusOK)
	c.member.put(t, "network", path+"/remove_router_interface", object{"subnet_id": subnet}).
		refusedByNeutron(t, http.StatusNotFound, "RouterInterfaceNotFoundForSubnet")
	c.member.delete(t, "network", path).want(t, http.StatusNoContent)
}

func testFloatingIP(t *testing.T, c *cloud, outside, network, subnet, router string) {
	port := c.make(t, "/ports", "port", object{"network_id": network}).text("port", "id")
	a := c.make(t, "/floatingips", "floatingip", object{"floating_network_id": outside})
	id := a.text("floatingip", "id")
	path := "/floatingips/" + id
	a.equals(t, nil, "floatingip", "port_id")
	a.equals(t, nil, "floatingip", "router_id")
	a.equals(t, "DOWN", "floatingip", "status")
	a = c.member.put(t, "network", path, object{"floatingip": object{"port_id": port}}).want(t, http.StatusOK)
	a.equals(t, port, "floatingip", "port_id")
	a.equals(t, router[len("/routers/"):], "floatingip", "router_id")
	if a.text("floatingip", "fixed_ip_address") == "" || a.text("floatingip", "port_details", "network_id") != network {
		t.Errorf("the associated floating IP is %s", a.body)
	}
	decoded, err := floatingips.Get(t.Context(), c.client(t, c.Member, "network"), id).Extract()
	if err != nil || decoded.PortID != port || decoded.CreatedAt.IsZero() {
		t.Errorf("gophercloud reads the floating IP as %+v, %v", decoded, err)
	}
	c.member.post(t, "network", "/floatingips", object{"floatingip": object{"floating_network_id": outside, "port_id": port}}).
		refusedByNeutron(t, http.StatusConflict, "FloatingIPPortAlreadyAssociated")
	c.member.post(t, "network", "/floatingips", object{"floatingip": object{"floating_network_id": network}}).
		refusedByNeutron(t, http.StatusBadRequest, "BadRequest")
	c.member.put(t, "network", router+"/remove_router_interface", object{"subnet_id": subnet}).
		refusedByNeutron(t, http.StatusConflict, "RouterInterfaceInUseByFloatingIP")
	c.other.get(t, "network", path).refusedByNeutron(t, http.StatusNotFound, "FloatingIPNotFound")
	c.member.delete(t, "network", "/ports/"+port).want(t, http.StatusNoContent)
	c.member.get(t, "network", path).want(t, http.StatusOK).equals(t, nil, "floatingip", "port_id")
	c.member.delete(t, "network", path).want(t, http.StatusNoContent)
}

func testSecurityGroup(t *testing.T, c *cloud) {
	list := c.member.get(t, "network", "/security-groups?name=default").want(t, http.StatusOK)
	if rules := list.list("security_groups", 0, "security_group_rules"); len(list.list("security_groups")) != 1 || len(rules) < 4 {
		t.Errorf("the default group has %d rules, want at least 4", len(rules))
	}
	c.member.post(t, "network", "/security-groups", object{"security_group": object{"name": "default"}}).
		refusedByNeutron(t, http.StatusConflict, "SecurityGroupDefaultAlreadyExists")
	a := c.make(t, "/security-groups", "security_group", object{"name": c.name("group"), "description": "d"})
	id := a.text("security_group", "id")
	path := "/security-groups/" + id
	if rules := a.list("security_group", "security_group_rules"); len(rules) != 2 {
		t.Errorf("a new group has %d rules, want the 2 for egress", len(rules))
	}
	want := object{"security_group_id": id, "direction": "ingress", "protocol": "tcp",
		"port_range_min": 22, "port_range_max": 22, "remote_ip_prefix": "192.0.2.0/24"}
	a = c.make(t, "/security-group-rules", "security_group_rule", want)
	rule := a.text("security_group_rule", "id")
	a.equals(t, "IPv4", "security_group_rule", "ethertype")
	a.equals(t, float64(22), "security_group_rule", "port_range_max")
	c.member.post(t, "network", "/security-group-rules", object{"security_group_rule": want}).
		refusedByNeutron(t, http.StatusConflict, "SecurityGroupRuleExists")
	want["direction"] = "sideways"
	c.member.post(t, "network", "/security-group-rules", object{"security_group_rule": want}).
		refusedByNeutron(t, http.StatusBadRequest, "HTTPBadRequest")
	decoded, err := groups.Get(t.Context(), c.client(t, c.Member, "network"), id).Extract()
	if err != nil || len(decoded.Rules) != 3 || decoded.CreatedAt.IsZero() {
		t.Errorf("gophercloud reads the security group as %+v, %v", decoded, err)
	}
	c.other.get(t, "network", path).refusedByNeutron(t, http.StatusNotFound, "SecurityGroupNotFound")
	c.member.delete(t, "network", "/security-group-rules/"+rule).want(t, http.StatusNoContent)
	c.member.delete(t, "network", path).want(t, http.StatusNoContent)
	c.member.get(t, "network", path).refusedByNeutron(t, http.StatusNotFound, "SecurityGroupNotFound")
}

func testNetworkIsolation(t *testing.T, c *cloud) {
	network, subnet := c.net(t, "private", "10.12.0.0/24")
	path := "/networks/" + network
	c.other.get(t, "network", path).refusedByNeutron(t, http.StatusNotFound, "NetworkNotFound")
	c.other.put(t, "network", path, object{"network": object{"name": "stolen"}}).refusedByNeutron(t, http.StatusNotFound, "NetworkNotFound")
	c.other.delete(t, "network", path).refusedByNeutron(t, http.StatusNotFound, "NetworkNotFound")
	c.other.post(t, "network", "/ports", object{"port": object{"network_id": network}}).
		refusedByNeutron(t, http.StatusNotFound, "NetworkNotFound")
	c.other.get(t, "network", "/subnets/"+subnet).refusedByNeutron(t, http.StatusNotFound, "SubnetNotFound")
	if got := c.other.get(t, "network", "/networks?id="+network).want(t, http.StatusOK).list("networks"); len(got) != 0 {
		t.Error("another project's list shows the network")
	}
	if c.admin != nil {
		c.admin.get(t, "network", path).want(t, http.StatusOK).has(t, []any{"network"}, "provider:network_type")
	}
	c.other.get(t, "network", "/quotas/"+c.member.projectID).refusedByNeutron(t, http.StatusForbidden, "PolicyNotAuthorized")
	c.member.get(t, "network", "/quotas/"+c.member.projectID).want(t, http.StatusOK).has(t, []any{"quota"}, "network", "port", "router")
	c.member.post(t, "network", "/networks", object{"network": object{"tenant_id": c.other.projectID}}).
		refusedByNeutron(t, http.StatusBadRequest, "HTTPBadRequest")
}

func testNetworkTags(t *testing.T, c *cloud) {
	network, _ := c.net(t, "tagged", "10.13.0.0/24")
	path := "/networks/" + network + "/tags"
	c.member.put(t, "network", path, object{"tags": []string{"red", "blue"}}).want(t, http.StatusOK)
	c.member.put(t, "network", path+"/green", nil).want(t, http.StatusCreated)
	c.member.get(t, "network", path+"/green").want(t, http.StatusNoContent)
	c.member.delete(t, "network", path+"/green").want(t, http.StatusNoContent)
	c.member.get(t, "network", path+"/green").refusedByNeutron(t, http.StatusNotFound, "TagNotFound")
	c.other.get(t, "network", path).want(t, http.StatusNotFound)
	for query, want := range map[string]int{
		"tags=red,blue": 1, "tags=red,green": 0, "tags-any=red,green": 1, "not-tags-any=blue": 0, "admin_state_up=True": 1,
		"admin_state_up=False": 0, "name=" + c.name("tagged"): 1, "project_id=" + c.member.projectID: 1,
	} {
		got := c.member.get(t, "network", "/networks?id="+network+"&"+query).want(t, http.StatusOK).list("networks")
		if len(got) != want {
			t.Errorf("the list by %s has %d networks, want %d", query, len(got), want)
		}
	}
	a := c.member.get(t, "network", "/networks?fields=id&fields=name&limit=1&sort_key=name&sort_dir=desc").want(t, http.StatusOK)
	if list := a.list("networks"); len(list) != 1 || len(list[0]) != 2 {
		t.Errorf("a page of 1 with two fields is %v", list)
	}
	a.equals(t, "next", "networks_links", 0, "rel")
	extension := c.member.get(t, "network", "/extensions").want(t, http.StatusOK)
	var names []string
	for _, e := range extension.list("extensions") {
		name, _ := e["alias"].(string)
		names = append(names, name)
	}
	for _, alias := range []string{"router", "external-net", "security-group", "standard-attr-tag", "quotas", "provider"} {
		if !slices.Contains(names, alias) {
			t.Errorf("there is no extension %s", alias)
		}
	}
}

func testNetworkRefused(t *testing.T, c *cloud) {
	for _, one := range []struct {
		body   object
		status int
		kind   string
	}{
		{object{"network": object{"colour": "red"}}, http.StatusBadRequest, "HTTPBadRequest"},
		{object{"network": object{"name": 1}}, http.StatusBadRequest, "HTTPBadRequest"},
		{object{}, http.StatusBadRequest, "HTTPBadRequest"},
		{object{"network": object{"shared": true}}, http.StatusForbidden, "PolicyNotAuthorized"},
		{object{"network": object{"router:external": true}}, http.StatusForbidden, "PolicyNotAuthorized"},
	} {
		c.member.post(t, "network", "/networks", one.body).refusedByNeutron(t, one.status, one.kind)
	}
	c.member.get(t, "network", "/networks?colour=red").refusedByNeutron(t, http.StatusBadRequest, "HTTPBadRequest")
	c.member.get(t, "network", "/networks/nonsense").refusedByNeutron(t, http.StatusNotFound, "NetworkNotFound")
	c.member.post(t, "network", "/subnets", object{"subnet": object{"network_id": "nonsense", "ip_version": 4, "cidr": "10.0.0.0/24"}}).
		refusedByNeutron(t, http.StatusBadRequest, "HTTPBadRequest")
	nobody := &session{cloud: c, name: "nobody", endpoints: c.member.endpoints}
	nobody.get(t, "network", "/networks").want(t, http.StatusUnauthorized)
}

package contract

import (
	"net/http"
	"testing"
)

// testForeignPort looks at what a tenant may ask of a port on a network that is
// not his project's.
func testForeignPort(t *testing.T, c *cloud) {
	external := c.member.get(t, "network", "/networks?router:external=True").want(t, http.StatusOK).list("networks")
	if len(external) == 0 {
		t.Fatal("a member sees no external network")
	}
	if external[0]["shared"] == false {
		c.member.post(t, "network", "/ports", object{"port": object{"network_id": external[0]["id"]}}).
			refusedByNeutron(t, http.StatusForbidden, "HTTPForbidden")
	}
	if c.admin == nil {
		return // nobody else can make a shared network
	}
	network := c.admin.post(t, "network", "/networks", object{"network": object{"name": c.name("shared"), "shared": true}}).
		want(t, http.StatusCreated).text("network", "id")
	c.admin.forget(t, "network", "/networks/"+network)
	subnet := c.admin.post(t, "network", "/subnets", object{"subnet": object{"network_id": network, "ip_version": 4, "cidr": "10.14.0.0/24"}}).
		want(t, http.StatusCreated).text("subnet", "id")
	for _, more := range []object{
		{"mac_address": "fa:16:3e:0a:0e:01"},
		{"fixed_ips": []object{{"subnet_id": subnet, "ip_address": "10.14.0.9"}}},
		{"port_security_enabled": false},
		{"allowed_address_pairs": []object{{"ip_address": "10.14.0.9"}}},
	} {
		more["network_id"] = network
		c.member.post(t, "network", "/ports", object{"port": more}).refusedByNeutron(t, http.StatusForbidden, "PolicyNotAuthorized")
	}
	port := c.make(t, "/ports", "port", object{"network_id": network, "fixed_ips": []object{{"subnet_id": subnet}}}).text("port", "id")
	c.member.put(t, "network", "/ports/"+port, object{"port": object{"allowed_address_pairs": []object{{"ip_address": "10.14.0.9"}}}}).
		refusedByNeutron(t, http.StatusForbidden, "PolicyNotAuthorized")
	c.member.delete(t, "network", "/ports/"+port).want(t, http.StatusNoContent)
}

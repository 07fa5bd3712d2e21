package neutron

import (
	"encoding/json"
	"net/http"

	"github.com/karbor/karbor/internal/testcloud/fabric"
)

// mayJoin enforces Neutron's default policy for a port on a network of another
// project (neutron/conf/policies/port.py): on an external network that is not
// shared a tenant has no ports at all; on a shared one he may name a subnet, but
// no address, hardware address or address pair, and not switch port security.
func mayJoin(who fabric.Identity, network Network, in input, verb string) error {
	if who.Admin() || network.ProjectID == who.ProjectID {
		return nil
	}
	if !network.Shared && verb == "create" {
		return fabric.Typed(http.StatusForbidden, "HTTPForbidden", "Tenant %s not allowed to create port on this network", who.ProjectID)
	}
	for _, member := range []string{"mac_address", "fixed_ips", "port_security_enabled", "allowed_address_pairs"} {
		if !in.has(member) || in.null(member) || member == "fixed_ips" && verb == "create" && !in.address() {
			continue
		}
		return fabric.Typed(http.StatusForbidden, "PolicyNotAuthorized",
			"(rule:%[1]s_port and rule:%[1]s_port:%[2]s) is disallowed by policy", verb, member)
	}
	return nil
}

// address tells whether the body asks for a certain address, and not only for one
// of a subnet.
func (in input) address() bool {
	var ips []struct {
		IPAddress *string `json:"ip_address"`
	}
	if json.Unmarshal(in["fixed_ips"], &ips) != nil {
		return false // what is malformed is refused elsewhere
	}
	for _, ip := range ips {
		if ip.IPAddress != nil {
			return true
		}
	}
	return false
}

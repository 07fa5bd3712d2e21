package neutron

import (
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/karbor/karbor/internal/testcloud/fabric"
)

// SecurityGroup is a security group as the API shows it, but for its rules,
// which are documents of their own.
type SecurityGroup struct {
	standard
	Name     string `json:"name"`
	Stateful bool   `json:"stateful"`
	Shared   bool   `json:"shared"`
}

// SecurityGroupRule lets traffic of one sort through.
type SecurityGroupRule struct {
	standard
	GroupID         string  `json:"security_group_id"`
	EtherType       string  `json:"ethertype"`
	Direction       string  `json:"direction"`
	Protocol        *string `json:"protocol"`
	PortMin         *int    `json:"port_range_min"`
	PortMax         *int    `json:"port_range_max"`
	RemoteIPPrefix  *string `json:"remote_ip_prefix"`
	NormalizedCIDR  *string `json:"normalized_cidr"`
	RemoteGroupID   *string `json:"remote_group_id"`
	RemoteAddresses *string `json:"remote_address_group_id"`
}

var groupKind = kind{
	one: "security_group", path: "security-groups", quota: "security_group",
	label: "Security group", missing: "SecurityGroupNotFound", absent: "does not exist",
	creates: []string{"name", "description", "stateful", "tenant_id", "project_id"},
	updates: []string{"name", "description", "stateful"},
}

var ruleKind = kind{
	one: "security_group_rule", path: "security-group-rules", quota: "security_group_rule",
	label: "Security group rule", missing: "SecurityGroupRuleNotFound", absent: "does not exist",
	creates: []string{"security_group_id", "direction", "ethertype", "protocol", "port_range_min", "port_range_max",
		"remote_ip_prefix", "remote_group_id", "remote_address_group_id", "description", "tenant_id", "project_id"},
}

func (n *Neutron) groupHooks() hooks[SecurityGroup] {
	return hooks[SecurityGroup]{
		blank: func(owner string) SecurityGroup {
			return SecurityGroup{standard: n.fresh(owner), Stateful: true}
		},
		visible: func(who fabric.Identity, doc SecurityGroup) bool { return who.Sees(doc.ProjectID) || doc.Shared },
		create: func(_ fabric.Identity, doc *SecurityGroup, _ input) error {
			if doc.Name == "default" {
				return fabric.Typed(http.StatusConflict, "SecurityGroupDefaultAlreadyExists", "Default security group already exists.")
			}
			n.openEgress(*doc)
			return nil
		},
		update: func(_ fabric.Identity, old SecurityGroup, doc *SecurityGroup, _ input) error {
			if old.Name == "default" && doc.Name != old.Name {
				return fabric.Typed(http.StatusConflict, "SecurityGroupCannotUpdateDefault", "Updating default security group not allowed.")
			}
			return nil
		},
		remove: n.removeGroup,
		view: func(doc SecurityGroup, shown object) {
			rules := []any{}
			if n.rules != nil {
				for _, rule := range n.rulesOf(doc.ID) {
					rules = append(rules, n.rules.show(fabric.Identity{}, rule))
				}
			}
			shown["security_group_rules"] = rules
		},
	}
}

func (n *Neutron) rulesOf(group string) []SecurityGroupRule {
	return n.rules.docs.List(func(rule SecurityGroupRule) bool { return rule.GroupID == group })
}

// openEgress gives a new group the two rules that let everything out.
func (n *Neutron) openEgress(group SecurityGroup) {
	for _, ether := range []string{"IPv4", "IPv6"} {
		rule := n.newRule(group.ProjectID)
		rule.GroupID, rule.EtherType, rule.Direction = group.ID, ether, "egress"
		n.rules.docs.Put(rule.ID, rule)
	}
}

// ensureDefaultGroup gives the id of a project's default group, which it
// makes when the project has none: it also lets in what comes from members of
// the group. It must run inside Atomic.
func (n *Neutron) ensureDefaultGroup(owner string) string {
	if owner == "" {
		return ""
	}
	for _, g := range n.groups.docs.List(func(g SecurityGroup) bool { return g.ProjectID == owner && g.Name == "default" }) {
		return g.ID
	}
	group := n.groups.blank(owner)
	group.Name, group.Description = "default", "Default security group"
	n.groups.docs.Put(group.ID, group)
	n.openEgress(group)
	for _, ether := range []string{"IPv4", "IPv6"} {
		rule := n.newRule(owner)
		rule.GroupID, rule.EtherType, rule.Direction, rule.RemoteGroupID = group.ID, ether, "ingress", new(group.ID)
		n.rules.docs.Put(rule.ID, rule)
	}
	return group.ID
}

func (n *Neutron) removeGroup(who fabric.Identity, doc SecurityGroup) error {
	inUse := n.ports.docs.List(func(p Port) bool { return slices.Contains(p.SecurityGroups, doc.ID) })
	if len(inUse) > 0 {
		return fabric.Typed(http.StatusConflict, "SecurityGroupInUse", "Security Group %s in use.", doc.ID)
	}
	if doc.Name == "default" && !who.Admin() {
		return fabric.Typed(http.StatusConflict, "SecurityGroupCannotRemoveDefault", "Insufficient rights for removing default security group.")
	}
	for _, rule := range n.rules.docs.List(func(rule SecurityGroupRule) bool {
		return rule.GroupID == doc.ID || deref(rule.RemoteGroupID) == doc.ID
	}) {
		n.rules.docs.Delete(rule.ID)
	}
	return nil
}

func (n *Neutron) newRule(owner string) SecurityGroupRule {
	return SecurityGroupRule{standard: n.fresh(owner), EtherType: "IPv4"}
}

func (n *Neutron) ruleHooks() hooks[SecurityGroupRule] {
	return hooks[SecurityGroupRule]{
		blank:   n.newRule,
		visible: func(who fabric.Identity, doc SecurityGroupRule) bool { return who.Sees(doc.ProjectID) },
		create:  n.createRule,
		update:  func(_ fabric.Identity, _ SecurityGroupRule, _ *SecurityGroupRule, _ input) error { return nil },
		remove:  func(_ fabric.Identity, _ SecurityGroupRule) error { return nil },
	}
}

func (n *Neutron) createRule(who fabric.Identity, doc *SecurityGroupRule, in input) error {
	for _, name := range []string{"security_group_id", "direction"} {
		if !in.has(name) {
			return fabric.BadRequest("Failed to parse request. Required attribute '%s' not specified", name)
		}
	}
	group, err := n.groups.own(who, doc.GroupID, "create_security_group_rule")
	if err != nil {
		return err
	}
	if err := doc.check(); err != nil {
		return err
	}
	if doc.RemoteGroupID != nil {
		if _, err := n.groups.find(who, *doc.RemoteGroupID); err != nil {
			return err
		}
	}
	for _, other := range n.rulesOf(group.ID) {
		if other.same(doc) {
			return fabric.Typed(http.StatusConflict, "SecurityGroupRuleExists", "Security group rule already exists. Rule id is %s.", other.ID)
		}
	}
	return nil
}

// protocols are the names that need no number.
var protocols = []string{"tcp", "udp", "icmp", "icmpv6", "ipv6-icmp", "sctp", "udplite", "dccp", "ah", "esp", "gre", "igmp", "vrrp",
	"ospf", "pgm", "rsvp", "egp", "ipip", "ipv6-encap", "ipv6-frag", "ipv6-nonxt", "ipv6-opts", "ipv6-route", "any"}

func (doc *SecurityGroupRule) check() error {
	if doc.Direction != "ingress" && doc.Direction != "egress" {
		return fabric.BadRequest("Invalid input for direction. Reason: %s is not in valid_values.", doc.Direction)
	}
	switch strings.ToLower(doc.EtherType) {
	case "ipv4", "":
		doc.EtherType = "IPv4"
	case "ipv6":
		doc.EtherType = "IPv6"
	default:
		return fabric.Typed(http.StatusBadRequest, "SecurityGroupRuleInvalidEtherType",
			"Security group rule for ethertype '%s' not supported. Allowed values are ['IPv4', 'IPv6'].", doc.EtherType)
	}
	if p := strings.ToLower(deref(doc.Protocol)); doc.Protocol != nil {
		number, err := strconv.Atoi(p)
		if !slices.Contains(protocols, p) && (err != nil || number < 0 || number > 255) {
			return fabric.Typed(http.StatusBadRequest, "SecurityGroupRuleInvalidProtocol", "Security group rule protocol %s not supported.", p)
		}
		doc.Protocol = new(p)
		if p == "any" {
			doc.Protocol = nil
		}
	}
	if doc.PortMin != nil && doc.PortMax != nil && *doc.PortMin > *doc.PortMax && !strings.HasPrefix(deref(doc.Protocol), "icmp") {
		return fabric.Typed(http.StatusBadRequest, "SecurityGroupInvalidPortRange",
			"For TCP/UDP protocols, port_range_min must be <= port_range_max")
	}
	if doc.RemoteIPPrefix != nil && doc.RemoteGroupID != nil {
		return fabric.Typed(http.StatusBadRequest, "SecurityGroupMultipleRemoteEntites",
			"Only one of remote_ip_prefix, remote_group_id and remote_address_group_id may be provided.")
	}
	return doc.normalize()
}

// normalize writes the prefix as a network.
func (doc *SecurityGroupRule) normalize() error {
	if doc.RemoteIPPrefix == nil {
		return nil
	}
	prefix, err := netip.ParsePrefix(*doc.RemoteIPPrefix)
	if address, bad := netip.ParseAddr(*doc.RemoteIPPrefix); err != nil && bad == nil {
		prefix, err = address.Prefix(address.BitLen())
	}
	if err != nil {
		return fabric.BadRequest("Invalid input for remote_ip_prefix. Reason: '%s' is not a valid IP subnet.", *doc.RemoteIPPrefix)
	}
	if prefix.Addr().Is4() != (doc.EtherType == "IPv4") {
		return fabric.Typed(http.StatusBadRequest, "SecurityGroupRuleParameterConflict",
			"Conflicting value ethertype %s for CIDR %s", doc.EtherType, *doc.RemoteIPPrefix)
	}
	doc.NormalizedCIDR = new(prefix.Masked().String())
	return nil
}

// same tells whether two rules let the same through.
func (doc *SecurityGroupRule) same(other *SecurityGroupRule) bool {
	number := func(p *int) int {
		if p == nil {
			return -1
		}
		return *p
	}
	return doc.EtherType == other.EtherType && doc.Direction == other.Direction &&
		deref(doc.Protocol) == deref(other.Protocol) && number(doc.PortMin) == number(other.PortMin) &&
		number(doc.PortMax) == number(other.PortMax) && deref(doc.NormalizedCIDR) == deref(other.NormalizedCIDR) &&
		deref(doc.RemoteGroupID) == deref(other.RemoteGroupID)
}

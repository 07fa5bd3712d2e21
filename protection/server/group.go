package server

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/gophercloud/gophercloud/v2"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/protection"
)

// defaultGroup is the name of the group that every project has, and that can be
// neither made nor deleted.
const defaultGroup = "default"

// securityGroups gives all the groups that the tenant sees.
func securityGroups(ctx context.Context, network api) ([]securityGroup, error) {
	groups, err := all[securityGroup](ctx, network, "security-groups", nil)
	return groups, openstack.Explain(err, "listing the security groups")
}

// usedGroups gives those of the project's groups that ports are in, and those that
// their rules refer to, in the order of their ids.
func usedGroups(all []securityGroup, ports []port, project string) []securityGroup {
	byID := map[string]securityGroup{}
	for _, g := range all {
		if g.ProjectID == project {
			byID[g.ID] = g
		}
	}
	var wanted []string
	for _, p := range ports {
		wanted = append(wanted, p.SecurityGroups...)
	}
	var used []securityGroup
	for len(wanted) > 0 {
		g, unused := byID[wanted[0]]
		delete(byID, wanted[0])
		wanted = wanted[1:]
		if !unused {
			continue
		}
		g.Tags = untagged(g.Tags)
		g.Rules = slices.Clone(g.Rules)
		for i, r := range g.Rules {
			g.Rules[i].ID = ""
			if r.RemoteGroupID != nil {
				wanted = append(wanted, *r.RemoteGroupID)
			}
		}
		slices.SortFunc(g.Rules, func(a, b securityRule) int { return strings.Compare(a.key(), b.key()) })
		used = append(used, g)
	}
	slices.SortFunc(used, func(a, b securityGroup) int { return strings.Compare(a.ID, b.ID) })
	return used
}

// key tells rules apart as Neutron does.
func (r securityRule) key() string {
	text := func(s *string) string {
		if s == nil {
			return ""
		}
		return strings.ToLower(*s)
	}
	number := func(n *int) string {
		if n == nil {
			return ""
		}
		return strconv.Itoa(*n)
	}
	prefix := text(r.RemoteIPPrefix)
	if prefix == "0.0.0.0/0" || prefix == "::/0" {
		prefix = ""
	}
	return strings.Join([]string{r.Direction, r.EtherType, text(r.Protocol), number(r.PortRangeMin), number(r.PortRangeMax),
		prefix, text(r.RemoteGroupID), text(r.RemoteAddressGroupID)}, "|")
}

// securityGroups makes those groups of the server anew that nothing takes the place
// of: a group is a part of the networks that are protected with the server, but it
// may be used on another project's network alone.
func (b *builder) securityGroups(ctx context.Context) error {
	var wanted []securityGroup
	for _, g := range b.doc.SecurityGroups {
		if g.Name != defaultGroup && b.call.NewResources.Part(g.ID) == "" && b.call.Instead(protection.MapSecurityGroups, g.ID, g.Name) == "" {
			wanted = append(wanted, g)
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	return b.call.InTurn(ctx, protection.NetworkingTurn, func(ctx context.Context) error { return b.makeGroups(ctx, wanted) })
}

// makeGroups is securityGroups, in turn.
func (b *builder) makeGroups(ctx context.Context, wanted []securityGroup) error {
	var made []securityGroup
	for _, g := range wanted {
		find := func(ctx context.Context) (string, error) {
			ours, err := findMade(ctx, b.network, "security-groups", b.call, g.ID)
			if err != nil || len(ours) == 0 {
				return "", err
			}
			return ours[0].ID, nil
		}
		id, err := find(ctx)
		if err != nil {
			return err
		}
		if id == "" {
			// One that this restore did not make is taken as it is.
			there, err := b.group(ctx, g.ID, g.Name)
			if err != nil {
				return err
			}
			if there != "" {
				continue
			}
			h := protection.Holding{Kind: protection.HeldSecurityGroup}
			id, err = openstack.MakeRestored(ctx, b.call, h, "security group for "+g.ID, find, func(ctx context.Context) (string, error) {
				return b.makeGroup(ctx, g)
			})
			if err != nil {
				return err
			}
		}
		if err := b.tag(ctx, "security-groups", id, g.ID, g.Tags); err != nil {
			return err
		}
		b.groupIDs[g.ID] = id
		made = append(made, g)
	}
	// The rules may refer to any of the groups; the descriptions say that all is there.
	for _, g := range made {
		if err := b.rules(ctx, g); err != nil {
			return err
		}
		if err := b.describe(ctx, "security-groups", "security_group", b.groupIDs[g.ID], g.ID, g.Description); err != nil {
			return err
		}
	}
	return nil
}

func (b *builder) makeGroup(ctx context.Context, g securityGroup) (string, error) {
	body := map[string]any{"name": g.Name, "description": marks(b.call, g.ID)[0]}
	if g.Stateful != nil && !*g.Stateful {
		body["stateful"] = false
	}
	var made labelled
	err := b.network.post(ctx, "security-groups", map[string]any{"security_group": body}, "security_group", &made)
	return made.ID, openstack.Explain(err, "creating the security group that takes the place of security group %s", g.ID)
}

// group gives the group that takes the place of an original: the restored one, the
// original itself, or the only one that has its name; or "".
func (b *builder) group(ctx context.Context, original, name string) (string, error) {
	if other := b.call.Instead(protection.MapSecurityGroups, original, name); other != "" {
		return b.mappedGroup(ctx, original, other)
	}
	if id := protection.First(b.call.NewResources.Part(original), b.groupIDs[original]); id != "" {
		return id, nil
	}
	there, err := securityGroups(ctx, b.network)
	if err != nil {
		return "", err
	}
	if slices.ContainsFunc(there, func(g securityGroup) bool { return g.ID == original }) {
		return original, nil
	}
	named := namesakes(there, name, b.call.Cloud.ProjectID())
	if len(named) != 1 {
		return "", nil // of several, each may open something else
	}
	if name == defaultGroup {
		b.call.NotKept("The server is in this project's security group \"default\", which has its own rules.")
	}
	return named[0], nil
}

// namesakes gives the ids of a project's security groups of a name.
func namesakes(all []securityGroup, name, project string) []string {
	var ids []string
	for _, g := range all {
		if g.Name == name && name != "" && g.ProjectID == project {
			ids = append(ids, g.ID)
		}
	}
	return ids
}

// rules gives a group that this restore made the rules of the original, and takes
// those away that Neutron made on its own.
func (b *builder) rules(ctx context.Context, g securityGroup) error {
	id := b.groupIDs[g.ID]
	var now securityGroup
	if err := b.network.get(ctx, "security-groups/"+id, nil, "security_group", &now); err != nil {
		return openstack.Explain(err, "reading security group %s", id)
	}
	spare := map[string]string{}
	for _, r := range now.Rules {
		spare[r.key()] = r.ID
	}
	for _, r := range g.Rules {
		wanted, err := b.mapRule(ctx, g, &r)
		if err != nil {
			return err
		}
		if !wanted {
			continue
		}
		if _, there := spare[r.key()]; there {
			delete(spare, r.key())
			continue
		}
		if err := b.rule(ctx, id, g, r); err != nil {
			return err
		}
	}
	for _, rule := range spare {
		if err := b.network.remove(ctx, "security-group-rules/"+rule); err != nil {
			return openstack.Explain(err, "deleting a rule of security group %s", id)
		}
	}
	return nil
}

// mapRule has a rule refer to the group that takes the original's place. It reports
// whether the rule can be made.
func (b *builder) mapRule(ctx context.Context, g securityGroup, r *securityRule) (bool, error) {
	if r.RemoteAddressGroupID != nil && *r.RemoteAddressGroupID != "" {
		b.call.NotKept(fmt.Sprintf("A rule of security group %q is missing: it refers to an address group.", g.Name))
		return false, nil
	}
	if r.RemoteGroupID == nil {
		return true, nil
	}
	name := ""
	for _, other := range b.doc.SecurityGroups {
		if other.ID == *r.RemoteGroupID {
			name = other.Name
		}
	}
	id, err := b.group(ctx, *r.RemoteGroupID, name)
	if err == nil && id == "" {
		b.call.NotKept(fmt.Sprintf("A rule of security group %q is missing: it refers to security group %s, which is not there.", g.Name, *r.RemoteGroupID))
	}
	r.RemoteGroupID = &id
	return id != "", err
}

func (b *builder) rule(ctx context.Context, id string, g securityGroup, r securityRule) error {
	err := b.network.post(ctx, "security-group-rules", map[string]any{"security_group_rule": map[string]any{
		"security_group_id": id, "description": r.Description, "direction": r.Direction, "ethertype": r.EtherType,
		"protocol": r.Protocol, "port_range_min": r.PortRangeMin, "port_range_max": r.PortRangeMax,
		"remote_ip_prefix": r.RemoteIPPrefix, "remote_group_id": r.RemoteGroupID,
	}}, "", nil)
	explained := openstack.Explain(err, "creating a rule of security group %q (%s)", g.Name, id)
	if gophercloud.ResponseCodeIs(err, http.StatusConflict) && karbor.KindOf(explained) != karbor.OverLimit {
		return nil // it is there
	}
	return explained
}

// removeGroups deletes the groups that this restore made, but for those of stay. Groups may refer to each
// other: such rules go first. A group that another server's port is still in makes
// a transient error: that server's own Undo is on its way.
func removeGroups(ctx context.Context, network api, call *protection.Call, groups []securityGroup, stay []string) error {
	var ids []string
	for _, g := range groups {
		made, err := findMade(ctx, network, "security-groups", call, g.ID)
		if err != nil {
			return err
		}
		for _, m := range made {
			if slices.Contains(stay, m.ID) {
				continue
			}
			ids = append(ids, m.ID)
			rules, err := all[securityRule](ctx, network, "security-group-rules", url.Values{"security_group_id": {m.ID}})
			if err != nil {
				return openstack.Explain(err, "listing the rules of security group %s", m.ID)
			}
			for _, r := range rules {
				if r.RemoteGroupID == nil {
					continue
				}
				if err := network.remove(ctx, "security-group-rules/"+r.ID); err != nil {
					return openstack.Explain(err, "deleting a rule of security group %s", m.ID)
				}
			}
		}
	}
	for _, id := range ids {
		if err := network.remove(ctx, "security-groups/"+id); err != nil {
			return openstack.Explain(err, "deleting security group %s", id)
		}
	}
	return nil
}

package network

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/gophercloud/gophercloud/v2"

	"github.com/karbor/karbor/internal/openstack"
)

// defaultGroup is the name of the group that every project has, and that can be
// neither made nor deleted.
const defaultGroup = "default"

// restoreRecord is the scratch record of a restore.
type restoreRecord struct {
	// DefaultRules are the ids of the rules that the default security group had
	// before this restore added any.
	DefaultRules map[string]bool `json:"default_rules,omitempty"`
	DefaultGroup string          `json:"default_group,omitempty"`
}

// key tells rules apart as Neutron does.
func (r rule) key() string {
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

// groups reuses or makes the security groups, then their rules, which may refer
// to any of the groups.
func (b *builder) groups(ctx context.Context) error {
	for _, g := range b.doc.SecurityGroups {
		if err := b.group(ctx, g); err != nil {
			return err
		}
	}
	for _, g := range b.doc.SecurityGroups {
		if b.made[g.ID] || g.Name == defaultGroup && b.ids[g.ID] != "" {
			if err := b.rules(ctx, g); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *builder) group(ctx context.Context, g group) error {
	var now group
	err := b.neutron.show(ctx, groupKind, g.ID, &now)
	if err != nil && !openstack.IsNotFound(err) {
		return err
	}
	if err == nil {
		b.ids[g.ID] = g.ID
		return nil
	}
	if g.Name == defaultGroup {
		return b.useDefault(ctx, g)
	}
	body := map[string]any{"name": g.Name}
	if g.Stateful != nil && !*g.Stateful {
		body["stateful"] = false
	}
	_, err = b.ensure(ctx, groupKind, g.common, body)
	return err
}

// useDefault has the project's own default group take the original's place.
func (b *builder) useDefault(ctx context.Context, g group) error {
	found, err := list[group](ctx, b.neutron, groupKind, url.Values{"name": {defaultGroup}, "project_id": {b.call.Cloud.ProjectID()}})
	if err != nil {
		return err
	}
	for _, f := range found {
		if f.Name == defaultGroup && f.ProjectID == b.call.Cloud.ProjectID() {
			b.ids[g.ID] = f.ID
			return nil
		}
	}
	b.call.NotKept("The project has no security group named default: what was in the original's is in none.")
	return nil
}

// rules gives a group the rules of the original. Of a new group those that
// Neutron made on its own are taken away; the default group only gains.
func (b *builder) rules(ctx context.Context, g group) error {
	var now group
	if err := b.neutron.show(ctx, groupKind, b.ids[g.ID], &now); err != nil {
		return err
	}
	if !b.made[g.ID] {
		if err := b.noteDefault(ctx, now); err != nil {
			return err
		}
	}
	have := map[string]rule{}
	for _, r := range now.Rules {
		have[r.key()] = r
	}
	want := map[string]bool{}
	for _, r := range g.Rules {
		if r.RemoteAddressGroupID != nil && *r.RemoteAddressGroupID != "" {
			b.call.NotKept(fmt.Sprintf("A rule of security group %q is missing: it refers to an address group.", g.Name))
			continue
		}
		if r.RemoteGroupID != nil {
			id := b.remote(ctx, *r.RemoteGroupID)
			if id == "" {
				b.call.NotKept(fmt.Sprintf("A rule of security group %q is missing: it refers to security group %s, which is not there.", g.Name, *r.RemoteGroupID))
				continue
			}
			r.RemoteGroupID = &id
		}
		want[r.key()] = true
		if _, there := have[r.key()]; there {
			continue
		}
		if err := b.rule(ctx, now.ID, g, r); err != nil {
			return err
		}
	}
	for key, r := range have {
		if b.made[g.ID] && !want[key] {
			if err := b.neutron.remove(ctx, ruleKind, r.ID); err != nil {
				return err
			}
		}
	}
	return nil
}

// remote gives the group that takes the place of one that a rule refers to.
func (b *builder) remote(ctx context.Context, original string) string {
	if id := b.ids[original]; id != "" {
		return id
	}
	var g common
	if err := b.neutron.show(ctx, groupKind, original, &g); err != nil {
		return ""
	}
	return original
}

func (b *builder) rule(ctx context.Context, id string, g group, r rule) error {
	err := b.neutron.create(ctx, ruleKind, map[string]any{
		"security_group_id": id, "description": r.Description, "direction": r.Direction, "ethertype": r.EtherType,
		"protocol": r.Protocol, "port_range_min": r.PortRangeMin, "port_range_max": r.PortRangeMax,
		"remote_ip_prefix": r.RemoteIPPrefix, "remote_group_id": r.RemoteGroupID,
	}, nil)
	if gophercloud.ResponseCodeIs(err, 409) && !isQuota(err) {
		return nil // it is there
	}
	return openstack.Explain(err, "creating a rule of security group %q (%s)", g.Name, id)
}

// noteDefault records, once, which rules the default group had before.
func (b *builder) noteDefault(ctx context.Context, now group) error {
	var record restoreRecord
	if err := b.call.Scratch.Load(ctx, &record); err != nil || record.DefaultRules != nil {
		return err
	}
	record.DefaultGroup, record.DefaultRules = now.ID, map[string]bool{}
	for _, r := range now.Rules {
		record.DefaultRules[r.ID] = true
	}
	return b.call.Scratch.Save(ctx, record)
}

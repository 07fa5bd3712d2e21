package network

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/gophercloud/gophercloud/v2"

	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/protection"
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
		var err error
		switch {
		case b.call.Instead(protection.MapSecurityGroups, g.ID, g.Name) != "": // that one stays as it is
		case b.made[g.ID]:
			err = b.rules(ctx, g)
		case g.Name == defaultGroup && b.ids[g.ID] != "":
			err = b.defaultRules(ctx, g)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (b *builder) group(ctx context.Context, g group) error {
	if mapped, err := b.mappedGroup(ctx, g); err != nil || mapped {
		return err
	}
	var now group
	err := b.neutron.show(ctx, groupKind, g.ID, &now)
	if err != nil && !openstack.IsNotFound(err) {
		return err
	}
	// An administrator sees the default groups of other projects, too.
	foreign := g.Name == defaultGroup && now.ProjectID != b.call.Cloud.ProjectID()
	if err == nil && !foreign {
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

// rules gives a group that this restore made the rules of the original. Those that
// Neutron made on its own are taken away.
func (b *builder) rules(ctx context.Context, g group) error {
	var now group
	if err := b.neutron.show(ctx, groupKind, b.ids[g.ID], &now); err != nil {
		return err
	}
	missing, more := b.compare(ctx, g, now)
	for _, r := range missing {
		if err := b.rule(ctx, now.ID, g, r); err != nil {
			return err
		}
	}
	for _, r := range more {
		if err := b.neutron.remove(ctx, ruleKind, r.ID); err != nil {
			return err
		}
	}
	return nil
}

// defaultRules sees to the default group, which servers are in that have nothing to
// do with the restore. Where it is the original itself, the tenant may have closed
// since what the checkpoint's rules open: it stays as it is, unless he asks for the
// rules. In another project or cloud it gets the rules that it lacks. Either way the
// tenant is told.
func (b *builder) defaultRules(ctx context.Context, g group) error {
	var now group
	if err := b.neutron.show(ctx, groupKind, b.ids[g.ID], &now); err != nil {
		return err
	}
	missing, more := b.compare(ctx, g, now)
	asked, _ := b.call.Parameters["restore_default_rules"].(bool)
	if now.ID == g.ID && !asked {
		if len(missing)+len(more) > 0 {
			b.call.NotKept(fmt.Sprintf("The security group \"default\" stays as it is: %s of the original's missing, %s not the original's. "+
				"The restore parameter restore_default_rules adds the missing ones.", count(len(missing)), count(len(more))))
		}
		return nil
	}
	before, err := b.noteDefault(ctx, now)
	if err != nil {
		return err
	}
	added := len(missing)
	for _, r := range now.Rules {
		if !before[r.ID] && !slices.ContainsFunc(more, func(other rule) bool { return other.ID == r.ID }) {
			added++ // by an earlier run
		}
	}
	for _, r := range missing {
		if err := b.rule(ctx, now.ID, g, r); err != nil {
			return err
		}
	}
	if added > 0 {
		b.call.NotKept(fmt.Sprintf("The security group \"default\" was there already: it got the rules of the original that it lacked (%d).", added))
	}
	if len(more) > 0 {
		b.call.NotKept(fmt.Sprintf("The security group \"default\" keeps the rules that the original does not have (%d).", len(more)))
	}
	return nil
}

func count(n int) string {
	if n == 1 {
		return "1 rule is"
	}
	return fmt.Sprintf("%d rules are", n)
}

// compare gives the original's rules that a group lacks, as they have to be made, and
// the group's rules that the original does not have.
func (b *builder) compare(ctx context.Context, g, now group) (missing, more []rule) {
	have := map[string]rule{}
	for _, r := range now.Rules {
		have[r.key()] = r
	}
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
		if _, there := have[r.key()]; there {
			delete(have, r.key())
			continue
		}
		missing = append(missing, r)
	}
	for _, r := range have {
		more = append(more, r)
	}
	return missing, more
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
	create := func(ctx context.Context) (string, error) {
		var made common
		err := b.neutron.create(ctx, ruleKind, map[string]any{
			"security_group_id": id, "description": r.Description, "direction": r.Direction, "ethertype": r.EtherType,
			"protocol": r.Protocol, "port_range_min": r.PortRangeMin, "port_range_max": r.PortRangeMax,
			"remote_ip_prefix": r.RemoteIPPrefix, "remote_group_id": r.RemoteGroupID,
		}, &made)
		return made.ID, err
	}
	var err error
	if b.made[g.ID] {
		_, err = create(ctx) // what comes too late goes with the group
	} else {
		find := func(ctx context.Context) (string, error) { return b.findRule(ctx, id, r.key()) }
		_, err = openstack.Make(ctx, b.call, "rule "+r.key()+" of security group "+g.Name, find, create)
	}
	if gophercloud.ResponseCodeIs(err, 409) && !isQuota(err) {
		return nil // it is there
	}
	return openstack.Explain(err, "creating a rule of security group %q (%s)", g.Name, id)
}

// findRule gives the id of the rule of a group that has a key, or "".
func (b *builder) findRule(ctx context.Context, group, key string) (string, error) {
	now, err := b.showGroup(ctx, group)
	for _, r := range now.Rules {
		if r.key() == key {
			return r.ID, err
		}
	}
	return "", err
}

func (b *builder) showGroup(ctx context.Context, id string) (now group, err error) {
	err = b.neutron.show(ctx, groupKind, id, &now)
	return now, err
}

// noteDefault records, once, which rules the default group had before this restore
// added any, and gives them.
func (b *builder) noteDefault(ctx context.Context, now group) (map[string]bool, error) {
	var record restoreRecord
	if err := b.call.Scratch.Load(ctx, &record); err != nil || record.DefaultRules != nil {
		return record.DefaultRules, err
	}
	record.DefaultGroup, record.DefaultRules = now.ID, map[string]bool{}
	for _, r := range now.Rules {
		record.DefaultRules[r.ID] = true
	}
	return record.DefaultRules, b.call.Scratch.Save(ctx, record)
}

package network

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"slices"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/protection"
)

// restore is the Main hook of restore. Everything that it makes it looks for
// first, so that it can run again, and so that the nodes of one restore that have
// routers, security groups or networks in common make each once.
func (r *room) restore(ctx context.Context, call *protection.Call) error {
	var doc document
	if err := call.Documents.GetJSON(ctx, documentKey, &doc); err != nil {
		return err
	}
	return call.InTurn(ctx, protection.NetworkingTurn, func(ctx context.Context) error { return r.build(ctx, call, doc) })
}

// build is restore, in turn.
func (r *room) build(ctx context.Context, call *protection.Call, doc document) error {
	client, err := openstack.Network(ctx, call.Cloud)
	if err != nil {
		return err
	}
	b := &builder{neutron: neutron{client}, call: call, doc: doc, ids: map[string]string{}, made: map[string]bool{}}
	if err := b.groups(ctx); err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{b.networks, b.subnets, b.routers, b.interfaces, b.routes, b.ports, b.finish, b.lacking} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	for original, id := range b.ids {
		if err := call.NewResources.SetPart(ctx, original, id); err != nil {
			return err
		}
	}
	if doc.Project {
		return call.NewResources.Set(ctx, call.Cloud.ProjectID())
	}
	if len(doc.Networks) != 1 {
		return fmt.Errorf("restoring network %s: its document holds %d networks", call.Node.ID, len(doc.Networks))
	}
	return call.NewResources.Set(ctx, b.ids[doc.Networks[0].ID])
}

// builder makes a topology.
type builder struct {
	neutron neutron
	call    *protection.Call
	doc     document
	// ids maps original ids to those of what takes their place.
	ids map[string]string
	// made holds the originals whose place something new takes.
	made map[string]bool
	// reused are the networks that are used as they are.
	reused []network
	// begun are the new things, which bear the mark until all of them are there.
	begun []begun
}

// begun is something new.
type begun struct {
	kind     kind
	id       string
	original common
}

// copying reports whether a new copy was asked for although the original exists.
func (b *builder) copying() bool { return b.call.Text("restore_name") != "" }

// find gives what this restore made for an original. Of several that racing
// processes made, the one with the lowest id is it.
func (b *builder) find(ctx context.Context, k kind, original string) (common, error) {
	made, err := findMade(ctx, b.neutron, k, b.call, original)
	if err != nil || len(made) == 0 {
		return common{}, err
	}
	return made[0], nil
}

// finder gives find in the form of openstack.Make.
func (b *builder) finder(k kind, original string) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		found, err := b.find(ctx, k, original)
		return found.ID, err
	}
}

// findMade gives all that a restore's hooks made for an original, in the order of the
// ids: what has the tags, and what has only its mark yet.
func findMade(ctx context.Context, n neutron, k kind, call *protection.Call, original string) ([]common, error) {
	tags, born := []string{protection.OwnerMark(call.Owner), originalTag(original)}, marks(call, original)
	tagged, err := list[common](ctx, n, k, url.Values{"tags": {tags[0] + "," + tags[1]}})
	if err != nil {
		return nil, err
	}
	marked, err := list[common](ctx, n, k, url.Values{"description": born})
	if err != nil {
		return nil, err
	}
	var made []common
	for _, c := range append(tagged, marked...) {
		ours := slices.Contains(c.Tags, tags[0]) && slices.Contains(c.Tags, tags[1]) || slices.Contains(born, c.Description)
		if ours && !slices.ContainsFunc(made, func(m common) bool { return m.ID == c.ID }) {
			made = append(made, c)
		}
	}
	slices.SortFunc(made, func(a, b common) int { return cmp.Compare(a.ID, b.ID) })
	return made, nil
}

// ensure gives what takes the place of an original, and makes it with body if
// there is nothing yet. Neutron can't make and tag in one call: the thing is born
// with its mark as the description, then tagged, so that it is known whatever its tenant
// writes there. It gets its description at the end of the hook, so that one which a lost
// restore has left tells whose it is.
// The nodes of one restore take turns, so nobody else makes it at the same time.
func (b *builder) ensure(ctx context.Context, k kind, original common, body map[string]any) (string, error) {
	id, err := b.make(ctx, k, original, body)
	if err != nil {
		return "", err
	}
	b.begun = append(b.begun, begun{k, id, original})
	b.ids[original.ID], b.made[original.ID] = id, true
	return id, nil
}

// make is ensure for what the caller finishes himself.
func (b *builder) make(ctx context.Context, k kind, original common, body map[string]any) (string, error) {
	found, err := b.find(ctx, k, original.ID)
	if err != nil {
		return "", err
	}
	if found.ID == "" {
		if found.ID, err = b.bear(ctx, k, original, body); err != nil {
			return "", err
		}
	}
	return found.ID, b.tag(ctx, k, found, original)
}

// bear makes what takes the place of an original, with its mark.
func (b *builder) bear(ctx context.Context, k kind, original common, body map[string]any) (string, error) {
	body["description"] = marks(b.call, original.ID)[0]
	id, err := openstack.Make(ctx, b.call, k.word()+" for "+original.ID, b.finder(k, original.ID), func(ctx context.Context) (string, error) {
		var made common
		err := b.neutron.create(ctx, k, body, &made)
		return made.ID, err
	})
	if err == nil {
		return id, nil
	}
	// It may be there after all: an answer may have been lost.
	found, again := b.find(ctx, k, original.ID)
	switch {
	case found.ID != "":
		return found.ID, nil
	case again != nil:
		return "", again // nobody knows whether it is there
	}
	return "", openstack.Explain(err, "creating the %s that takes the place of %s %s", k.word(), k.word(), original.ID)
}

// tag gives a thing that the restore has made its tags, unless it has them.
func (b *builder) tag(ctx context.Context, k kind, made, original common) error {
	want := append(slices.Clone(original.Tags), protection.OwnerMark(b.call.Owner), originalTag(original.ID))
	slices.Sort(want)
	if slices.Equal(slices.Sorted(slices.Values(made.Tags)), want) {
		return nil
	}
	return openstack.Explain(b.neutron.retag(ctx, k, made.ID, want), "tagging %s %s", k.word(), made.ID)
}

// finish takes the marks away.
func (b *builder) finish(ctx context.Context) error {
	for _, n := range b.begun {
		if err := b.describe(ctx, n.kind, n.id, n.original); err != nil {
			return err
		}
	}
	return nil
}

// describe gives a new thing its description.
func (b *builder) describe(ctx context.Context, k kind, id string, original common) error {
	var now common
	if err := b.neutron.show(ctx, k, id, &now); err != nil {
		return err
	}
	own := protection.Described(original.Description)
	if now.Description == own {
		return nil
	}
	err := b.neutron.update(ctx, k, id, map[string]any{"description": own})
	return openstack.Explain(err, "describing %s %s", k.word(), id)
}

// networks reuses or makes the networks.
func (b *builder) networks(ctx context.Context) error {
	for _, n := range b.doc.Networks {
		if mapped, err := b.mapped(ctx, n); err != nil || mapped {
			if err != nil {
				return err
			}
			continue
		}
		if !b.copying() {
			usable, err := b.usable(ctx, n.ID)
			if err != nil {
				return err
			}
			if usable {
				b.ids[n.ID], b.reused = n.ID, append(b.reused, n)
				continue
			}
		}
		if err := b.network(ctx, n); err != nil {
			return err
		}
	}
	return nil
}

// usable reports whether a network is still there for this tenant.
func (b *builder) usable(ctx context.Context, id string) (bool, error) {
	var n network
	err := b.neutron.show(ctx, networkKind, id, &n)
	if openstack.IsNotFound(err) {
		return false, nil
	}
	return err == nil && (n.ProjectID == b.call.Cloud.ProjectID() || n.Shared || n.External), err
}

func (b *builder) network(ctx context.Context, n network) error {
	body := map[string]any{"name": b.name(n), "admin_state_up": n.AdminStateUp}
	if n.MTU > 0 {
		body["mtu"] = n.MTU
	}
	if n.PortSecurity != nil {
		body["port_security_enabled"] = *n.PortSecurity
	}
	if n.DNSDomain != "" {
		body["dns_domain"] = n.DNSDomain
	}
	if len(n.AvailabilityZoneHints) > 0 {
		body["availability_zone_hints"] = n.AvailabilityZoneHints
	}
	_, err := b.ensure(ctx, networkKind, n.common, body)
	// What another cloud may not have, or not allow, is not worth the network.
	for _, optional := range []string{"availability_zone_hints", "dns_domain", "mtu", "port_security_enabled"} {
		if _, set := body[optional]; !set || err == nil || !refused(err) {
			continue
		}
		delete(body, optional)
		if _, err = b.ensure(ctx, networkKind, n.common, body); err == nil {
			b.call.NotKept(fmt.Sprintf("The network %q does not have the original's %s: the cloud refused it.", n.Name, optional))
		}
	}
	if err != nil {
		return err
	}
	switch {
	case n.External:
		b.call.NotKept(fmt.Sprintf("The network %q is not an external network: only an administrator can make one.", n.Name))
	case n.Shared:
		b.call.NotKept(fmt.Sprintf("The network %q is not shared with other projects.", n.Name))
	}
	if n.QoSPolicyID != nil && *n.QoSPolicyID != "" {
		b.call.NotKept(fmt.Sprintf("The network %q has no QoS policy: the original had one.", n.Name))
	}
	return nil
}

// name gives the name of a network's copy.
func (b *builder) name(n network) string {
	asked := b.call.Text("restore_name")
	if asked != "" && b.doc.Project && len(b.doc.Networks) > 1 {
		return asked + "-" + n.Name
	}
	return b.call.RestoredName(n.Name)
}

// refused reports whether the cloud will never accept a request as it is.
func refused(err error) bool {
	kind := karbor.KindOf(err)
	return err != nil && !karbor.IsTransient(err) &&
		(kind == karbor.Forbidden || kind == karbor.Invalid || kind == karbor.Conflict || kind == karbor.NotFound)
}

// subnets makes the subnets of the networks that are new.
func (b *builder) subnets(ctx context.Context) error {
	for _, s := range b.doc.Subnets {
		if !b.made[s.NetworkID] {
			continue
		}
		body := map[string]any{
			"name": s.Name, "network_id": b.ids[s.NetworkID], "ip_version": s.IPVersion, "cidr": s.CIDR,
			"gateway_ip": s.GatewayIP, "enable_dhcp": s.EnableDHCP, "allocation_pools": s.AllocationPools,
			"dns_nameservers": orEmpty(s.DNSNameservers), "host_routes": orEmpty(s.HostRoutes),
		}
		if s.IPv6AddressMode != nil && *s.IPv6AddressMode != "" {
			body["ipv6_address_mode"] = *s.IPv6AddressMode
		}
		if s.IPv6RAMode != nil && *s.IPv6RAMode != "" {
			body["ipv6_ra_mode"] = *s.IPv6RAMode
		}
		if len(s.ServiceTypes) > 0 {
			body["service_types"] = s.ServiceTypes
		}
		if len(s.AllocationPools) == 0 {
			delete(body, "allocation_pools")
		}
		if _, err := b.ensure(ctx, subnetKind, s.common, body); err != nil {
			return err
		}
	}
	return nil
}

func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

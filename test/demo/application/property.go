package application

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// Properties are what the cloud says of an application, in a form without ids
// or times, so that an application and its restored twin have the same: "server
// web: metadata" is a key, and a value is JSON.
type Properties map[string]string

// Differences gives a sentence for each property that differs, sorted.
func (p Properties) Differences(other Properties) []string {
	var out []string
	for k, v := range p {
		if w, ok := other[k]; !ok {
			out = append(out, fmt.Sprintf("%s: %s is gone", k, v))
		} else if v != w {
			out = append(out, fmt.Sprintf("%s: %s became %s", k, v, w))
		}
	}
	for k, w := range other {
		if _, ok := p[k]; !ok {
			out = append(out, fmt.Sprintf("%s: %s is new", k, w))
		}
	}
	slices.Sort(out)
	return out
}

func (p Properties) set(of, name string, value any) {
	text, err := json.Marshal(value)
	if err != nil {
		text = []byte(fmt.Sprintf("%v", value))
	}
	p[of+": "+name] = string(text)
}

// take sets the members of an object that are to be the same after a restore.
func (p Properties) take(of string, d document, members ...string) {
	for _, m := range members {
		p.set(of, m, d[m])
	}
}

// Properties asks the cloud for all of them, by the parts' names.
func (c *Cloud) Properties(ctx context.Context, app *Application) (Properties, error) {
	p := Properties{}
	for _, part := range []func(context.Context, *Application, Properties) error{
		c.networkProperties, c.routerProperties, c.groupProperties, c.serverProperties, c.volumeProperties, c.keyProperties,
	} {
		if err := part(ctx, app, p); err != nil {
			return nil, fmt.Errorf("reading the properties: %w", err)
		}
	}
	return p, nil
}

func (c *Cloud) networkProperties(ctx context.Context, app *Application, p Properties) error {
	n, err := named(ctx, c.network, "networks", "networks", app.Name+network)
	if err != nil {
		return err
	}
	p.take("network", n, "name", "description", "admin_state_up", "shared", "mtu", "port_security_enabled", "router:external")
	subnets, err := find(ctx, c.network, "subnets?network_id="+n.text("id"), "subnets", nil)
	if err != nil {
		return err
	}
	for _, s := range subnets {
		p.take("subnet "+s.text("name"), s, "cidr", "ip_version", "gateway_ip", "allocation_pools", "dns_nameservers",
			"host_routes", "enable_dhcp", "description")
	}
	return nil
}

func (c *Cloud) routerProperties(ctx context.Context, app *Application, p Properties) error {
	r, err := named(ctx, c.network, "routers", "routers", app.Name+router)
	if err != nil {
		return err
	}
	p.take("router", r, "name", "description", "admin_state_up", "routes")
	outside := r.doc("external_gateway_info")
	if id := outside.text("network_id"); id != "" {
		// The external network is not the application's: it stays, with its id.
		p.set("router", "gateway", map[string]any{"network": id, "snat": outside["enable_snat"]})
	}
	ports, err := find(ctx, c.network, "ports?device_id="+r.text("id"), "ports", nil)
	if err != nil {
		return err
	}
	var addresses []string
	for _, port := range ports {
		if strings.HasPrefix(port.text("device_owner"), "network:router_interface") {
			for _, ip := range port.list("fixed_ips") {
				addresses = append(addresses, ip.text("ip_address"))
			}
		}
	}
	slices.Sort(addresses)
	p.set("router", "interfaces", addresses)
	return nil
}

func (c *Cloud) groupProperties(ctx context.Context, app *Application, p Properties) error {
	g, err := named(ctx, c.network, "security-groups", "security_groups", app.Name+group)
	if err != nil {
		return err
	}
	p.take("security group", g, "name", "description")
	var rules []string
	for _, r := range g.list("security_group_rules") {
		remote := r.text("remote_group_id")
		if remote == g.text("id") {
			remote = "itself"
		}
		text, err := json.Marshal([]any{r["direction"], r["ethertype"], r["protocol"], r["port_range_min"],
			r["port_range_max"], r["remote_ip_prefix"], remote, r["description"]})
		if err != nil {
			return fmt.Errorf("writing a rule: %w", err)
		}
		rules = append(rules, string(text))
	}
	slices.Sort(rules)
	p.set("security group", "rules", rules)
	return nil
}

func (c *Cloud) serverProperties(ctx context.Context, app *Application, p Properties) error {
	for _, name := range []string{app.Name + firstServer, app.Name + secondServer} {
		s, err := named(ctx, c.compute, "servers/detail", "servers", name)
		if err != nil {
			return err
		}
		of := "server " + name
		p.take(of, s, "status", "description", "metadata", "key_name", "config_drive", "OS-EXT-AZ:availability_zone", "flavor")
		tags, _ := s["tags"].([]any)
		p.set(of, "tags", sortedTexts(tags))
		var groups []any
		for _, g := range s.list("security_groups") {
			groups = append(groups, g.text("name"))
		}
		p.set(of, "security groups", slices.Compact(sortedTexts(groups)))
		if err := c.portProperties(ctx, s.text("id"), of, p); err != nil {
			return err
		}
		if err := c.attachmentProperties(ctx, s.text("id"), of, p); err != nil {
			return err
		}
	}
	return nil
}

func sortedTexts(items []any) []string {
	out := []string{}
	for _, item := range items {
		out = append(out, fmt.Sprint(item))
	}
	slices.Sort(out)
	return out
}

func (c *Cloud) portProperties(ctx context.Context, server, of string, p Properties) error {
	ports, err := find(ctx, c.network, "ports?device_id="+server, "ports", nil)
	if err != nil {
		return err
	}
	slices.SortFunc(ports, func(a, b document) int { return strings.Compare(a.text("mac_address"), b.text("mac_address")) })
	for i, port := range ports {
		var addresses []string
		for _, ip := range port.list("fixed_ips") {
			addresses = append(addresses, ip.text("ip_address"))
		}
		name := fmt.Sprintf("%s: port %d", of, i+1)
		p.set(name, "addresses", addresses)
		p.take(name, port, "name", "mac_address", "admin_state_up", "allowed_address_pairs", "port_security_enabled", "binding:vnic_type")
	}
	p.set(of, "ports", len(ports))
	return nil
}

func (c *Cloud) attachmentProperties(ctx context.Context, server, of string, p Properties) error {
	attached, err := find(ctx, c.compute, "servers/"+server+"/os-volume_attachments", "volumeAttachments", nil)
	if err != nil {
		return err
	}
	for _, a := range attached {
		v, err := call(ctx, c.volume, http.MethodGet, "volumes/"+a.text("volumeId"), nil)
		if err != nil {
			return err
		}
		p.set(of, "volume at "+a.text("device"), map[string]any{
			"name": v.doc("volume").text("name"), "delete_on_termination": a["delete_on_termination"]})
	}
	p.set(of, "volumes", len(attached))
	return nil
}

func (c *Cloud) volumeProperties(ctx context.Context, app *Application, p Properties) error {
	for _, name := range []string{app.Name + rootVolume, app.Name + dataVolume} {
		v, err := named(ctx, c.volume, "volumes/detail", "volumes", name)
		if err != nil {
			return err
		}
		p.take("volume "+name, v, "size", "bootable", "volume_type", "description", "status")
		metadata := v.doc("metadata")
		// What Karbor makes bears its marks, by which a repeated step finds it.
		maps.DeleteFunc(metadata, func(key string, _ any) bool { return strings.HasPrefix(key, "karbor_") })
		p.set("volume "+name, "metadata", metadata)
	}
	return nil
}

func (c *Cloud) keyProperties(ctx context.Context, app *Application, p Properties) error {
	d, err := call(ctx, c.compute, http.MethodGet, "os-keypairs/"+app.Name+key, nil)
	if err != nil {
		return err
	}
	p.take("key", d.doc("keypair"), "name", "public_key", "fingerprint", "type")
	return nil
}

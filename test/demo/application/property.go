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

// tags sets the tags, but for those by which Karbor finds again what it makes.
func (p Properties) tags(of string, d document) {
	tags, _ := d["tags"].([]any)
	p.set(of, "tags", slices.DeleteFunc(sortedTexts(tags), func(t string) bool { return strings.HasPrefix(t, "karbor-") }))
}

// Properties asks the cloud for all of them, by the parts' names.
func (c *Cloud) Properties(ctx context.Context, app *Application) (Properties, error) {
	p := Properties{}
	for _, part := range []func(context.Context, *Application, Properties) error{
		c.networkProperties, c.routerProperties, c.groupProperties, c.serverProperties, c.addressProperties,
		c.volumeProperties, c.imageProperties, c.keyProperties,
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
	p.take("network", n, "name", "description", "admin_state_up", "shared", "mtu", "port_security_enabled", "router:external",
		"dns_domain", "availability_zone_hints")
	p.tags("network", n)
	subnets, err := find(ctx, c.network, "subnets?network_id="+n.text("id"), "subnets", nil)
	if err != nil {
		return err
	}
	for _, s := range subnets {
		p.take("subnet "+s.text("name"), s, "cidr", "ip_version", "gateway_ip", "allocation_pools", "dns_nameservers",
			"host_routes", "enable_dhcp", "description", "ipv6_address_mode", "ipv6_ra_mode", "service_types")
		p.tags("subnet "+s.text("name"), s)
	}
	return nil
}

func (c *Cloud) routerProperties(ctx context.Context, app *Application, p Properties) error {
	r, err := named(ctx, c.network, "routers", "routers", app.Name+router)
	if err != nil {
		return err
	}
	p.take("router", r, "name", "description", "admin_state_up", "routes", "availability_zone_hints")
	p.tags("router", r)
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
	names, err := c.groupNames(ctx)
	if err != nil {
		return err
	}
	for _, name := range []string{app.Name + group, app.Name + admins} {
		g, err := named(ctx, c.network, "security-groups", "security_groups", name)
		if err != nil {
			return err
		}
		of := "security group " + name
		p.take(of, g, "name", "description", "stateful")
		p.tags(of, g)
		var rules []string
		for _, r := range g.list("security_group_rules") {
			text, err := json.Marshal([]any{r["direction"], r["ethertype"], r["protocol"], r["port_range_min"],
				r["port_range_max"], r["remote_ip_prefix"], names[r.text("remote_group_id")], r["description"]})
			if err != nil {
				return fmt.Errorf("writing a rule: %w", err)
			}
			rules = append(rules, string(text))
		}
		slices.Sort(rules)
		p.set(of, "rules", rules)
	}
	return nil
}

// groupNames gives the names of the security groups by their ids.
func (c *Cloud) groupNames(ctx context.Context) (map[string]string, error) {
	groups, err := find(ctx, c.network, "security-groups", "security_groups", nil)
	names := map[string]string{}
	for _, g := range groups {
		names[g.text("id")] = g.text("name")
	}
	return names, err
}

func (c *Cloud) serverProperties(ctx context.Context, app *Application, p Properties) error {
	for _, name := range []string{app.Name + firstServer, app.Name + secondServer} {
		s, err := named(ctx, c.compute, "servers/detail", "servers", name)
		if err != nil {
			return err
		}
		of := "server " + name
		p.take(of, s, "status", "description", "metadata", "key_name", "config_drive", "OS-EXT-AZ:availability_zone", "flavor",
			"accessIPv4", "accessIPv6", "OS-DCF:diskConfig", "locked")
		p.tags(of, s)
		var groups []any
		for _, g := range s.list("security_groups") {
			groups = append(groups, g.text("name"))
		}
		p.set(of, "security groups", slices.Compact(sortedTexts(groups)))
		for _, part := range []func(ctx context.Context, server, of string, p Properties) error{
			c.portProperties, c.attachmentProperties, c.togetherProperties, c.userData,
		} {
			if err := part(ctx, s.text("id"), of, p); err != nil {
				return err
			}
		}
	}
	return nil
}

// togetherProperties notes the server groups that a server is in.
func (c *Cloud) togetherProperties(ctx context.Context, server, of string, p Properties) error {
	groups, err := find(ctx, c.compute, "os-server-groups", "server_groups", func(d document) bool {
		members, _ := d["members"].([]any)
		return slices.Contains(members, any(server))
	})
	if err != nil {
		return err
	}
	var names []string
	for _, g := range groups {
		names = append(names, g.text("name")+" "+g.text("policy"))
	}
	p.set(of, "server groups", names)
	return nil
}

// userData notes what only an administrator may read, if there is one.
func (c *Cloud) userData(ctx context.Context, server, of string, p Properties) error {
	if c.Administrator == nil {
		return nil
	}
	s, err := call(ctx, c.Administrator.compute, http.MethodGet, "servers/"+server, nil)
	if err != nil {
		return err
	}
	p.take(of, s.doc("server"), "OS-EXT-SRV-ATTR:user_data", "OS-EXT-SRV-ATTR:hostname")
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
	names, err := c.groupNames(ctx)
	if err != nil {
		return err
	}
	interfaces, err := find(ctx, c.compute, "servers/"+server+"/os-interface", "interfaceAttachments", nil)
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
		p.take(name, port, "name", "description", "mac_address", "admin_state_up", "allowed_address_pairs", "port_security_enabled", "binding:vnic_type")
		p.tags(name, port)
		groups, _ := port["security_groups"].([]any)
		for i, g := range groups {
			groups[i] = names[fmt.Sprint(g)]
		}
		p.set(name, "security groups", sortedTexts(groups))
		for _, one := range interfaces {
			if one.text("port_id") == port.text("id") {
				p.set(name, "device tag", one["tag"])
			}
		}
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
			"name": v.doc("volume").text("name"), "delete_on_termination": a["delete_on_termination"], "tag": a["tag"]})
	}
	p.set(of, "volumes", len(attached))
	return nil
}

func (c *Cloud) volumeProperties(ctx context.Context, app *Application, p Properties) error {
	for _, name := range []string{app.Name + rootVolume, app.Name + dataVolume, app.Name + archive} {
		v, err := named(ctx, c.volume, "volumes/detail", "volumes", name)
		if err != nil {
			return err
		}
		of := "volume " + name
		p.take(of, v, "size", "bootable", "volume_type", "description", "status", "availability_zone", "encrypted", "multiattach")
		metadata := v.doc("metadata")
		p.set(of, "read-only", strings.EqualFold(metadata.text("readonly"), "true"))
		// What Karbor makes bears its marks, by which a repeated step finds it; the
		// flag is told above, and how a server has the volume with the server.
		p.set(of, "metadata", withoutMarks(metadata, "readonly", "attached_mode"))
		p.set(of, "image metadata", withoutMarks(v.doc("volume_image_metadata")))
	}
	return nil
}

// withoutMarks gives a map without Karbor's marks and without other members.
func withoutMarks(from document, others ...string) document {
	out := maps.Clone(from)
	maps.DeleteFunc(out, func(key string, _ any) bool {
		return strings.HasPrefix(key, "karbor_") || slices.Contains(others, key)
	})
	return out
}

// servicesOwn are an image's members that services compute: ids, times, places, and
// what Nova notes of the server that an image was made of.
var servicesOwn = []string{"id", "created_at", "updated_at", "self", "file", "schema", "direct_url", "locations", "status", "owner",
	"size", "virtual_size", "checksum", "os_hash_algo", "os_hash_value", "tags", "stores", "base_image_ref", "boot_roles",
	"image_location", "image_state", "image_type", "instance_uuid", "user_id", "owner_id", "owner_project_name", "owner_user_name"}

// imageProperties notes those of the image that the second server was booted from.
func (c *Cloud) imageProperties(ctx context.Context, app *Application, p Properties) error {
	d, err := call(ctx, c.image, http.MethodGet, "images/"+app.ServerImage, nil)
	if err != nil {
		return err
	}
	p.tags("image", d)
	for name, value := range withoutMarks(d, servicesOwn...) {
		p.set("image", name, value)
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

package layout09_test

import (
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/karbor/karbor/protection/protectiontest"
)

// shop is an application in a cloud, that is then kept as Python Karbor does.
type shop struct {
	t                                                *testing.T
	n                                                *protectiontest.Tenant
	external, network, subnet, router, group, image  string
	volume, port, server, floating, address, project string
	device                                           string
	bytes                                            map[string][]byte
}

func text(m map[string]any, member string) string {
	s, _ := m[member].(string)
	return s
}

func (s *shop) list(service, path, member string) []map[string]any {
	s.t.Helper()
	list, _ := s.n.Do(s.t, service, http.MethodGet, path, nil)[member].([]any)
	var out []map[string]any
	for _, x := range list {
		out = append(out, x.(map[string]any))
	}
	return out
}

func newShop(t *testing.T) *shop {
	t.Helper()
	n := protectiontest.NewTenant(t)
	s := &shop{t: t, n: n, project: n.Cloud.ProjectID(), bytes: map[string][]byte{}}
	for _, m := range s.list("network", "networks", "networks") {
		if m["router:external"] == true {
			s.external = text(m, "id")
		}
	}
	s.network = text(n.Make(t, "network", "networks", "network", object{"name": "shop", "mtu": 1400}), "id")
	s.subnet = text(n.Make(t, "network", "subnets", "subnet", object{
		"name": "shop-v4", "network_id": s.network, "ip_version": 4, "cidr": "192.168.8.0/24", "dns_nameservers": []string{"192.168.8.2"}}), "id")
	s.router = text(n.Make(t, "network", "routers", "router", object{
		"name": "door", "external_gateway_info": object{"network_id": s.external}}), "id")
	n.Do(t, "network", http.MethodPut, "routers/"+s.router+"/add_router_interface", object{"subnet_id": s.subnet})
	s.group = text(n.Make(t, "network", "security-groups", "security_group", object{"name": "web"}), "id")
	n.Make(t, "network", "security-group-rules", "security_group_rule", object{"security_group_id": s.group, "direction": "ingress",
		"ethertype": "IPv4", "protocol": "tcp", "port_range_min": 443, "port_range_max": 443})
	s.bytes["image"], s.bytes["volume"] = []byte(strings.Repeat("boot\x00\xff", 1000)), []byte(strings.Repeat("data\x00\xfe", 20_000))
	s.image = text(n.Make(t, "image", "images", "", object{"name": "base", "disk_format": "raw", "container_format": "bare"}), "id")
	n.Do(t, "image", http.MethodPut, "images/"+s.image+"/file", s.bytes["image"])
	s.volume = text(n.Make(t, "volume", "volumes", "volume", object{"name": "data", "size": 1}), "id")
	n.Await(t, "volume", "volumes/"+s.volume, "volume", "available")
	s.port = text(n.Make(t, "network", "ports", "port", object{"name": "front", "network_id": s.network, "mac_address": "fa:16:3e:00:08:01",
		"fixed_ips": []any{object{"subnet_id": s.subnet, "ip_address": "192.168.8.40"}}, "security_groups": []string{s.group}}), "id")
	s.server = text(n.Make(t, "compute", "servers", "server", object{
		"name": "shop", "flavorRef": "1", "imageRef": s.image, "networks": []any{object{"port": s.port}}}), "id")
	n.Await(t, "compute", "servers/"+s.server, "server", "ACTIVE")
	n.Do(t, "compute", http.MethodPost, "servers/"+s.server+"/os-volume_attachments",
		object{"volumeAttachment": object{"volumeId": s.volume, "device": "/dev/vdc"}})
	n.Await(t, "volume", "volumes/"+s.volume, "volume", "in-use")
	for _, a := range s.list("compute", "servers/"+s.server+"/os-volume_attachments", "volumeAttachments") {
		s.device = text(a, "device") // the hypervisor may have chosen another
	}
	fip := n.Make(t, "network", "floatingips", "floatingip", object{"floating_network_id": s.external, "port_id": s.port})
	s.floating, s.address = text(fip, "id"), text(fip, "floating_ip_address")
	return s
}

// members picks members of an object.
func members(m map[string]any, names ...string) object {
	out := object{}
	for _, name := range names {
		if v, there := m[name]; there {
			out[name] = v
		}
	}
	return out
}

// byID lists things of the project's with some members.
func (s *shop) byID(path, member string, names ...string) object {
	out := object{}
	for _, m := range s.list("network", path+"?project_id="+s.project, member) {
		if text(m, "tenant_id") == s.project || text(m, "project_id") == s.project {
			out[text(m, "id")] = members(m, append(names, "id", "name", "description", "tenant_id")...)
		}
	}
	return out
}

// keep writes the application into a bank of layout 0.9. topology says whether the
// networks are in it.
func (s *shop) keep(b bankFolder, topology bool) {
	nodes := map[string][]any{
		"0x0": node("OS::Nova::Server", s.server, "shop", object{"availability_zone": "nova"}),
		"0x1": node("OS::Cinder::Volume", s.volume, "data", nil), "0x2": node("OS::Glance::Image", s.image, "base", object{"server_id": s.server}),
	}
	children := []string{"0x1", "0x2"}
	b.volume(s.volume, s.bytes["volume"], 7000, false)
	b.image(s.image, s.bytes["image"], 1000)
	sum := fmt.Sprint(s.n.Show(s.t, "image", "images/"+s.image, "")["checksum"])
	b.put(resourceKey(s.image, "metadata"), object{"resource_id": s.image, "server_id": s.server, "chunks_num": 7,
		"image_metadata": object{"disk_format": "raw", "container_format": "bare", "checksum": sum}})
	shown := s.n.Show(s.t, "compute", "servers/"+s.server, "server")
	b.put(resourceKey(s.server, "status"), "available")
	b.put(resourceKey(s.server, "metadata"), object{
		"resource_id": s.server,
		"attach_metadata": object{s.volume: object{"server_id": s.server, "attachment_id": "x", "host_name": nil, "volume_id": s.volume,
			"device": s.device, "id": s.volume, "bootable": "false"}},
		"boot_metadata": object{"boot_device_type": "image", "boot_image_id": s.image},
		"server_metadata": object{"availability_zone": shown["OS-EXT-AZ:availability_zone"], "networks": []string{s.network},
			"floating_ips": []string{s.address}, "flavor": "1", "key_name": nil, "security_groups": []object{{"name": "web"}}},
	})
	if topology {
		nodes["0x3"] = node("OS::Neutron::Network", s.project, "Network Topology", nil)
		children = append(children, "0x3")
		b.put(resourceKey(s.project, "status"), "available")
		b.put(resourceKey(s.project, "metadata"), object{
			"resource_id": s.project, "backup_name": "karbor network backup",
			"network_metadata":        s.byID("networks", "networks", "admin_state_up", "availability_zone_hints", "mtu", "port_security_enabled", "router:external", "shared", "status", "subnets", "tags"),
			"subnet_metadata":         s.byID("subnets", "subnets", "cidr", "allocation_pools", "dns_nameservers", "enable_dhcp", "gateway_ip", "host_routes", "ip_version", "ipv6_address_mode", "ipv6_ra_mode", "network_id", "subnetpool_id"),
			"port_metadata":           s.byID("ports", "ports", "admin_state_up", "allowed_address_pairs", "device_id", "device_owner", "extra_dhcp_opts", "fixed_ips", "mac_address", "network_id", "port_security_enabled", "security_groups", "status"),
			"router_metadata":         s.byID("routers", "routers", "availability_zone_hints", "external_gateway_info", "routes", "status"),
			"security-group_metadata": s.byID("security-groups", "security_groups", "security_group_rules"),
		})
	}
	b.checkpointOf(s.project, "available", nodes, []any{[]any{"0x0", children}})
}

// destroy removes the application; networks says whether its networks, too. The
// floating address stays the project's.
func (s *shop) destroy(networks bool) {
	n, t := s.n, s.t
	n.Remove(t, "compute", "servers/"+s.server, "server")
	n.Remove(t, "volume", "volumes/"+s.volume, "volume")
	n.Remove(t, "image", "images/"+s.image, "")
	n.Remove(t, "network", "ports/"+s.port, "port")
	if !networks {
		return
	}
	n.Do(t, "network", http.MethodPut, "routers/"+s.router+"/remove_router_interface", object{"subnet_id": s.subnet})
	n.Remove(t, "network", "routers/"+s.router, "router")
	n.Remove(t, "network", "subnets/"+s.subnet, "subnet")
	n.Remove(t, "network", "networks/"+s.network, "network")
	n.Remove(t, "network", "security-groups/"+s.group, "security_group")
}

// view is what is compared of the application: server's, volume's and image's ids are
// the restored ones.
func (s *shop) view(server, volume, image string) map[string]any {
	t := s.t
	shown := s.n.Show(t, "compute", "servers/"+server, "server")
	base, _ := shown["image"].(map[string]any)
	flavor, _ := shown["flavor"].(map[string]any)
	out := map[string]any{"name": shown["name"], "status": shown["status"], "zone": shown["OS-EXT-AZ:availability_zone"],
		"boots from the image": text(base, "id") == image, "flavor": members(flavor, "original_name", "vcpus", "ram")}
	for _, a := range s.list("compute", "servers/"+server+"/os-volume_attachments", "volumeAttachments") {
		out["attached"] = []any{text(a, "volumeId") == volume, a["device"]}
	}
	names := map[string]string{}
	for _, g := range s.list("network", "security-groups", "security_groups") {
		rules, _ := g["security_group_rules"].([]any)
		names[text(g, "id")] = fmt.Sprintf("%s, %d rules", g["name"], len(rules))
	}
	for _, p := range s.list("network", "ports?device_id="+server, "ports") {
		ips, _ := p["fixed_ips"].([]any)
		for _, ip := range ips {
			out["address"] = ip.(map[string]any)["ip_address"]
		}
		groups, _ := p["security_groups"].([]any)
		for _, g := range groups {
			out["group"] = names[g.(string)]
		}
		out["hardware"] = p["mac_address"]
		net := s.n.Show(t, "network", "networks/"+text(p, "network_id"), "network")
		out["network"] = members(net, "name", "mtu", "admin_state_up")
		for _, f := range s.list("network", "floatingips", "floatingips") {
			if text(f, "port_id") == text(p, "id") {
				out["floating"] = f["floating_ip_address"]
			}
		}
	}
	for _, r := range s.list("network", "routers", "routers") {
		out["router "+text(r, "name")] = members(r, "admin_state_up")
	}
	v := s.n.Show(t, "volume", "volumes/"+volume, "volume")
	out["volume"] = members(v, "name", "size", "bootable", "status")
	out["image"] = members(s.n.Show(t, "image", "images/"+image, ""), "name", "size", "checksum", "disk_format")
	return out
}

// compareBytes looks whether a restored volume has the kept bytes, and zeros behind.
func (s *shop) compareBytes(volume string) {
	t := s.t
	answer := s.n.Do(t, "volume", http.MethodPost, "volumes/"+volume+"/action", object{"os-volume_upload_image": object{
		"image_name": "look", "disk_format": "raw", "container_format": "bare", "force": true}})
	upload, _ := answer["os-volume_upload_image"].(map[string]any)
	path := "images/" + text(upload, "image_id")
	s.n.Await(t, "image", path, "", "active")
	want := sha512.New()
	want.Write(s.bytes["volume"])
	zeros := make([]byte, 1<<20)
	for left := 1<<30 - len(s.bytes["volume"]); left > 0; left -= len(zeros) {
		want.Write(zeros[:min(left, len(zeros))])
	}
	if got := text(s.n.Show(t, "image", path, ""), "os_hash_value"); got != hex.EncodeToString(want.Sum(nil)) {
		t.Errorf("the restored volume has other bytes: %s", got)
	}
}

package server_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml/parser"
	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protection"
	"github.com/karbor/karbor/protection/protectiontest"
	"github.com/karbor/karbor/protection/server"
)

func open(t *testing.T) protection.Plugin {
	t.Helper()
	file, err := parser.ParseBytes([]byte("{poll_interval: 20ms, timeout: 1m}"), 0)
	if err != nil {
		t.Fatal(err)
	}
	p, err := server.Plugin.Open(t.Context(), file.Docs[0].Body)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

const publicKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPc1kzPSZAbvHhgBkXEXyHo/oOpO7P0b4e5VJ3iAUNmW shop"

func text(m map[string]any, member string) string {
	s, _ := m[member].(string)
	return s
}

// site is what a server needs around it.
type site struct {
	tenant                            *protectiontest.Tenant
	network, subnet, router, external string
	group, image                      string
}

func newSite(t *testing.T) *site {
	t.Helper()
	n := protectiontest.NewTenant(t)
	s := &site{tenant: n}
	list, _ := n.Do(t, "network", http.MethodGet, "networks", nil)["networks"].([]any)
	for _, x := range list {
		if m := x.(map[string]any); m["router:external"] == true {
			s.external = text(m, "id")
		}
	}
	s.network = text(n.Make(t, "network", "networks", "network", map[string]any{"name": "shop"}), "id")
	s.subnet = text(n.Make(t, "network", "subnets", "subnet", map[string]any{
		"network_id": s.network, "ip_version": 4, "cidr": "192.168.8.0/24"}), "id")
	s.router = text(n.Make(t, "network", "routers", "router", map[string]any{
		"name": "door", "external_gateway_info": map[string]any{"network_id": s.external}}), "id")
	n.Do(t, "network", http.MethodPut, "routers/"+s.router+"/add_router_interface", map[string]any{"subnet_id": s.subnet})
	s.group = text(n.Make(t, "network", "security-groups", "security_group", map[string]any{"name": "web"}), "id")
	s.image = text(n.Make(t, "image", "images", "", map[string]any{"name": "base", "disk_format": "raw", "container_format": "bare"}), "id")
	n.Do(t, "image", http.MethodPut, "images/"+s.image+"/file", []byte(strings.Repeat("boot", 1000)))
	return s
}

func (s *site) volume(t *testing.T, name string) string {
	t.Helper()
	id := text(s.tenant.Make(t, "volume", "volumes", "volume", map[string]any{"name": name, "size": 1}), "id")
	s.tenant.Await(t, "volume", "volumes/"+id, "volume", "available")
	return id
}

// machine is a server with a volume, a port and a floating address.
type machine struct {
	site                               *site
	server, volume, port, floating, ip string
}

func (s *site) machine(t *testing.T) *machine {
	t.Helper()
	n, m := s.tenant, &machine{site: s, volume: s.volume(t, "data")}
	n.Do(t, "compute", http.MethodPost, "os-keypairs", map[string]any{"keypair": map[string]any{"name": "shop", "public_key": publicKey}})
	m.port = text(n.Make(t, "network", "ports", "port", map[string]any{
		"name": "front", "description": "to the shop", "network_id": s.network, "mac_address": "fa:16:3e:00:08:01",
		"fixed_ips": []any{map[string]any{"subnet_id": s.subnet, "ip_address": "192.168.8.40"}}, "security_groups": []string{s.group},
	}), "id")
	m.server = text(n.Make(t, "compute", "servers", "server", map[string]any{
		"name": "shop", "flavorRef": "1", "imageRef": s.image, "networks": []any{map[string]any{"port": m.port}}, "key_name": "shop",
		"metadata": map[string]any{"role": "front"}, "tags": []string{"blue", "green"}, "description": "the shop", "user_data": "aGVsbG8=",
	}), "id")
	n.Await(t, "compute", "servers/"+m.server, "server", "ACTIVE")
	n.Do(t, "compute", http.MethodPost, "servers/"+m.server+"/os-volume_attachments",
		map[string]any{"volumeAttachment": map[string]any{"volumeId": m.volume, "device": "/dev/vdc"}})
	n.Await(t, "volume", "volumes/"+m.volume, "volume", "in-use")
	fip := n.Make(t, "network", "floatingips", "floatingip", map[string]any{"floating_network_id": s.external, "port_id": m.port})
	m.floating, m.ip = text(fip, "id"), text(fip, "floating_ip_address")
	return m
}

// destroy removes the server and all that goes with it; the volume is a node of
// its own, which another plug-in brings back.
func (m *machine) destroy(t *testing.T) {
	t.Helper()
	n := m.site.tenant
	n.Remove(t, "compute", "servers/"+m.server, "server")
	n.Remove(t, "volume", "volumes/"+m.volume, "volume")
	n.Remove(t, "network", "floatingips/"+m.floating, "floatingip")
	n.Remove(t, "network", "ports/"+m.port, "port")
	n.Remove(t, "compute", "os-keypairs/shop", "keypair")
}

func (s *site) view(t *testing.T, id string, volumes map[string]string) map[string]any {
	t.Helper()
	out := map[string]any{}
	shown := s.tenant.Show(t, "compute", "servers/"+id, "server")
	for _, m := range []string{"status", "metadata", "tags", "description", "key_name", "flavor", "OS-EXT-AZ:availability_zone", "config_drive"} {
		out[m] = shown[m]
	}
	attached, _ := s.tenant.Do(t, "compute", http.MethodGet, "servers/"+id+"/os-volume_attachments", nil)["volumeAttachments"].([]any)
	for _, x := range attached {
		a := x.(map[string]any)
		out["volume "+volumes[text(a, "volumeId")]] = []any{a["device"], a["delete_on_termination"]}
	}
	ports, _ := s.tenant.Do(t, "network", http.MethodGet, "ports?device_id="+id, nil)["ports"].([]any)
	for _, x := range ports {
		p := x.(map[string]any)
		ips, _ := p["fixed_ips"].([]any)
		out["port "+text(p, "name")] = []any{p["mac_address"], ips, p["security_groups"], p["network_id"], p["description"]}
	}
	return out
}

func graphOf(m *machine) (*karbor.Graph, *karbor.Node, karbor.NodeKey, karbor.NodeKey) {
	g := &karbor.Graph{}
	node := g.Add(karbor.Resource{Type: karbor.ServerType, ID: m.server, Name: "shop"}, "")
	image := g.Add(karbor.Resource{Type: karbor.ImageType, ID: m.site.image, Name: "base"}, m.server)
	volume := g.Add(karbor.Resource{Type: karbor.VolumeType, ID: m.volume, Name: "data"}, "")
	g.Connect(node, image)
	g.Connect(node, volume)
	return g, node, image.Key(), volume.Key()
}

func (s *site) source(t *testing.T, admin bool) protectiontest.Source {
	t.Helper()
	m := s.machine(t)
	original := s.view(t, m.server, map[string]string{m.volume: "data"})
	g, node, imageKey, volumeKey := graphOf(m)
	return protectiontest.Source{
		Graph: g, Key: node.Key(), Destroy: m.destroy,
		Children: func(t *testing.T) (protectiontest.Restored, func(t *testing.T)) {
			id := s.volume(t, "data")
			return protectiontest.Restored{Nodes: map[karbor.NodeKey]string{imageKey: s.image, volumeKey: id}},
				func(t *testing.T) { s.tenant.Remove(t, "volume", "volumes/"+id, "volume") }
		},
		Check: func(t *testing.T, restored protectiontest.Restored) {
			now := s.view(t, restored.ID, map[string]string{restored.Nodes[volumeKey]: "data"})
			if diff := cmp.Diff(original, now); diff != "" {
				t.Errorf("the restored server differs (-original +restored):\n%s", diff)
			}
			if name := text(s.tenant.Show(t, "compute", "servers/"+restored.ID, "server"), "name"); name != "shop" {
				t.Errorf("the restored server is named %q", name)
			}
			reported := slices.ContainsFunc(restored.NotKept, func(n string) bool { return strings.Contains(n, "user data") })
			if reported == admin {
				t.Errorf("with an administrator's session: %t, but the user data's loss was reported: %t", admin, reported)
			}
			s.checkAddress(t, m, restored, admin)
		},
	}
}

func (s *site) checkAddress(t *testing.T, m *machine, restored protectiontest.Restored, admin bool) {
	t.Helper()
	fips, _ := s.tenant.Do(t, "network", http.MethodGet, "floatingips", nil)["floatingips"].([]any)
	if len(fips) != 1 {
		t.Fatalf("there are %d floating addresses; want 1", len(fips))
	}
	f := fips[0].(map[string]any)
	port := s.tenant.Show(t, "network", fmt.Sprintf("ports/%v", f["port_id"]), "port")
	if port["device_id"] != restored.ID {
		t.Errorf("the floating address is at %v; want server %s", port["device_id"], restored.ID)
	}
	same := text(f, "floating_ip_address") == m.ip
	told := slices.ContainsFunc(restored.NotKept, func(n string) bool { return strings.Contains(n, m.ip) })
	if admin && !same || same == told {
		t.Errorf("the floating address was %s, is %s; reported: %t", m.ip, text(f, "floating_ip_address"), told)
	}
}

func TestServerComesBackWithWhatItIsMadeOf(t *testing.T) {
	s := newSite(t)
	protectiontest.Run(t, protectiontest.Case{
		Plugin: open(t), Type: karbor.ServerType, ChangesOnly: true, Session: s.tenant.Session, Inventory: s.tenant.Inventory,
		Make: func(t *testing.T) protectiontest.Source { return s.source(t, false) },
	})
}

func TestServerComesBackWithUserDataAndAddressThroughTheServiceUser(t *testing.T) {
	s := newSite(t)
	protectiontest.Run(t, protectiontest.Case{
		Plugin: open(t), Type: karbor.ServerType, ChangesOnly: true, Session: s.tenant.Session, Service: s.tenant.Admin, Inventory: s.tenant.Inventory,
		Make: func(t *testing.T) protectiontest.Source { return s.source(t, true) },
	})
}

// bootedFromVolume is a server whose disk is a volume, with an address of its own
// on a network, and no keypair.
func (s *site) bootedFromVolume(t *testing.T) protectiontest.Source {
	t.Helper()
	n := s.tenant
	disk := text(n.Make(t, "volume", "volumes", "volume", map[string]any{"name": "disk", "size": 1, "imageRef": s.image}), "id")
	n.Await(t, "volume", "volumes/"+disk, "volume", "available")
	id := text(n.Make(t, "compute", "servers", "server", map[string]any{
		"name": "shop", "flavorRef": "1", "networks": []any{map[string]any{"uuid": s.network}},
		"block_device_mapping_v2": []any{map[string]any{"boot_index": 0, "uuid": disk, "source_type": "volume", "destination_type": "volume"}},
	}), "id")
	n.Await(t, "compute", "servers/"+id, "server", "ACTIVE")
	original := s.view(t, id, map[string]string{disk: "disk"})
	g := &karbor.Graph{}
	node := g.Add(karbor.Resource{Type: karbor.ServerType, ID: id, Name: "shop"}, "")
	volume := g.Add(karbor.Resource{Type: karbor.VolumeType, ID: disk, Name: "disk"}, "")
	g.Connect(node, volume)
	return protectiontest.Source{
		Graph: g, Key: node.Key(), Restore: map[string]any{"restore_name": "shop again"},
		Destroy: func(t *testing.T) {
			n.Remove(t, "compute", "servers/"+id, "server")
			n.Remove(t, "volume", "volumes/"+disk, "volume")
		},
		Children: func(t *testing.T) (protectiontest.Restored, func(t *testing.T)) {
			now := text(n.Make(t, "volume", "volumes", "volume", map[string]any{"name": "disk", "size": 1, "imageRef": s.image}), "id")
			n.Await(t, "volume", "volumes/"+now, "volume", "available")
			return protectiontest.Restored{Nodes: map[karbor.NodeKey]string{volume.Key(): now}},
				func(t *testing.T) { n.Remove(t, "volume", "volumes/"+now, "volume") }
		},
		Check: func(t *testing.T, restored protectiontest.Restored) {
			now := s.view(t, restored.ID, map[string]string{restored.Nodes[volume.Key()]: "disk"})
			if diff := cmp.Diff(original, now); diff != "" {
				t.Errorf("the restored server differs (-original +restored):\n%s", diff)
			}
			if name := text(n.Show(t, "compute", "servers/"+restored.ID, "server"), "name"); name != "shop again" {
				t.Errorf("the restored server is named %q", name)
			}
		},
	}
}

func TestServerBootedFromAVolumeComesBack(t *testing.T) {
	s := newSite(t)
	protectiontest.RoundTrip(t, protectiontest.Case{
		Plugin: open(t), Type: karbor.ServerType, Session: s.tenant.Session, Inventory: s.tenant.Inventory,
		Make: s.bootedFromVolume,
	})
}

// TestServerFindsOtherAddressesWhenItsOwnAreTaken lets another port take the
// server's addresses before it is restored.
func TestServerFindsOtherAddressesWhenItsOwnAreTaken(t *testing.T) {
	s := newSite(t)
	source := s.source(t, false)
	destroy := source.Destroy
	source.Destroy = func(t *testing.T) {
		destroy(t)
		s.tenant.Make(t, "network", "ports", "port", map[string]any{
			"name": "squatter", "network_id": s.network, "mac_address": "fa:16:3e:00:08:01",
			"fixed_ips": []any{map[string]any{"subnet_id": s.subnet, "ip_address": "192.168.8.40"}}})
	}
	source.Check = func(t *testing.T, restored protectiontest.Restored) {
		for _, lost := range []string{"192.168.8.40", "fa:16:3e:00:08:01"} {
			if !slices.ContainsFunc(restored.NotKept, func(n string) bool { return strings.Contains(n, lost) }) {
				t.Errorf("the tenant was not told that %s is lost: %q", lost, restored.NotKept)
			}
		}
		shown := s.tenant.Show(t, "compute", "servers/"+restored.ID, "server")
		if shown["status"] != "ACTIVE" {
			t.Errorf("the server is %v", shown["status"])
		}
	}
	protectiontest.RoundTrip(t, protectiontest.Case{
		Plugin: open(t), Type: karbor.ServerType, Session: s.tenant.Session, Inventory: s.tenant.Inventory,
		Make: func(*testing.T) protectiontest.Source { return source },
	})
}

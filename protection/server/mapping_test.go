package server_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protection/protectiontest"
)

// refuge is where servers are restored to in the place of where they were.
type refuge struct{ network, subnet, group string }

func (s *site) refuge(t *testing.T, cidr string) refuge {
	t.Helper()
	n := s.tenant
	r := refuge{network: text(n.Make(t, "network", "networks", "network", map[string]any{"name": "refuge"}), "id")}
	r.subnet = text(n.Make(t, "network", "subnets", "subnet", map[string]any{"network_id": r.network, "ip_version": 4, "cidr": cidr}), "id")
	r.group = text(n.Make(t, "network", "security-groups", "security_group", map[string]any{"name": "refuge"}), "id")
	n.Do(t, "compute", http.MethodPost, "os-keypairs", map[string]any{"keypair": map[string]any{"name": "refuge", "public_key": publicKey}})
	return r
}

// portOf gives the one port of a server.
func (s *site) portOf(t *testing.T, server string) map[string]any {
	t.Helper()
	ports, _ := s.tenant.Do(t, "network", http.MethodGet, "ports?device_id="+server, nil)["ports"].([]any)
	if len(ports) != 1 {
		t.Fatalf("the server has %d ports", len(ports))
	}
	return ports[0].(map[string]any)
}

func addressOf(port map[string]any) (subnet, address string) {
	ips, _ := port["fixed_ips"].([]any)
	ip := ips[0].(map[string]any)
	return text(ip, "subnet_id"), text(ip, "ip_address")
}

func TestServerComesBackAsItIsMapped(t *testing.T) {
	s := newSite(t)
	r := s.refuge(t, "192.168.8.0/24")
	source := s.source(t, false)
	anything := func(other string) map[string]any { return map[string]any{"*": other} }
	source.Restore = map[string]any{
		"restore_name_prefix": "drill-", "restore_networks": map[string]any{s.network: r.network},
		"restore_security_groups": map[string]any{"web": "refuge"}, "restore_flavors": map[string]any{"1": "m1.small"},
		"restore_keypairs": map[string]any{"shop": "refuge"}, "restore_availability_zones": anything("nova"),
		"restore_hardware_addresses": "renew", "restore_floating_ips": "none", "restore_power": "stopped",
	}
	source.Check = func(t *testing.T, restored protectiontest.Restored) {
		now, port := s.tenant.Show(t, "compute", "servers/"+restored.ID, "server"), s.portOf(t, restored.ID)
		if now["name"] != "drill-shop" || now["status"] != "SHUTOFF" || now["key_name"] != "refuge" {
			t.Errorf("the server is %v, %v, with the keypair %v", now["name"], now["status"], now["key_name"])
		}
		if flavor, _ := now["flavor"].(map[string]any); flavor["original_name"] != "m1.small" {
			t.Errorf("its flavor is %v", flavor)
		}
		subnet, address := addressOf(port)
		if port["network_id"] != r.network || subnet != r.subnet || address != "192.168.8.40" {
			t.Errorf("it is at %s in subnet %s of network %v", address, subnet, port["network_id"])
		}
		if groups, _ := port["security_groups"].([]any); len(groups) != 1 || groups[0] != r.group {
			t.Errorf("it is in the security groups %v", groups)
		}
		if port["mac_address"] == "fa:16:3e:00:08:01" {
			t.Error("its hardware address is the original's")
		}
		fips, _ := s.tenant.Do(t, "network", http.MethodGet, "floatingips", nil)["floatingips"].([]any)
		if len(fips) != 0 {
			t.Errorf("there are floating addresses: %v", fips)
		}
		for _, part := range []string{r.network, r.group, "m1.small", `"refuge"`, "hardware address", "floating address", "stopped", "availability zone"} {
			if !told(restored.Mapped, part) {
				t.Errorf("nothing was told of %q: %q", part, restored.Mapped)
			}
		}
		if told(restored.NotKept, "192.168.8.40") || told(restored.NotKept, "fa:16:3e") {
			t.Errorf("what was asked for is told as lost: %q", restored.NotKept)
		}
	}
	protectiontest.RoundTrip(t, protectiontest.Case{
		Plugin: open(t), Type: karbor.ServerType, Session: s.tenant.Session, Inventory: s.tenant.Inventory,
		Make: func(*testing.T) protectiontest.Source { return source },
	})
}

func TestServerGetsNewAddressesWhereAsked(t *testing.T) {
	s := newSite(t)
	r := s.refuge(t, "10.9.0.0/24")
	source := s.source(t, false)
	source.Restore = map[string]any{
		"restore_networks": map[string]any{"*": r.network}, "restore_subnets": map[string]any{s.subnet: r.subnet},
		"restore_addresses": "renew", "restore_floating_ips": "renew", "restore_power": "running",
	}
	source.Check = func(t *testing.T, restored protectiontest.Restored) {
		port := s.portOf(t, restored.ID)
		if subnet, address := addressOf(port); subnet != r.subnet || !strings.HasPrefix(address, "10.9.0.") {
			t.Errorf("it is at %s in subnet %s", address, subnet)
		}
		if port["mac_address"] != "fa:16:3e:00:08:01" {
			t.Errorf("its hardware address is %v", port["mac_address"])
		}
		if !told(restored.Mapped, "192.168.8.40") {
			t.Errorf("the new address is not told: %q", restored.Mapped)
		}
	}
	protectiontest.RoundTrip(t, protectiontest.Case{
		Plugin: open(t), Type: karbor.ServerType, Session: s.tenant.Session, Inventory: s.tenant.Inventory,
		Make: func(*testing.T) protectiontest.Source { return source },
	})
}

// TestAMappingToWhatIsNotThereFailsAndLeavesNothing asks for things that do not exist.
func TestAMappingToWhatIsNotThereFailsAndLeavesNothing(t *testing.T) {
	for parameter, part := range map[string]string{
		"restore_networks": "restore_networks", "restore_subnets": "restore_subnets", "restore_security_groups": "restore_security_groups",
		"restore_flavors": "restore_flavors", "restore_keypairs": "restore_keypairs", "restore_availability_zones": "restore_availability_zones",
	} {
		t.Run(parameter, func(t *testing.T) {
			s := newSite(t)
			source := s.source(t, false)
			source.Restore = map[string]any{parameter: map[string]any{"*": karbor.NewID()}}
			err := protectiontest.Refused(t, protectiontest.Case{
				Plugin: open(t), Type: karbor.ServerType, Session: s.tenant.Session, Inventory: s.tenant.Inventory,
				Make: func(*testing.T) protectiontest.Source { return source },
			})
			if karbor.IsTransient(err) || !strings.Contains(err.Error(), part) {
				t.Errorf("the restore fails with %v", err)
			}
		})
	}
}

// TestAnOriginalVolumeOutlivesTheServerThatItIsLentTo restores a server with its own
// volume, which was not restored and went along with the original, and removes it again.
func TestAnOriginalVolumeOutlivesTheServerThatItIsLentTo(t *testing.T) {
	s := newSite(t)
	n, disk := s.tenant, s.volume(t, "data")
	id := text(n.Make(t, "compute", "servers", "server", map[string]any{
		"name": "shop", "flavorRef": "1", "imageRef": s.image, "networks": []any{map[string]any{"uuid": s.network}}}), "id")
	n.Await(t, "compute", "servers/"+id, "server", "ACTIVE")
	attachments := "servers/" + id + "/os-volume_attachments"
	n.Do(t, "compute", http.MethodPost, attachments, map[string]any{"volumeAttachment": map[string]any{"volumeId": disk, "delete_on_termination": true}})
	n.Await(t, "volume", "volumes/"+disk, "volume", "in-use")
	g := &karbor.Graph{}
	node := g.Add(karbor.Resource{Type: karbor.ServerType, ID: id, Name: "shop"}, "")
	image := g.Add(karbor.Resource{Type: karbor.ImageType, ID: s.image, Name: "base"}, id)
	volume := g.Add(karbor.Resource{Type: karbor.VolumeType, ID: disk, Name: "data"}, "")
	g.Connect(node, image)
	g.Connect(node, volume)
	source := protectiontest.Source{
		Graph: g, Key: node.Key(),
		Destroy: func(t *testing.T) {
			n.Do(t, "compute", http.MethodDelete, attachments+"/"+disk, nil)
			n.Await(t, "volume", "volumes/"+disk, "volume", "available")
			n.Remove(t, "compute", "servers/"+id, "server")
		},
		Children: func(*testing.T) (protectiontest.Restored, func(t *testing.T)) {
			return protectiontest.Restored{Nodes: map[karbor.NodeKey]string{image.Key(): s.image, volume.Key(): disk}}, nil
		},
		Check: func(t *testing.T, restored protectiontest.Restored) {
			there, _ := n.Do(t, "compute", http.MethodGet, "servers/"+restored.ID+"/os-volume_attachments", nil)["volumeAttachments"].([]any)
			if len(there) != 1 || there[0].(map[string]any)["volumeId"] != disk || there[0].(map[string]any)["delete_on_termination"] != false {
				t.Errorf("the server has the volumes %v", there)
			}
			if !told(restored.Mapped, disk, "original") {
				t.Errorf("that the volume is the original is not told: %q", restored.Mapped)
			}
		},
	}
	c := protectiontest.Case{
		Plugin: open(t), Type: karbor.ServerType, Session: s.tenant.Session, Inventory: s.tenant.Inventory,
		Make: func(*testing.T) protectiontest.Source { return source },
	}
	protectiontest.RoundTrip(t, c)
	if shown := n.Show(t, "volume", "volumes/"+disk, "volume"); shown["status"] != "available" {
		t.Errorf("the original volume is %v", shown)
	}
}

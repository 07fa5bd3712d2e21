package server_test

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protection"
	"github.com/karbor/karbor/protection/protectiontest"
)

// administrator gives an administrator of the tenant's cloud.
func administrator(t *testing.T, n *protectiontest.Tenant) *protectiontest.Tenant {
	t.Helper()
	admin := *n
	admin.Cloud = n.Admin(t, http.DefaultClient)
	return &admin
}

// told reports whether a sentence has all the words.
func told(sentences []string, words ...string) bool {
	return slices.ContainsFunc(sentences, func(s string) bool {
		return !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(s, w) })
	})
}

// boot makes a server of the image with more members.
func (s *site) boot(t *testing.T, more map[string]any) string {
	t.Helper()
	body := map[string]any{"name": "shop", "flavorRef": "1", "imageRef": s.image, "networks": []any{map[string]any{"uuid": s.network}}}
	maps.Copy(body, more)
	id := text(s.tenant.Make(t, "compute", "servers", "server", body), "id")
	s.tenant.Await(t, "compute", "servers/"+id, "server", "ACTIVE")
	return id
}

// serverOf is a source for a server of the image.
func (s *site) serverOf(id string, destroy func(t *testing.T), check func(t *testing.T, restored protectiontest.Restored)) protectiontest.Source {
	g := &karbor.Graph{}
	node := g.Add(karbor.Resource{Type: karbor.ServerType, ID: id, Name: "shop"}, "")
	return protectiontest.Source{Graph: g, Key: node.Key(), Destroy: destroy, Check: check}
}

func (s *site) roundTrip(t *testing.T, source protectiontest.Source) {
	t.Helper()
	protectiontest.RoundTrip(t, protectiontest.Case{
		Plugin: open(t), Type: karbor.ServerType, Session: s.tenant.Session, Inventory: s.tenant.Inventory,
		Make: func(*testing.T) protectiontest.Source { return source },
	})
}

// provider makes a network that an administrator shares with all, and a port of the
// tenant's there that the administrator has given what only the owner may choose.
func (s *site) provider(t *testing.T) (network, port string) {
	t.Helper()
	admin := administrator(t, s.tenant)
	network = text(admin.Make(t, "network", "networks", "network", map[string]any{"name": "provider", "shared": true}), "id")
	subnet := text(admin.Make(t, "network", "subnets", "subnet", map[string]any{
		"network_id": network, "ip_version": 4, "cidr": "172.20.0.0/24"}), "id")
	port = text(admin.Make(t, "network", "ports", "port", map[string]any{
		"name": "front", "network_id": network, "mac_address": "fa:16:3e:00:20:01", "project_id": s.tenant.Cloud.ProjectID(),
		"fixed_ips": []any{map[string]any{"subnet_id": subnet, "ip_address": "172.20.0.40"}}, "security_groups": []string{s.group},
		"allowed_address_pairs": []any{map[string]any{"ip_address": "172.20.0.99"}},
	}), "id")
	return network, port
}

func TestServerOnAnotherProjectsNetworkGetsOtherAddressesAndThatIsTold(t *testing.T) {
	s := newSite(t)
	network, port := s.provider(t)
	id := s.boot(t, map[string]any{"networks": []any{map[string]any{"port": port}}})
	destroy := func(t *testing.T) {
		s.tenant.Remove(t, "compute", "servers/"+id, "server")
		s.tenant.Remove(t, "network", "ports/"+port, "port")
	}
	s.roundTrip(t, s.serverOf(id, destroy, func(t *testing.T, restored protectiontest.Restored) {
		for _, lost := range []string{"fa:16:3e:00:20:01", "172.20.0.40", "172.20.0.99"} {
			if !told(restored.NotKept, lost, "another project's") {
				t.Errorf("the tenant was not told that %s is lost: %q", lost, restored.NotKept)
			}
		}
		ports, _ := s.tenant.Do(t, "network", http.MethodGet, "ports?device_id="+restored.ID, nil)["ports"].([]any)
		if len(ports) != 1 || ports[0].(map[string]any)["network_id"] != network {
			t.Errorf("the restored server's ports: %v", ports)
		}
	}))
}

// rulesOf gives the rules of the group of a name, or nil.
func (s *site) rulesOf(t *testing.T, name string) []string {
	t.Helper()
	var lines []string
	groups, _ := s.tenant.Do(t, "network", http.MethodGet, "security-groups?name="+name, nil)["security_groups"].([]any)
	for _, g := range groups {
		rules, _ := g.(map[string]any)["security_group_rules"].([]any)
		for _, x := range rules {
			r := x.(map[string]any)
			remote := r["remote_group_id"]
			if remote == g.(map[string]any)["id"] {
				remote = "itself"
			}
			lines = append(lines, fmt.Sprintln(r["direction"], r["ethertype"], r["protocol"], r["port_range_min"], r["remote_ip_prefix"], remote, r["description"]))
		}
	}
	slices.Sort(lines)
	return lines
}

func TestSecurityGroupsOfAServerOnSharedNetworksOnlyComeBack(t *testing.T) {
	s := newSite(t)
	for _, more := range []map[string]any{
		{"protocol": "tcp", "port_range_min": 443, "port_range_max": 443, "remote_ip_prefix": "10.0.0.0/8", "description": "the shop"},
		{"protocol": "tcp", "port_range_min": 5432, "port_range_max": 5432, "remote_group_id": s.group},
	} {
		more["security_group_id"], more["direction"], more["ethertype"] = s.group, "ingress", "IPv4"
		s.tenant.Make(t, "network", "security-group-rules", "security_group_rule", more)
	}
	original := s.rulesOf(t, "web")
	_, port := s.provider(t)
	id := s.boot(t, map[string]any{"networks": []any{map[string]any{"port": port}}})
	destroy := func(t *testing.T) {
		s.tenant.Remove(t, "compute", "servers/"+id, "server")
		s.tenant.Remove(t, "network", "ports/"+port, "port")
		s.tenant.Remove(t, "network", "security-groups/"+s.group, "security_group")
	}
	s.roundTrip(t, s.serverOf(id, destroy, func(t *testing.T, restored protectiontest.Restored) {
		if diff := cmp.Diff(original, s.rulesOf(t, "web")); diff != "" {
			t.Errorf("the rules of the restored group (-original +restored):\n%s", diff)
		}
		shown := s.tenant.Show(t, "compute", "servers/"+restored.ID, "server")
		if diff := cmp.Diff([]any{map[string]any{"name": "web"}}, shown["security_groups"]); diff != "" {
			t.Errorf("the restored server is in other groups (-want +got):\n%s", diff)
		}
	}))
}

func TestLocalDisksAreReportedOnProtectAndOnRestore(t *testing.T) {
	s := newSite(t)
	administrator(t, s.tenant).Make(t, "compute", "flavors", "flavor", map[string]any{
		"id": "77", "name": "local", "ram": 64, "disk": 1, "vcpus": 1, "OS-FLV-EXT-DATA:ephemeral": 5, "swap": 512})
	id := s.boot(t, map[string]any{"flavorRef": "77"})
	source := s.serverOf(id, nil, nil)
	plugin, single := open(t), protectiontest.NewSingle(open(t), source)
	for _, op := range []karbor.OperationType{karbor.Protect, karbor.RestoreOperation} {
		call, hooks := single.Begin(s.tenant.Cloud, nil, nil), plugin.Hooks(op, karbor.ServerType)
		hook := hooks.Main
		if op == karbor.RestoreOperation {
			hook = hooks.Complete
		}
		if err := single.Run(t, hook, call); err != nil {
			t.Fatalf("%s: %v", op, err)
		}
		for _, disk := range []string{"ephemeral disk of 5 GiB", "swap disk of 512 MiB"} {
			if !told(single.Result().NotKept, disk) {
				t.Errorf("%s: the tenant was not told of the %s: %q", op, disk, single.Result().NotKept)
			}
		}
	}
}

func TestStoppedServerIsStoppedAgain(t *testing.T) {
	for state, action := range map[string]string{"SHUTOFF": "os-stop", "PAUSED": "pause"} {
		t.Run(state, func(t *testing.T) {
			s := newSite(t)
			id := s.boot(t, nil)
			s.tenant.Do(t, "compute", http.MethodPost, "servers/"+id+"/action", map[string]any{action: nil})
			s.tenant.Await(t, "compute", "servers/"+id, "server", state)
			s.roundTrip(t, s.serverOf(id, func(t *testing.T) { s.tenant.Remove(t, "compute", "servers/"+id, "server") },
				func(t *testing.T, restored protectiontest.Restored) {
					now := s.tenant.Show(t, "compute", "servers/"+restored.ID, "server")["status"]
					if same, reported := now == state, told(restored.NotKept, "runs", strings.ToLower(state)); same == reported {
						t.Errorf("the %s server is %v; reported: %t", state, now, reported)
					}
				}))
		})
	}
}

func TestServerWhoseBootVolumeIsNotProtectedIsRefused(t *testing.T) {
	s := newSite(t)
	source := s.bootedFromVolume(t)
	g := &karbor.Graph{}
	source.Key = g.Add(source.Graph.Node(source.Key).Resource, "").Key()
	source.Graph = g
	single := protectiontest.NewSingle(open(t), source)
	err := single.Run(t, open(t).Hooks(karbor.Protect, karbor.ServerType).Main, single.Begin(s.tenant.Cloud, nil, nil))
	if karbor.KindOf(err) != karbor.Invalid || !strings.Contains(karbor.Sentence(err), "boots from volume") {
		t.Errorf("protecting gave %v", err)
	}
}

// late tells that the boot volume is at a device behind those of all others.
type late struct{}

func (late) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil || !strings.HasSuffix(request.URL.Path, "os-volume_attachments") {
		return response, err
	}
	body, err := io.ReadAll(response.Body)
	response.Body = io.NopCloser(strings.NewReader(strings.ReplaceAll(string(body), "/dev/vda", "/dev/vdz")))
	return response, err
}

// TestServerBootsFromItsBootableVolume has a data volume at a device that comes
// before the boot volume's.
func TestServerBootsFromItsBootableVolume(t *testing.T) {
	s := newSite(t)
	n := s.tenant
	source := s.bootedFromVolume(t)
	id, data := source.Graph.Node(source.Key).ID, s.volume(t, "data")
	n.Do(t, "compute", http.MethodPost, "servers/"+id+"/os-volume_attachments",
		map[string]any{"volumeAttachment": map[string]any{"volumeId": data}})
	n.Await(t, "volume", "volumes/"+data, "volume", "in-use")
	single := protectiontest.NewSingle(open(t), source)
	// Only the boot volume is in the graph: any other choice would be refused.
	call := single.Begin(n.Session(t, &http.Client{Transport: late{}}), nil, nil)
	if err := single.Run(t, open(t).Hooks(karbor.Protect, karbor.ServerType).Main, call); err != nil {
		t.Fatal(err)
	}
	var kept struct {
		Volumes []struct {
			VolumeID  string `json:"volumeId"`
			BootIndex int    `json:"boot_index"`
		} `json:"volumes"`
	}
	if err := call.Documents.GetJSON(t.Context(), "metadata", &kept); err != nil {
		t.Fatal(err)
	}
	for _, v := range kept.Volumes {
		if boots := v.VolumeID != data; boots != (v.BootIndex == 0) {
			t.Errorf("volume %s has boot index %d", v.VolumeID, v.BootIndex)
		}
	}
	if told(single.Result().NotKept, "boots from") {
		t.Errorf("what is known was called a guess: %q", single.Result().NotKept)
	}
}

// rival makes a keypair of the name just before the plug-in does.
type rival struct{ make func() }

func (r rival) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.Method == http.MethodPost && strings.HasSuffix(request.URL.Path, "os-keypairs") {
		r.make()
	}
	return http.DefaultTransport.RoundTrip(request)
}

func TestUndoLeavesKeypairsThatTheRestoreDidNotMake(t *testing.T) {
	otherKey := strings.Replace(publicKey, "AAAAIPc1", "AAAAIQc1", 1)
	for name, when := range map[string]struct {
		key    string // the user's own
		during bool   // made while the plug-in asks for it, else when the restore has died
	}{
		"the same key, made at the same time": {publicKey, true},
		"another key, made after a kill":      {otherKey, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			n, path := s.tenant, "os-keypairs/shop"
			own := func(key string) {
				n.Do(t, "compute", http.MethodPost, "os-keypairs", map[string]any{"keypair": map[string]any{"name": "shop", "public_key": key}})
			}
			own(publicKey)
			id := s.boot(t, map[string]any{"key_name": "shop"})
			plugin, single := open(t), protectiontest.NewSingle(open(t), s.serverOf(id, nil, nil))
			if err := single.Run(t, plugin.Hooks(karbor.Protect, karbor.ServerType).Main, single.Begin(n.Cloud, nil, nil)); err != nil {
				t.Fatal(err)
			}
			n.Remove(t, "compute", "servers/"+id, "server")
			n.Remove(t, "compute", path, "keypair")
			hooks, cloud := plugin.Hooks(karbor.RestoreOperation, karbor.ServerType), n.Cloud
			if when.during {
				cloud = n.Session(t, &http.Client{Transport: rival{func() { own(when.key) }}})
			}
			call := single.Begin(cloud, nil, nil)
			if err := single.Run(t, hooks.Complete, call); err != nil {
				t.Fatal(err)
			}
			if !when.during {
				n.Remove(t, "compute", path, "keypair")
				own(when.key)
			}
			if err := protection.Undo(t.Context(), hooks.Undo, call); err != nil {
				t.Fatal(err)
			}
			if shown := n.Show(t, "compute", path, "keypair"); shown["public_key"] != when.key {
				t.Errorf("the user's keypair is %v", shown)
			}
		})
	}
}

package server_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/testcloud/fabric"
	"github.com/karbor/karbor/protection"
	"github.com/karbor/karbor/protection/protectiontest"
)

// of is a case of one source.
func (s *site) of(t *testing.T, source protectiontest.Source) protectiontest.Case {
	t.Helper()
	return protectiontest.Case{
		Plugin: open(t), Type: karbor.ServerType, Session: s.tenant.Session, Inventory: s.tenant.Inventory,
		Make: func(*testing.T) protectiontest.Source { return source },
	}
}

// dropGroup removes the security group of the site, which the server was in.
func (s *site) dropGroup(t *testing.T) {
	t.Helper()
	s.tenant.Remove(t, "network", "security-groups/"+s.group, "security_group")
}

func (s *site) namesake(t *testing.T, name string) string {
	t.Helper()
	return text(s.tenant.Make(t, "network", "security-groups", "security_group", map[string]any{"name": name}), "id")
}

func TestExhaustedQuotaOfEachKindIsToldAndNothingIsLeft(t *testing.T) {
	const nova = "Quota exceeded, too many servers in the project."
	for path, c := range map[string]struct {
		service string
		status  int
		word    string
	}{
		"POST /v2.0/ports$":                 {"neutron", 409, "port"},
		"POST /v2.0/security-groups$":       {"neutron", 409, "security group"},
		"POST /v2.0/security-group-rules$":  {"neutron", 409, "security group"},
		"POST /v2.0/floatingips$":           {"neutron", 409, "floating address"},
		"POST /servers$":                    {"nova", 403, "creating the server"},
		"POST /os-keypairs$":                {"nova", 403, "keypair"},
		"POST /os-volume_attachments$":      {"nova", 403, "attaching volume"},
		"POST /v2.0/ports$ of the back-end": {"neutron", 413, "port"},
	} {
		t.Run(path, func(t *testing.T) {
			s := newSite(t)
			s.tenant.Make(t, "network", "security-group-rules", "security_group_rule", map[string]any{
				"security_group_id": s.group, "direction": "ingress", "ethertype": "IPv4", "protocol": "tcp", "port_range_min": 443, "port_range_max": 443})
			method, rest, _ := strings.Cut(path, " ")
			suffix, _, _ := strings.Cut(rest, " ")
			source := protectiontest.Afterwards(s.source(t, false), func(t *testing.T) {
				s.dropGroup(t)
				s.tenant.Fault(t, fabric.Fault{Service: c.service, Method: method, Path: suffix, Status: c.status, Message: nova})
			})
			protectiontest.ExpectRefusal(t, protectiontest.RefusedUnforeseen(t, s.of(t, source)), karbor.OverLimit, c.word, "Quota exceeded")
		})
	}
}

func TestWhatVanishesWhileTheServerIsMadeIsNamedAndNothingIsLeft(t *testing.T) {
	for name, c := range map[string]struct {
		method, path string
		vanish       func(t *testing.T, s *site)
		kind         karbor.Kind
		words        []string
	}{
		"its network": {http.MethodPost, "/ports$", func(t *testing.T, s *site) {
			s.tenant.Do(t, "network", http.MethodPut, "routers/"+s.router+"/remove_router_interface", map[string]any{"subnet_id": s.subnet})
			s.tenant.Remove(t, "network", "networks/"+s.network, "network")
		}, karbor.NotFound, []string{"port", "of server"}},
		"its port": {http.MethodPost, "/servers$", func(t *testing.T, s *site) {
			for _, p := range s.ports(t) {
				s.tenant.Remove(t, "network", "ports/"+text(p, "id"), "port")
			}
		}, karbor.Invalid, []string{"creating the server", "ort"}},
		"its image": {http.MethodPost, "/servers$", func(t *testing.T, s *site) {
			s.tenant.Remove(t, "image", "images/"+s.image, "")
		}, karbor.Invalid, []string{"creating the server", "image"}},
		"its volume": {http.MethodPost, "/os-volume_attachments$", func(t *testing.T, s *site) {
			list, _ := s.tenant.Do(t, "volume", http.MethodGet, "volumes", nil)["volumes"].([]any)
			for _, v := range list {
				s.tenant.Remove(t, "volume", "volumes/"+text(v.(map[string]any), "id"), "volume")
			}
		}, karbor.NotFound, []string{"attaching volume", "to server"}},
		"the server": {http.MethodPost, "/os-volume_attachments$", func(t *testing.T, s *site) {
			list, _ := s.tenant.Do(t, "compute", http.MethodGet, "servers", nil)["servers"].([]any)
			for _, v := range list {
				s.tenant.Remove(t, "compute", "servers/"+text(v.(map[string]any), "id"), "server")
			}
		}, karbor.NotFound, []string{"server"}},
		"its security group": {http.MethodPost, "/ports$", func(t *testing.T, s *site) { s.dropGroup(t) },
			karbor.NotFound, []string{"port", "ecurity group"}},
	} {
		t.Run(name, func(t *testing.T) {
			s, way := newSite(t), &protectiontest.Meanwhile{}
			source := protectiontest.Afterwards(s.source(t, false), func(t *testing.T) {
				way.Before(t, c.method, c.path, func() { c.vanish(t, s) })
			})
			children := source.Children
			source.Children = func(t *testing.T) (protectiontest.Restored, func(t *testing.T)) {
				made, remove := children(t)
				return made, remove
			}
			one := s.of(t, source)
			one.Transport = way
			one.Inventory = func(*testing.T) []string { return s.made(t) }
			protectiontest.ExpectRefusal(t, protectiontest.RefusedUnforeseen(t, one), c.kind, c.words...)
		})
	}
}

// ports gives the tenant's ports that no router has.
func (s *site) ports(t *testing.T) []map[string]any {
	t.Helper()
	var out []map[string]any
	list, _ := s.tenant.Do(t, "network", http.MethodGet, "ports", nil)["ports"].([]any)
	for _, x := range list {
		if p := x.(map[string]any); p["project_id"] == s.tenant.Cloud.ProjectID() && !strings.HasPrefix(text(p, "device_owner"), "network:") {
			out = append(out, p)
		}
	}
	return out
}

// made lists what only restores of servers make.
func (s *site) made(t *testing.T) []string {
	t.Helper()
	var out []string
	for _, line := range s.tenant.Inventory(t) {
		for _, kind := range []string{"servers ", "keypairs ", "floatingips "} {
			if strings.HasPrefix(line, kind) {
				out = append(out, line)
			}
		}
	}
	for _, p := range s.ports(t) {
		out = append(out, "port "+text(p, "id"))
	}
	return out
}

// TestSecurityGroupOfANameThatSeveralHaveIsNotGuessed takes away the group of a server, and
// has two others of its name there: neither may open for the server what it opens.
func TestSecurityGroupOfANameThatSeveralHaveIsNotGuessed(t *testing.T) {
	s := newSite(t)
	var twins []string
	source := protectiontest.Afterwards(s.source(t, false), func(t *testing.T) {
		s.dropGroup(t)
		twins = []string{s.namesake(t, "web"), s.namesake(t, "web")}
	})
	source.Check = func(t *testing.T, restored protectiontest.Restored) {
		groups, _ := s.portOf(t, restored.ID)["security_groups"].([]any)
		if len(groups) != 1 || groups[0] == twins[0] || groups[0] == twins[1] {
			t.Fatalf("the server is in the groups %v; the namesakes are %q", groups, twins)
		}
	}
	protectiontest.RoundTrip(t, s.of(t, source))
}

func TestMappedSecurityGroupOfANameThatSeveralHaveIsNotGuessed(t *testing.T) {
	s := newSite(t)
	s.namesake(t, "twin")
	s.namesake(t, "twin")
	source := s.source(t, false)
	source.Restore = map[string]any{"restore_" + protection.MapSecurityGroups: map[string]any{"web": "twin"}}
	protectiontest.ExpectRefusal(t, protectiontest.Refused(t, s.of(t, source)), karbor.FailedDependency, "restore_security_groups", "2", "twin", "id")
}

// TestKeypairOfTheNameWithAnotherKeyIsToldAndStays has the user make another keypair of the
// name of the server's.
func TestKeypairOfTheNameWithAnotherKeyIsToldAndStays(t *testing.T) {
	other := strings.Replace(publicKey, "AAAAIPc1", "AAAAIPc2", 1)
	clash := func(t *testing.T, s *site) {
		s.tenant.Do(t, "compute", http.MethodPost, "os-keypairs", map[string]any{"keypair": map[string]any{"name": "shop", "public_key": other}})
	}
	for name, late := range map[string]bool{"before the restore": false, "while it is imported": true} {
		t.Run(name, func(t *testing.T) {
			s, way := newSite(t), &protectiontest.Meanwhile{}
			source := protectiontest.Afterwards(s.source(t, false), func(t *testing.T) {
				if late {
					way.Before(t, http.MethodPost, "/os-keypairs$", func() { clash(t, s) })
				} else {
					clash(t, s)
				}
			})
			source.Check = func(t *testing.T, restored protectiontest.Restored) {
				if !told(restored.NotKept, `"shop"`, "not the one that the original had") {
					t.Errorf("the tenant is told %q", restored.NotKept)
				}
			}
			one := s.of(t, source)
			one.Transport = way
			if late {
				one.Inventory = func(*testing.T) []string { return nil } // the user's keypair comes in between
			}
			protectiontest.RoundTrip(t, one)
			if shown := s.tenant.Show(t, "compute", "os-keypairs/shop", "keypair"); shown["public_key"] != other {
				t.Errorf("the user's keypair is %v", shown)
			}
		})
	}
}

func TestServerNameThatTheCloudWantsOnceOnlyIsToldWithWhatToDo(t *testing.T) {
	s := newSite(t)
	source := protectiontest.Afterwards(s.source(t, false), func(t *testing.T) {
		s.tenant.Fault(t, fabric.Fault{Service: "nova", Method: "POST", Path: "/servers$", Status: 409, Message: "Instance shop already exists."})
	})
	protectiontest.ExpectRefusal(t, protectiontest.RefusedUnforeseen(t, s.of(t, source)), karbor.Conflict, "already exists", "restore_name")
}

func TestServerOfTheNameOfOneThatIsThereComesBackBesideIt(t *testing.T) {
	s := newSite(t)
	var there string
	source := protectiontest.Afterwards(s.source(t, false), func(t *testing.T) { there = s.boot(t, nil) })
	check := source.Check
	source.Check = func(t *testing.T, restored protectiontest.Restored) {
		check(t, restored)
		if restored.ID == there || s.tenant.Show(t, "compute", "servers/"+there, "server")["status"] != "ACTIVE" {
			t.Errorf("the server %s of the same name was used", there)
		}
	}
	protectiontest.RoundTrip(t, s.of(t, source))
}

func TestCloudThatListsThingsTwiceGivesOneOfEach(t *testing.T) {
	s := newSite(t)
	one := s.of(t, s.source(t, false))
	one.Transport = protectiontest.Doubling{}
	protectiontest.RoundTrip(t, one)
}

func TestExternalNetworkOfANameThatSeveralHaveIsNotGuessed(t *testing.T) {
	s := newSite(t)
	admin := administrator(t, s.tenant)
	uplink := text(admin.Make(t, "network", "networks", "network", map[string]any{"name": "uplink", "router:external": true}), "id")
	admin.Make(t, "network", "subnets", "subnet", map[string]any{"network_id": uplink, "ip_version": 4, "cidr": "203.0.113.0/24", "enable_dhcp": false})
	s.tenant.Do(t, "network", http.MethodPut, "routers/"+s.router, map[string]any{"router": map[string]any{"external_gateway_info": map[string]any{"network_id": uplink}}})
	public := s.external
	s.external = uplink
	source := protectiontest.Afterwards(s.source(t, false), func(t *testing.T) {
		s.tenant.Do(t, "network", http.MethodPut, "routers/"+s.router, map[string]any{"router": map[string]any{"external_gateway_info": map[string]any{"network_id": public}}})
		admin.Remove(t, "network", "networks/"+uplink, "network")
		for range 2 {
			admin.Make(t, "network", "networks", "network", map[string]any{"name": "uplink", "router:external": true})
		}
	})
	source.Check = func(t *testing.T, restored protectiontest.Restored) {
		if !told(restored.NotKept, "floating address", "2 external networks", "uplink", "map") {
			t.Errorf("the tenant is told %q", restored.NotKept)
		}
	}
	protectiontest.RoundTrip(t, s.of(t, source))
}

// TestStateInWhichTheCloudGetsNoFurtherIsToldAndNothingIsLeft has the cloud say such a state of the new server, or of
// the volume that it is to have.
func TestStateInWhichTheCloudGetsNoFurtherIsToldAndNothingIsLeft(t *testing.T) {
	for name, c := range map[string]struct {
		path, member string
		status, word string
		kind         karbor.Kind
	}{
		"a server in error":                     {"/servers/[0-9a-f-]{36}$", "status", "ERROR", "server", karbor.Conflict},
		"a server that is never built":          {"/servers/[0-9a-f-]{36}$", "status", "BUILD", "server", karbor.Unavailable},
		"a server that somebody deletes softly": {"/servers/[0-9a-f-]{36}$", "status", "SOFT_DELETED", "server", karbor.Conflict},
		"a volume that can't be attached":       {"/volumes/[0-9a-f-]{36}$", "status", "error_attaching", "volume", karbor.Conflict},
		"a volume that is never attached":       {"/volumes/[0-9a-f-]{36}$", "status", "attaching", "volume", karbor.Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			s, way := newSite(t), &protectiontest.Pretending{}
			one := s.of(t, s.source(t, false))
			one.Transport = way
			err := protectiontest.Spoilt(t, one, karbor.RestoreOperation, func() {
				way.Told(c.kind)(c.path, func(members map[string]any) { members[c.member] = c.status })
			}, func() { way.Stop() })
			protectiontest.ExpectRefusal(t, err, c.kind, c.word, `"`+c.status+`"`)
		})
	}
}

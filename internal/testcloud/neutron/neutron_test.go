package neutron

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor/internal/testcloud/fabric"
)

// tokens is an authenticator whose tokens are the projects' names: "admin" is
// the administrators', "reader-NAME" a reader's in NAME.
type tokens struct{}

func (tokens) Authenticate(token string) (fabric.Identity, bool) {
	who := fabric.Identity{UserID: "user-" + token, ProjectID: token, Roles: []string{"member", "reader"}}
	switch {
	case token == "admin":
		who.Roles = append(who.Roles, "admin")
	case len(token) > 7 && token[:7] == "reader-":
		who.ProjectID, who.Roles = token[7:], []string{"reader"}
	}
	return who, true
}

func open(t *testing.T, dir string) (*Neutron, *fabric.Fabric) {
	t.Helper()
	f, err := fabric.Open(fabric.Options{
		Dir: dir, Timing: fabric.Timing{Change: -1}, Logger: slog.New(slog.DiscardHandler), Now: time.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	f.UseAuthenticator(tokens{})
	n := New(f)
	if err := n.Seed(t.Context(), fabric.Projects{Admin: "admin"}); err != nil {
		t.Fatal(err)
	}
	return n, f
}

func start(t *testing.T) *Neutron {
	t.Helper()
	n, f := open(t, t.TempDir())
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

// call makes a request as the project and gives the status and the JSON.
func call(t *testing.T, n *Neutron, project, method, path string, body any) (int, object) {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(method, root+"/v2.0"+path, bytes.NewReader(text))
	r.Header.Set("X-Auth-Token", project)
	w := httptest.NewRecorder()
	n.ServeHTTP(w, r)
	var o object
	if w.Body.Len() > 0 && w.Body.String() != "null" {
		if err := json.Unmarshal(w.Body.Bytes(), &o); err != nil {
			t.Fatalf("%s %s gave no JSON: %s", method, path, w.Body)
		}
	}
	return w.Code, o
}

// made makes a resource as project a and gives it.
func made(t *testing.T, n *Neutron, path, one string, members object) object {
	t.Helper()
	status, o := call(t, n, "a", http.MethodPost, path, object{one: members})
	if status != http.StatusCreated {
		t.Fatalf("making a %s: %d %v", one, status, o)
	}
	return o[one].(object)
}

func kindOf(o object) any {
	e, _ := o["NeutronError"].(object)
	return e["type"]
}

func TestGatewaySplitsTheAllocationPools(t *testing.T) {
	n := start(t)
	net := made(t, n, "/networks", "network", object{"name": "n"})["id"]
	s := made(t, n, "/subnets", "subnet", object{"network_id": net, "ip_version": 4, "cidr": "10.0.0.0/29", "gateway_ip": "10.0.0.4"})
	want := []any{
		object{"start": "10.0.0.1", "end": "10.0.0.3"},
		object{"start": "10.0.0.5", "end": "10.0.0.6"},
	}
	if diff := cmp.Diff(want, s["allocation_pools"]); diff != "" {
		t.Error(diff)
	}
}

func TestFullSubnetHasNoAddressAndAFreedOneIsGivenAgain(t *testing.T) {
	n := start(t)
	net := made(t, n, "/networks", "network", object{"name": "n"})["id"]
	made(t, n, "/subnets", "subnet", object{"network_id": net, "ip_version": 4, "cidr": "10.0.0.0/30"})
	port := made(t, n, "/ports", "port", object{"network_id": net})
	if status, o := call(t, n, "a", http.MethodPost, "/ports", object{"port": object{"network_id": net}}); status != http.StatusConflict ||
		kindOf(o) != "IpAddressGenerationFailure" {
		t.Errorf("a port on a full subnet: %d %v", status, o)
	}
	call(t, n, "a", http.MethodDelete, fmt.Sprint("/ports/", port["id"]), nil)
	again := made(t, n, "/ports", "port", object{"network_id": net})
	if diff := cmp.Diff(port["fixed_ips"], again["fixed_ips"]); diff != "" {
		t.Error(diff)
	}
}

func TestSLAACAddressComesFromTheMAC(t *testing.T) {
	n := start(t)
	net := made(t, n, "/networks", "network", object{"name": "n"})["id"]
	made(t, n, "/subnets", "subnet", object{"network_id": net, "ip_version": 6, "cidr": "fd00:9::/64",
		"ipv6_address_mode": "slaac", "ipv6_ra_mode": "slaac"})
	port := made(t, n, "/ports", "port", object{"network_id": net, "mac_address": "fa:16:3e:7c:64:ef"})
	got := port["fixed_ips"].([]any)[0].(object)["ip_address"]
	if got != "fd00:9::f816:3eff:fe7c:64ef" {
		t.Errorf("the address is %v", got)
	}
}

func TestQuotaIsRefusedAsOverQuota(t *testing.T) {
	n := start(t)
	if status, o := call(t, n, "admin", http.MethodPut, "/quotas/a", object{"quota": object{"network": 1}}); status != http.StatusOK {
		t.Fatalf("setting the quota: %d %v", status, o)
	}
	made(t, n, "/networks", "network", object{"name": "first"})
	status, o := call(t, n, "a", http.MethodPost, "/networks", object{"network": object{"name": "second"}})
	if status != http.StatusConflict || kindOf(o) != "OverQuota" {
		t.Errorf("the second network: %d %v", status, o)
	}
	_, o = call(t, n, "a", http.MethodGet, "/quotas/a/details.json", nil)
	if diff := cmp.Diff(object{"limit": 1.0, "used": 1.0, "reserved": 0.0}, o["quota"].(object)["network"]); diff != "" {
		t.Error(diff)
	}
}

func TestOthersSeeNothingButWhatIsSharedOrExternal(t *testing.T) {
	n := start(t)
	own := made(t, n, "/networks", "network", object{"name": "own"})["id"]
	_, o := call(t, n, "admin", http.MethodPost, "/networks", object{"network": object{"name": "common", "shared": true}})
	common := o["network"].(object)["id"]
	_, o = call(t, n, "b", http.MethodGet, "/networks?fields=name&sort_key=name", nil)
	want := []any{object{"name": "common"}, object{"name": "public"}}
	if diff := cmp.Diff(want, o["networks"]); diff != "" {
		t.Error(diff)
	}
	for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodDelete} {
		if status, o := call(t, n, "b", method, fmt.Sprint("/networks/", own), object{"network": object{"name": "x"}}); status != http.StatusNotFound {
			t.Errorf("%s of another's network: %d %v", method, status, o)
		}
	}
	if status, o := call(t, n, "b", http.MethodDelete, fmt.Sprint("/networks/", common), nil); status != http.StatusForbidden {
		t.Errorf("deleting a shared network: %d %v", status, o)
	}
	if status, _ := call(t, n, "reader-a", http.MethodPost, "/networks", object{"network": object{}}); status != http.StatusForbidden {
		t.Errorf("a reader's new network: %d", status)
	}
}

func TestUpdateReplacesListsWhole(t *testing.T) {
	n := start(t)
	net := made(t, n, "/networks", "network", object{"name": "n"})["id"]
	s := made(t, n, "/subnets", "subnet", object{"network_id": net, "ip_version": 4, "cidr": "10.0.0.0/24",
		"host_routes": []object{{"destination": "10.1.0.0/16", "nexthop": "10.0.0.9"}}})
	_, o := call(t, n, "a", http.MethodPut, fmt.Sprint("/subnets/", s["id"]),
		object{"subnet": object{"host_routes": []object{{"destination": "10.2.0.0/16"}}, "gateway_ip": nil}})
	got := o["subnet"].(object)
	want := []any{object{"destination": "10.2.0.0/16", "nexthop": ""}}
	if diff := cmp.Diff(want, got["host_routes"]); diff != "" || got["gateway_ip"] != nil {
		t.Errorf("gateway %v, routes %s", got["gateway_ip"], diff)
	}
	if got["revision_number"] == s["revision_number"] {
		t.Error("the revision number stayed")
	}
}

func TestNovaPortsGoWithTheServerAndOthersAreFreed(t *testing.T) {
	n := start(t)
	net := made(t, n, "/networks", "network", object{"name": "n"})["id"].(string)
	made(t, n, "/subnets", "subnet", object{"network_id": net, "ip_version": 4, "cidr": "10.0.0.0/24"})
	own := made(t, n, "/ports", "port", object{"network_id": net})["id"].(string)
	who := fabric.Identity{ProjectID: "a", Roles: []string{"member"}}
	for _, want := range []Want{{Port: own}, {Network: net, FixedIP: "10.0.0.50"}} {
		if err := n.Check(who, want); err != nil {
			t.Fatal(err)
		}
		port, byNova, err := n.Connect(who, "server", "nova", nil, want)
		if err != nil || byNova != (want.Port == "") || port.Status != "ACTIVE" {
			t.Fatalf("connecting %v: %+v, %v, %v", want, port, byNova, err)
		}
	}
	if err := n.Check(who, Want{Port: own}); err == nil {
		t.Error("a port in use may be used again")
	}
	if got := n.Addresses("server"); len(got) != 2 || got[1].IP != "10.0.0.50" || got[0].Network != "n" {
		t.Errorf("the addresses are %+v", got)
	}
	if status, o := call(t, n, "a", http.MethodDelete, "/networks/"+net, nil); status != http.StatusConflict {
		t.Errorf("deleting the network of a server: %d %v", status, o)
	}
	for _, p := range n.PortsOf("server") {
		if err := n.Disconnect(p.ID, p.ID != own); err != nil {
			t.Fatal(err)
		}
	}
	_, o := call(t, n, "a", http.MethodGet, "/ports?fields=id&fields=device_id", nil)
	if diff := cmp.Diff([]any{object{"id": own, "device_id": ""}}, o["ports"]); diff != "" {
		t.Error(diff)
	}
}

func TestStateSurvivesARestart(t *testing.T) {
	dir := t.TempDir()
	n, f := open(t, dir)
	net := made(t, n, "/networks", "network", object{"name": "kept", "description": "d"})
	call(t, n, "a", http.MethodPut, fmt.Sprint("/networks/", net["id"], "/tags/red"), nil)
	_, before := call(t, n, "a", http.MethodGet, "/networks?name=kept", nil)
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	n, f = open(t, dir)
	defer func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}()
	_, after := call(t, n, "a", http.MethodGet, "/networks?name=kept&tags=red", nil)
	if diff := cmp.Diff(before, after); diff != "" {
		t.Error(diff)
	}
	if _, o := call(t, n, "a", http.MethodGet, "/networks?name=public", nil); len(o["networks"].([]any)) != 1 {
		t.Errorf("after a second seed: %v", o)
	}
}

func TestPagesGiveEachNetworkOnce(t *testing.T) {
	n := start(t)
	want := map[string]bool{"public": true}
	for i := range 5 {
		name := fmt.Sprint("n", i)
		made(t, n, "/networks", "network", object{"name": name})
		want[name] = true
	}
	got, marker := map[string]bool{}, ""
	for range 10 {
		_, o := call(t, n, "a", http.MethodGet, "/networks?limit=2&marker="+marker, nil)
		page := o["networks"].([]any)
		if len(page) == 0 {
			break
		}
		for _, item := range page {
			network := item.(object)
			name, _ := network["name"].(string)
			if got[name] {
				t.Errorf("%s came twice", name)
			}
			got[name], marker = true, fmt.Sprint(network["id"])
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestTenantMayNotChooseAddressesOnAnotherProjectsNetwork(t *testing.T) {
	n := start(t)
	_, o := call(t, n, "admin", http.MethodPost, "/networks", object{"network": object{"name": "all", "shared": true}})
	net := o["network"].(object)["id"]
	_, o = call(t, n, "admin", http.MethodPost, "/subnets", object{"subnet": object{"network_id": net, "ip_version": 4, "cidr": "10.0.0.0/24"}})
	subnet := o["subnet"].(object)["id"]
	for name, more := range map[string]object{
		"mac_address":           {"mac_address": "fa:16:3e:00:00:01"},
		"address":               {"fixed_ips": []object{{"subnet_id": subnet, "ip_address": "10.0.0.9"}}},
		"port_security_enabled": {"port_security_enabled": false},
		"allowed_address_pairs": {"allowed_address_pairs": []object{{"ip_address": "10.0.0.9"}}},
	} {
		more["network_id"] = net
		if status, o := call(t, n, "a", http.MethodPost, "/ports", object{"port": more}); status != http.StatusForbidden || kindOf(o) != "PolicyNotAuthorized" {
			t.Errorf("a port with another %s: %d %v", name, status, o)
		}
		if status, o := call(t, n, "admin", http.MethodPost, "/ports", object{"port": more}); status != http.StatusCreated {
			t.Errorf("the administrator's port with its %s: %d %v", name, status, o)
		} else {
			call(t, n, "admin", http.MethodDelete, "/ports/"+o["port"].(object)["id"].(string), nil)
		}
	}
	port := made(t, n, "/ports", "port", object{"network_id": net, "fixed_ips": []object{{"subnet_id": subnet}}})["id"].(string)
	change := object{"port": object{"allowed_address_pairs": []object{{"ip_address": "10.0.0.9"}}}}
	if status, o := call(t, n, "a", http.MethodPut, "/ports/"+port, change); status != http.StatusForbidden {
		t.Errorf("pairs added later: %d %v", status, o)
	}
	_, o = call(t, n, "a", http.MethodGet, "/networks?name=public", nil)
	public := o["networks"].([]any)[0].(object)["id"]
	if status, o := call(t, n, "a", http.MethodPost, "/ports", object{"port": object{"network_id": public}}); status != http.StatusForbidden || kindOf(o) != "HTTPForbidden" {
		t.Errorf("a port on an external network: %d %v", status, o)
	}
}

package janitor_test

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice/drill"
	"github.com/karbor/karbor/internal/protectionservice/janitor"
	"github.com/karbor/karbor/protection"
)

// mark is the description of what the lost drill has made for a key.
func mark(key string) string {
	return drill.Mark(&protection.Call{OperationID: owner, Installation: ours}, key)
}

// judged does a round, and gives why each thing is spared ("" for an orphan) or can't go.
func judged(t *testing.T, j *janitor.Janitor, q janitor.Query) map[string]string {
	t.Helper()
	findings, err := j.Round(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, f := range findings {
		out[f.ID] = f.Spared
		if f.Failure != nil {
			out[f.ID] = karbor.Sentence(f.Failure)
		}
	}
	return out
}

func TestAnImageThatATenantHasMadeOfADrillsServerStays(t *testing.T) {
	n := newTenant(t)
	name := drill.Name(owner) + "-web"
	body := map[string]any{"name": name, "disk_format": "raw", "container_format": "bare"}
	call := protection.Call{Owner: owner, Installation: ours, Drill: true, Node: &karbor.Node{Resource: karbor.Resource{ID: source}}}
	for k, v := range call.Tags() {
		body[k] = v
	}
	restored := n.make(t, "/image/v2/images", "", body)
	if a := n.Do(t, n.token, "PUT", "/image/v2/images/"+restored+"/file", strings.NewReader("disk"), "Content-Type", "application/octet-stream"); a.Status != http.StatusNoContent {
		t.Fatalf("uploading: %d %s", a.Status, a.Body)
	}
	server := n.created(t, "/compute/v2.1/servers", "server", map[string]any{
		"name": name, "flavorRef": n.first(t, "/compute/v2.1/flavors", "flavors"), "imageRef": restored, "networks": "none",
	}, "X-OpenStack-Nova-API-Version", "2.52")
	var answer struct {
		Server struct{ Status string }
		Image  string `json:"image_id"`
	}
	n.until(t, func() bool {
		a := n.Do(t, n.token, "GET", "/compute/v2.1/servers/"+server, nil)
		return json.Unmarshal(a.Body, &answer) == nil && answer.Server.Status == "ACTIVE"
	})
	a := n.Do(t, n.token, "POST", "/compute/v2.1/servers/"+server+"/action", map[string]any{"createImage": map[string]any{"name": name}},
		"X-OpenStack-Nova-API-Version", "2.52")
	if err := json.Unmarshal(a.Body, &answer); err != nil || answer.Image == "" {
		t.Fatalf("making an image: %d %s", a.Status, a.Body)
	}
	want := map[string]string{restored: "", answer.Image: "somebody has made it of a server"}
	if diff := cmp.Diff(want, judged(t, administrator(t, n), janitor.Query{Remove: true})); diff != "" {
		t.Errorf("images (-want +got):\n%s", diff)
	}
	if !n.there(t, "/image/v2/images/"+answer.Image) {
		t.Error("it is gone")
	}
}

// outside gives the external network of the cloud.
func (n tenant) outside(t *testing.T) string {
	t.Helper()
	return n.first(t, "/network/v2.0/networks?router:external=true", "networks")
}

// reachable makes a floating address of the drill that leads to a port, by the drill's router.
func (n tenant) reachable(t *testing.T, router, port string) string {
	t.Helper()
	n.put(t, "/network/v2.0/routers/"+router, map[string]any{"router": map[string]any{"external_gateway_info": map[string]any{"network_id": n.outside(t)}}})
	return n.created(t, "/network/v2.0/floatingips", "floatingip",
		map[string]any{"floating_network_id": n.outside(t), "port_id": port, "description": mark("address")})
}

func (n tenant) put(t *testing.T, path string, body map[string]any) {
	t.Helper()
	if a := n.Do(t, n.token, "PUT", path, body); a.Status != http.StatusOK {
		t.Fatalf("PUT %s: %d %s", path, a.Status, a.Body)
	}
}

func TestAFloatingAddressGoesOnlyOnceNothingOfATenantsIsBehindIt(t *testing.T) {
	n := newTenant(t)
	lost := n.drill(t, drill.Name(owner), mark("network for x"), protection.OwnerMark(owner), protection.DrillMark(ours))
	own := n.drill(t, "mine", "my own")
	virtual := n.created(t, "/network/v2.0/ports", "port", map[string]any{"network_id": own.network}) // as for an address that servers share
	addresses := map[string]string{                                                                   // each with why it stays
		n.reachable(t, lost.router, lost.port): "it is associated", // with the drill's server, which goes first
		n.reachable(t, own.router, own.port):   "it is associated",
		n.reachable(t, own.router, virtual):    "it is associated",
	}
	free := n.created(t, "/network/v2.0/floatingips", "floatingip", map[string]any{"floating_network_id": n.outside(t), "description": mark("address")})
	addresses[free] = ""

	j := administrator(t, n)
	all := judged(t, j, janitor.Query{})
	got := map[string]string{}
	for id := range addresses {
		got[id] = all[id]
	}
	if diff := cmp.Diff(addresses, got); diff != "" {
		t.Fatalf("addresses (-want +got):\n%s", diff)
	}
	cloud := janitor.NewCloud(session(t, n, nil))
	for id, want := range addresses { // the last look before a removal sees it, too
		if now, err := cloud.Show(t.Context(), janitor.FloatingIP, id); err != nil || now.Used != want {
			t.Errorf("it is shown as used by %q, %v; want %q", now.Used, err, want)
		}
	}
	n.until(t, func() bool {
		judged(t, j, janitor.Query{Remove: true})
		return !n.there(t, "/network/v2.0/networks/"+lost.network) && !n.there(t, "/network/v2.0/routers/"+lost.router)
	})
	var answer struct {
		List []struct {
			Port string `json:"port_id"`
		} `json:"floatingips"`
	}
	a := n.Do(t, n.token, "GET", "/network/v2.0/floatingips", nil)
	if err := json.Unmarshal(a.Body, &answer); err != nil {
		t.Fatal(err)
	}
	left := map[string]bool{}
	for _, f := range answer.List {
		left[f.Port] = true
	}
	if diff := cmp.Diff(map[string]bool{own.port: true, virtual: true}, left); diff != "" {
		t.Errorf("ports with an address (-want +got):\n%s", diff)
	}
}

// asked notes what Neutron is asked for.
type asked struct{ paths map[string]bool }

// RoundTrip implements http.RoundTripper.
func (a asked) RoundTrip(r *http.Request) (*http.Response, error) {
	a.paths[r.URL.Path] = true // a round asks for one thing at a time
	return http.DefaultTransport.RoundTrip(r)
}

func TestOnlyAddressesOfTheKarborThatIsLookedForAreFollowedToTheirPorts(t *testing.T) {
	n := newTenant(t)
	port := n.drill(t, "mine", "my own").port
	theirs := drill.Mark(&protection.Call{OperationID: owner, Installation: "1e1e"}, "address")
	router := n.first(t, "/network/v2.0/routers?name=mine", "routers")
	address := n.reachable(t, router, port)
	n.put(t, "/network/v2.0/floatingips/"+address, map[string]any{"floatingip": map[string]any{"description": theirs}})
	for _, anyOf := range []bool{false, true} {
		way := asked{map[string]bool{}}
		_, found := judged(t, administratorBy(t, n, &http.Client{Transport: way}), janitor.Query{Any: anyOf})[address]
		if followed := way.paths["/network/v2.0/ports/"+port]; found != anyOf || followed != anyOf {
			t.Errorf("of all Karbors: %v; found: %v, followed: %v", anyOf, found, followed)
		}
	}
}

func TestARouterThatATenantHasJoinedToAnotherNetworkStaysInAll(t *testing.T) {
	n := newTenant(t)
	for name, other := range map[string]struct{ name, description string }{
		"of its own":                {"mine", "my own"},
		"of the drill, and kept":    {"kept", mark("network for y")},
		"of another drill":          {drill.Name(source), drill.Mark(&protection.Call{OperationID: source, Installation: ours}, "network for y")},
		"of another Karbor's drill": {drill.Name(owner), drill.Mark(&protection.Call{OperationID: owner, Installation: "1e1e"}, "network for y")},
	} {
		t.Run(name, func(t *testing.T) {
			lost := n.drill(t, drill.Name(owner), mark("network for x"), protection.OwnerMark(owner), protection.DrillMark(ours))
			network := n.created(t, "/network/v2.0/networks", "network", map[string]any{"name": other.name, "description": other.description})
			subnet := n.created(t, "/network/v2.0/subnets", "subnet", map[string]any{"network_id": network, "cidr": "10.10.0.0/24", "ip_version": 4})
			n.put(t, "/network/v2.0/routers/"+lost.router+"/add_router_interface", map[string]any{"subnet_id": subnet})
			j := administratorBy(t, n, &http.Client{Transport: capped(1)}) // the other network may be on a later page
			got := judged(t, j, janitor.Query{Remove: true})[lost.router]
			if want := "router " + lost.router + " is in network " + network + ", which is not the drill's"; got != want {
				t.Errorf("it is said: %q; want %q", got, want)
			}
			for _, member := range []string{network, lost.network} {
				var answer struct{ Ports []struct{ ID string } }
				a := n.Do(t, n.token, "GET", "/network/v2.0/ports?device_id="+lost.router+"&network_id="+member, nil)
				if err := json.Unmarshal(a.Body, &answer); err != nil || len(answer.Ports) != 1 {
					t.Errorf("the router has %d ports in network %s, %v", len(answer.Ports), member, err)
				}
			}
		})
	}
}

// capped is a Neutron that gives fewer things at once than it is asked for.
type capped int

// RoundTrip implements http.RoundTripper.
func (c capped) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodGet && strings.HasPrefix(r.URL.Path, "/network/v2.0/") {
		r = r.Clone(r.Context())
		q := r.URL.Query()
		if limit, err := strconv.Atoi(q.Get("limit")); err != nil || limit > int(c) {
			q.Set("limit", strconv.Itoa(int(c)))
		}
		r.URL.RawQuery = q.Encode()
	}
	return http.DefaultTransport.RoundTrip(r)
}

func TestListsOfACloudWithACapAreReadToTheirEnd(t *testing.T) {
	n := newTenant(t)
	lost := n.drill(t, drill.Name(owner), mark("network for x"), protection.OwnerMark(owner), protection.DrillMark(ours))
	n.created(t, "/network/v2.0/ports", "port", map[string]any{"network_id": lost.network})
	other := n.created(t, "/network/v2.0/subnets", "subnet", map[string]any{"network_id": lost.network, "cidr": "10.11.0.0/24", "ip_version": 4})
	n.put(t, "/network/v2.0/routers/"+lost.router+"/add_router_interface", map[string]any{"subnet_id": other})
	for range 3 {
		n.drill(t, "mine", "my own")
	}
	j := administratorBy(t, n, &http.Client{Transport: capped(1)})
	found := judged(t, j, janitor.Query{})
	for _, id := range []string{lost.server, lost.router, lost.network, lost.group} {
		if why, there := found[id]; !there || why != "" {
			t.Errorf("%s: found %v, spared as %q", id, there, why)
		}
	}
	n.until(t, func() bool {
		judged(t, j, janitor.Query{Remove: true})
		for _, path := range lost.paths() {
			if n.there(t, path) {
				return false
			}
		}
		return true
	})
}

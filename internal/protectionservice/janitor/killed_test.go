package janitor_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/internal/protectionservice/janitor"
	"github.com/karbor/karbor/protection"
	"github.com/karbor/karbor/protection/network"
	"github.com/karbor/karbor/protection/protectiontest"
)

// mortal is a process that dies behind so many changes of the cloud: the last is carried out, but it
// never learns so.
type mortal struct {
	left int
	die  context.CancelFunc
}

// RoundTrip implements http.RoundTripper.
func (m *mortal) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil || m.die == nil || r.Method == http.MethodGet {
		return answer, err
	}
	if m.left--; m.left < 0 {
		m.die()
		_ = answer.Body.Close()
		return nil, context.Canceled
	}
	return answer, nil
}

// as opens a session of the tenant's.
func (n tenant) as(t *testing.T, way http.RoundTripper) karbor.Cloud {
	t.Helper()
	u, _ := n.User("demo")
	authority, err := openstack.NewAuthority(t.Context(), openstack.Options{
		AuthURL: n.URL(), Username: u.Name, Password: karbor.Secret(u.Password), Project: u.ProjectName, HTTP: &http.Client{Transport: way}, Now: time.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(authority.Close)
	cloud := authority.Service()
	if _, err := openstack.Network(t.Context(), cloud); err != nil { // the session's own requests come first
		t.Fatal(err)
	}
	return cloud
}

// networked gives the ids of what the tenant has in Neutron, but for what Neutron makes by itself.
func (n tenant) networked(t *testing.T) []string {
	t.Helper()
	out := []string{}
	for path, member := range map[string]string{
		"networks": "networks", "routers": "routers", "ports": "ports", "security-groups": "security_groups", "floatingips": "floatingips",
	} {
		var answer map[string]json.RawMessage
		var list []struct {
			ID, Name string
			Owner    string `json:"device_owner"`
		}
		a := n.Do(t, n.token, "GET", "/network/v2.0/"+path+"?project_id="+n.project, nil)
		if json.Unmarshal(a.Body, &answer) != nil || json.Unmarshal(answer[member], &list) != nil {
			t.Fatalf("GET %s: %d %s", path, a.Status, a.Body)
		}
		for _, thing := range list {
			if thing.Name != "default" && !strings.HasPrefix(thing.Owner, "network:") {
				out = append(out, thing.ID)
			}
		}
	}
	slices.Sort(out)
	return out
}

// running is a ledger that knows one operation.
type running struct {
	empty
	id string
}

// LiveOwners implements janitor.Ledger.
func (r running) LiveOwners(context.Context) (map[string]bool, error) {
	return map[string]bool{r.id: true}, nil
}

// town is a network of the tenant's with all that hangs on one, and its protection.
func (n tenant) town(t *testing.T) *protectiontest.Single {
	t.Helper()
	d := n.drill(t, "shop", "of the shop")
	n.put(t, "/network/v2.0/routers/"+d.router, map[string]any{"router": map[string]any{"external_gateway_info": map[string]any{"network_id": n.outside(t)}}})
	n.created(t, "/network/v2.0/ports", "port", map[string]any{"name": "shared", "network_id": d.network, "security_groups": []string{d.group}})
	p, err := network.Plugin.Open(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	g := &karbor.Graph{}
	s := protectiontest.NewSingle(p, protectiontest.Source{Graph: g, Key: g.Add(karbor.Resource{Type: karbor.NetworkType, ID: d.network}, "").Key()})
	if err := s.Run(t, p.Hooks(karbor.Protect, karbor.NetworkType).Main, s.Begin(n.as(t, http.DefaultTransport), nil, nil)); err != nil {
		t.Fatal(err)
	}
	for _, path := range d.paths()[:1] {
		n.Do(t, n.token, "DELETE", path, nil)
		n.until(t, func() bool { return !n.there(t, path) })
	}
	n.put(t, "/network/v2.0/routers/"+d.router+"/remove_router_interface", map[string]any{"subnet_id": d.subnet})
	n.Do(t, n.token, "DELETE", "/network/v2.0/routers/"+d.router, nil)
	n.until(t, func() bool { // the server's own port and the others go first
		for _, id := range n.networked(t) {
			for _, kind := range []string{"ports/", "networks/", "security-groups/"} {
				n.Do(t, n.token, "DELETE", "/network/v2.0/"+kind+id, nil)
			}
		}
		return len(n.networked(t)) == 0
	})
	return s
}

// TestWhatAKilledRestoreOfANetworkHasBegunIsFoundAndGoesByTheOperatorsWord kills the hook behind each
// of its changes, and has nobody come back to it.
func TestWhatAKilledRestoreOfANetworkHasBegunIsFoundAndGoesByTheOperatorsWord(t *testing.T) {
	n := newTenant(t)
	s := n.town(t)
	p, err := network.Plugin.Open(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	restore := p.Hooks(karbor.RestoreOperation, karbor.NetworkType).Main
	m := &mortal{}
	cloud := n.as(t, m)
	j := administrator(t, n)
	unfinished := func(q janitor.Query) (orphans []string) {
		for id, why := range judged(t, j, q) {
			if why == "" {
				orphans = append(orphans, id)
			}
		}
		slices.Sort(orphans)
		return orphans
	}
	deaths := 0
	for whole := false; !whole; deaths++ {
		call := s.Begin(cloud, nil, nil)
		call.Installation = ours
		ctx, cancel := context.WithCancel(t.Context())
		m.left, m.die = deaths, cancel
		whole = restore(ctx, call) == nil
		m.die = nil
		cancel()
		made := n.networked(t)
		what := fmt.Sprintf("killed behind %d changes", deaths)
		if whole {
			if found := judged(t, j, janitor.Query{}); len(found) > 0 {
				t.Errorf("what is whole is found: %v", found)
			}
			break
		}
		if len(made) == 0 {
			t.Fatalf("%s, nothing is there", what)
		}
		known := janitorOf(t, n, nil, running{id: call.Owner})
		for id, why := range judged(t, known, janitor.Query{Remove: true, Unfinished: true}) {
			if why == "" {
				t.Errorf("%s, and its restore runs: %s goes", what, id)
			}
		}
		found := unfinished(janitor.Query{Remove: true})
		if diff := cmp.Diff(made, n.networked(t)); diff != "" {
			t.Fatalf("%s, it goes without the operator's word (-want +got):\n%s", what, diff)
		}
		finished := slices.DeleteFunc(slices.Clone(made), func(id string) bool { return slices.Contains(found, id) })
		if !n.tagged(t, finished, protection.OwnerMark(call.Owner)) {
			t.Errorf("%s, there is what is neither whole nor found: %v of %v", what, finished, made)
		}
		if len(finished) == 0 { // else what is whole holds what is not
			n.until(t, func() bool { return len(unfinished(janitor.Query{Remove: true, Unfinished: true})) == 0 })
			if left := n.networked(t); len(left) > 0 {
				t.Errorf("%s, there is left %v", what, left)
			}
		}
		n.wreck(t, n.networked(t))
	}
	if deaths < 10 {
		t.Errorf("it died only %d times", deaths)
	}
}

// tagged reports whether all of the things bear a tag.
func (n tenant) tagged(t *testing.T, ids []string, tag string) bool {
	t.Helper()
	for _, id := range ids {
		found := false
		for _, kind := range []string{"ports", "networks", "security-groups", "routers"} {
			a := n.Do(t, n.token, "GET", "/network/v2.0/"+kind+"/"+id, nil)
			found = found || a.Status == http.StatusOK && strings.Contains(string(a.Body), `"`+tag+`"`)
		}
		if !found {
			return false
		}
	}
	return true
}

// wreck removes what the tenant has in Neutron, as he may.
func (n tenant) wreck(t *testing.T, ids []string) {
	t.Helper()
	n.until(t, func() bool {
		for _, id := range ids {
			var answer struct{ Ports []struct{ ID string } }
			a := n.Do(t, n.token, "GET", "/network/v2.0/ports?device_id="+id, nil)
			if json.Unmarshal(a.Body, &answer) == nil && n.there(t, "/network/v2.0/routers/"+id) {
				n.Do(t, n.token, "PUT", "/network/v2.0/routers/"+id, map[string]any{"router": map[string]any{"routes": []any{}}})
				for _, p := range answer.Ports {
					n.Do(t, n.token, "PUT", "/network/v2.0/routers/"+id+"/remove_router_interface", map[string]any{"port_id": p.ID})
				}
			}
			for _, kind := range []string{"ports/", "routers/", "networks/", "security-groups/"} {
				n.Do(t, n.token, "DELETE", "/network/v2.0/"+kind+id, nil)
			}
		}
		return len(n.networked(t)) == 0
	})
}

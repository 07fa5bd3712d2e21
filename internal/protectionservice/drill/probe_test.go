package drill_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/evidence"
	"github.com/karbor/karbor/internal/protectionservice/drill"
	"github.com/karbor/karbor/internal/testcloud/fabric"
	"github.com/karbor/karbor/protection"
	"github.com/karbor/karbor/protection/protectiontest"
)

const drillID = "3f0c3c6e-5d3e-4a0c-8e5e-0c6d9a2f1b11"

// memory is protection.NewResources in memory.
type memory struct {
	mu    sync.Mutex
	ids   map[karbor.NodeKey]string
	parts map[string]string
}

func (m *memory) ID(key karbor.NodeKey) string      { return m.ids[key] }
func (m *memory) Set(context.Context, string) error { return nil }
func (m *memory) Part(original string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.parts[original]
}
func (m *memory) SetPart(_ context.Context, original, id string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.parts[original] = id
	return nil
}

// stage is a drill in the simulated cloud: its networks, and a server on them.
type stage struct {
	*protectiontest.Tenant
	t       *testing.T
	call    *protection.Call
	site    *protection.Call
	fresh   *memory
	server  string
	subject drill.Subject
	// external is the network that floating addresses are made in.
	external string
	dial     func(ctx context.Context, network, address string) (net.Conn, error)
}

// originals are those of the server.
const originalNetwork, originalSubnet, originalGroup = "00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002", "00000000-0000-4000-8000-000000000003"

func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{t: t, Tenant: protectiontest.NewTenant(t), fresh: &memory{ids: map[karbor.NodeKey]string{}, parts: map[string]string{}}}
	checkpoint := &karbor.Graph{}
	original := checkpoint.Add(karbor.Resource{Type: karbor.ServerType, ID: "original", Name: "db"}, "")
	g := drill.Graph(drillID, checkpoint, func(*karbor.Node) bool { return true })
	s.site = &protection.Call{
		OperationID: drillID, Owner: drillID, Graph: g, Node: g.Nodes()[1], Cloud: s.Cloud, NewResources: s.fresh, Progress: func(int64, int64) {},
	}
	own := *s.site
	own.Node = g.Node(original.Key())
	s.call = &own
	err := drill.Isolate(t.Context(), s.site, []protection.DrillNetwork{{ID: originalNetwork, Name: "lan", Groups: []string{originalGroup}, Subnets: []protection.DrillSubnet{
		{ID: originalSubnet, CIDR: "10.20.30.0/24", Gateway: "10.20.30.1", Addresses: []string{"10.20.30.7"}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	port := s.Make(t, "network", "ports", "port", map[string]any{
		"network_id": s.fresh.parts[originalNetwork], "security_groups": []string{s.fresh.parts[originalGroup]},
		"fixed_ips": []any{map[string]any{"subnet_id": s.fresh.parts[originalSubnet], "ip_address": "10.20.30.7"}},
	})
	image := s.Make(t, "image", "images", "", map[string]any{"name": "base", "disk_format": "raw", "container_format": "bare"})
	s.Do(t, "image", "PUT", "images/"+image["id"].(string)+"/file", bytes.Repeat([]byte("x"), 4096))
	flavors := s.Do(t, "compute", "GET", "flavors", nil)["flavors"].([]any)
	server := s.Make(t, "compute", "servers", "server", map[string]any{
		"name": "karbor-drill-3f0c3c6e-db", "imageRef": image["id"], "flavorRef": flavors[0].(map[string]any)["id"],
		"networks": []any{map[string]any{"port": port["id"]}},
	})
	s.server = server["id"].(string)
	s.Await(t, "compute", "servers/"+s.server, "server", "ACTIVE")
	s.fresh.ids[original.Key()] = s.server
	s.subject = drill.Subject{ID: s.server}
	s.external = s.public()
	return s
}

// public gives the id of the cloud's external network.
func (s *stage) public() string {
	s.t.Helper()
	found := s.Do(s.t, "network", "GET", "networks?router:external=true", nil)["networks"].([]any)
	return found[0].(map[string]any)["id"].(string)
}

// probe makes a probe.
func (s *stage) probe(name string, p karbor.DrillProbes) evidence.Probe {
	s.t.Helper()
	s.subject.Probes = p
	prober := drill.NewProber(drill.Options{
		Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			return s.dial(ctx, network, address)
		},
		Source: "198.51.100.7", ExternalNetwork: s.external, Poll: 5 * time.Millisecond, ImageTimeout: time.Minute, Now: time.Now,
	})
	found, err := prober.Probe(s.t.Context(), name, s.call, s.subject)
	if err != nil {
		s.t.Fatal(err)
	}
	return found
}

// rules gives the rules of the drill's group that a direction has, in short.
func (s *stage) rules(direction string) string {
	s.t.Helper()
	all := s.Do(s.t, "network", "GET", "security-group-rules?security_group_id="+s.fresh.parts[originalGroup], nil)["security_group_rules"].([]any)
	var out []string
	for _, item := range all {
		r := item.(map[string]any)
		if r["direction"] == direction {
			out = append(out, fmt.Sprint(r["ethertype"], " ", r["protocol"], " ", r["port_range_min"], " ", r["remote_ip_prefix"], " ", r["remote_group_id"] == s.fresh.parts[originalGroup]))
		}
	}
	return strings.Join(out, "\n")
}

func TestDrillsNetworkLetsNobodyOut(t *testing.T) {
	s := newStage(t)
	for line := range strings.SplitSeq(s.rules("egress"), "\n") {
		if !strings.HasSuffix(line, "<nil> <nil> true") && !strings.Contains(line, " tcp 80 169.254.169.254/32 ") {
			t.Errorf("something gets out: %s", line)
		}
	}
	for line := range strings.SplitSeq(s.rules("ingress"), "\n") {
		if !strings.HasSuffix(line, "<nil> <nil> true") {
			t.Errorf("something gets in: %s", line)
		}
	}
	if routers := s.Do(t, "network", "GET", "routers", nil)["routers"].([]any); len(routers) > 0 {
		t.Errorf("there are routers: %v", routers)
	}
	// A second run, after a crash, finds it all.
	parts := len(s.fresh.parts)
	if err := drill.Isolate(t.Context(), s.site, []protection.DrillNetwork{{ID: originalNetwork, Groups: []string{originalGroup}}}); err != nil || len(s.fresh.parts) != parts {
		t.Errorf("a second run: %v, %v", s.fresh.parts, err)
	}
}

func TestPortProbeGoesThroughTheDrillsRouterAndLetsOneSourceIn(t *testing.T) {
	s := newStage(t)
	during, address := "", ""
	s.dial = func(_ context.Context, _, to string) (net.Conn, error) {
		address, during = to, s.rules("ingress")
		here, there := net.Pipe()
		_ = there.Close()
		return here, nil
	}
	found := s.probe(drill.PortProbe, karbor.DrillProbes{Port: &karbor.PortProbe{Port: 22, Timeout: 5}})
	if found.Result != evidence.Passed || !strings.Contains(found.Origin, "198.51.100.7") || !strings.HasSuffix(address, ":22") {
		t.Errorf("it found %+v at %s", found, address)
	}
	if !strings.Contains(during, "IPv4 tcp 22 198.51.100.7/32 false") || strings.Count(during, "\n") != 2 {
		t.Errorf("it let in\n%s", during)
	}
	if left := s.Do(t, "network", "GET", "floatingips", nil)["floatingips"].([]any); len(left) > 0 {
		t.Errorf("the address stays: %v", left)
	}
	s.clear()
}

// noRouter makes sure that a port probe is impossible, and makes no way out of the drill.
func (s *stage) noRouter(reason string) {
	s.t.Helper()
	s.dial = func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("connection refused") }
	found := s.probe(drill.PortProbe, karbor.DrillProbes{Port: &karbor.PortProbe{Port: 22, Timeout: 1}})
	if found.Result != evidence.Impossible || !strings.Contains(found.Reason, reason) {
		s.t.Errorf("it found %+v", found)
	}
	if routers := s.Do(s.t, "network", "GET", "routers", nil)["routers"].([]any); len(routers) > 0 {
		s.t.Errorf("there are routers: %v", routers)
	}
}

func TestPortProbeMakesNoRouterWhereAnotherServerWillHaveAnOpenPort(t *testing.T) {
	s := newStage(t)
	err := drill.Isolate(t.Context(), s.site, []protection.DrillNetwork{{ID: originalNetwork, Groups: []string{originalGroup}}, {ID: originalNetwork, Open: true}})
	if err != nil {
		t.Fatal(err)
	}
	s.noRouter("without port security")
}

func TestPortProbeMakesNoRouterWhereAPortOfTheDrillIsOpen(t *testing.T) {
	s := newStage(t)
	// It is no server's yet.
	s.Make(t, "network", "ports", "port", map[string]any{
		"network_id": s.fresh.parts[originalNetwork], "port_security_enabled": false, "security_groups": []string{},
	})
	s.noRouter("without port security")
}

// distributed is a cloud whose routers are distributed: their ports have another owner.
type distributed struct{ owner string }

func (d distributed) RoundTrip(r *http.Request) (*http.Response, error) {
	const plain = "network:router_interface"
	ports := r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/ports")
	if ports && d.owner != plain && r.URL.Query().Get("device_owner") == plain {
		return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(`{"ports": []}`)), Request: r}, nil
	}
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil || !ports {
		return answer, err
	}
	text, err := io.ReadAll(answer.Body)
	_ = answer.Body.Close()
	text = bytes.ReplaceAll(text, []byte(`"`+plain+`"`), []byte(`"`+d.owner+`"`))
	answer.Body, answer.ContentLength = io.NopCloser(bytes.NewReader(text)), int64(len(text))
	answer.Header.Del("Content-Length")
	return answer, err
}

func TestRouterOfADrillIsRemovedWhereverItsPortsAre(t *testing.T) {
	for _, owner := range []string{"network:router_interface", "network:router_interface_distributed", "network:ha_router_replicated_interface"} {
		t.Run(owner, func(t *testing.T) {
			s := newStage(t)
			s.call.Cloud = s.Session(t, &http.Client{Transport: distributed{owner}})
			s.site.Cloud = s.call.Cloud
			s.dial = func(context.Context, string, string) (net.Conn, error) {
				here, there := net.Pipe()
				return here, there.Close()
			}
			found := s.probe(drill.PortProbe, karbor.DrillProbes{Port: &karbor.PortProbe{Port: 22, Timeout: 5}})
			if found.Result != evidence.Passed {
				t.Fatalf("it found %+v", found)
			}
			s.clear()
		})
	}
}

// clear removes the server, and has the drill removed, of which nothing stays.
func (s *stage) clear() {
	t := s.t
	t.Helper()
	s.Remove(t, "compute", "servers/"+s.server, "server")
	for _, p := range s.Do(t, "network", "GET", "ports?network_id="+s.fresh.parts[originalNetwork], nil)["ports"].([]any) {
		if port := p.(map[string]any); !strings.HasPrefix(port["device_owner"].(string), "network:") {
			s.Do(t, "network", "DELETE", "ports/"+port["id"].(string), nil)
		}
	}
	for range 2 { // an undo may run again
		if err := drill.Remove(t.Context(), s.site); err != nil {
			t.Fatal(err)
		}
	}
	for _, kind := range []string{"routers", "networks", "security_groups"} {
		for _, thing := range s.Do(t, "network", "GET", strings.ReplaceAll(kind, "_", "-"), nil)[kind].([]any) {
			if strings.Contains(fmt.Sprint(thing), drillID) {
				t.Errorf("something is left: %v", thing)
			}
		}
	}
}

func TestPortProbeFailsWhereNobodyAnswers(t *testing.T) {
	s := newStage(t)
	s.dial = func(context.Context, string, string) (net.Conn, error) {
		return nil, errors.New("connect: connection refused")
	}
	found := s.probe(drill.PortProbe, karbor.DrillProbes{Port: &karbor.PortProbe{Port: 22, Timeout: 1}})
	if found.Result != evidence.Failed || !strings.Contains(found.Reason, "refused") {
		t.Errorf("it found %+v", found)
	}
}

func TestPortProbeIsImpossibleWithoutAWayIn(t *testing.T) {
	s := newStage(t)
	s.Fault(t, fabric.Fault{Service: "neutron", Method: "POST", Path: "/floatingips", Status: 409, Message: "Quota exceeded for resources: ['floatingip']."})
	found := s.probe(drill.PortProbe, karbor.DrillProbes{Port: &karbor.PortProbe{Port: 22, Timeout: 1}})
	if found.Result != evidence.Impossible || found.Reason == "" {
		t.Errorf("it found %+v", found)
	}
}

// Tenants may make external networks of their own, with addresses that are the operator's.
func TestPortProbeIsMadeInTheOperatorsNetworkOnly(t *testing.T) {
	s := newStage(t)
	s.external = ""
	found := s.probe(drill.PortProbe, karbor.DrillProbes{Port: &karbor.PortProbe{Port: 22, Timeout: 5}})
	if found.Result != evidence.Impossible || !strings.Contains(found.Reason, "named no external network") {
		t.Errorf("%s: %s", found.Result, found.Reason)
	}
	if made := s.Do(t, "network", "GET", "routers", nil)["routers"].([]any); len(made) != 0 {
		t.Errorf("routers were made: %v", made)
	}
}

func TestConsoleProbe(t *testing.T) {
	s := newStage(t)
	found := s.probe(drill.ConsoleProbe, karbor.DrillProbes{Console: &karbor.ConsoleProbe{Pattern: "login:", Timeout: 5}})
	if found.Result != evidence.Passed {
		t.Errorf("it found %+v", found)
	}
	found = s.probe(drill.ConsoleProbe, karbor.DrillProbes{Console: &karbor.ConsoleProbe{Pattern: "never", Timeout: 1}})
	if found.Result != evidence.Failed || !strings.Contains(found.Reason, "login:") {
		t.Errorf("it found %+v", found)
	}
	s.Fault(t, fabric.Fault{Service: "nova", Method: "POST", Path: "/action", Status: 501, Message: "Unable to get console log, functionality not implemented"})
	found = s.probe(drill.ConsoleProbe, karbor.DrillProbes{Console: &karbor.ConsoleProbe{Pattern: "login:", Timeout: 5}})
	if found.Result != evidence.Impossible || !strings.Contains(found.Reason, "no console") {
		t.Errorf("without a console it found %+v", found)
	}
}

func TestCommandProbeTellsTheGuestAndWaitsForItsHook(t *testing.T) {
	s := newStage(t)
	found := s.probe(drill.CommandProbe, karbor.DrillProbes{Command: &karbor.CommandProbe{Timeout: 1}})
	if found.Result != evidence.Impossible || !strings.Contains(found.Reason, "did not answer") {
		t.Errorf("a guest without a hook: %+v", found)
	}
	if server := s.Show(t, "compute", "servers/"+s.server, "server"); server["metadata"].(map[string]any)[drill.MetadataKey] != drillID {
		t.Errorf("the guest was not told: %v", server["metadata"])
	}
}

func TestWhatIsGoneHasFailedAndWhatWasNotMadeIsImpossible(t *testing.T) {
	s := newStage(t)
	if found := s.probe(drill.ActiveProbe, karbor.DrillProbes{Active: &karbor.ActiveProbe{}}); found.Result != evidence.Passed {
		t.Errorf("a server that runs: %+v", found)
	}
	s.Remove(t, "compute", "servers/"+s.server, "server")
	if found := s.probe(drill.ActiveProbe, karbor.DrillProbes{Active: &karbor.ActiveProbe{}}); found.Result != evidence.Failed {
		t.Errorf("a server that is gone: %+v", found)
	}
	s.subject.ID = ""
	if found := s.probe(drill.ActiveProbe, karbor.DrillProbes{Active: &karbor.ActiveProbe{}}); found.Result != evidence.Impossible {
		t.Errorf("a server that was not made: %+v", found)
	}
}

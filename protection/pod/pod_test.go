package pod_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/goccy/go-yaml/parser"
	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/kubernetes"
	"github.com/karbor/karbor/protectable/protectabletest/cloudtest"
	"github.com/karbor/karbor/protection"
	"github.com/karbor/karbor/protection/pod"
	"github.com/karbor/karbor/protection/protectiontest"
)

const quick = "{poll_interval: 5ms, timeout: 1m}"

func open(t *testing.T, options string, k kubernetes.Options) protection.Plugin {
	t.Helper()
	file, err := parser.ParseBytes([]byte(options), 0)
	if err != nil {
		t.Fatal(err)
	}
	p, err := pod.Plugin(k).Open(t.Context(), file.Docs[0].Body)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// line is the way to the cloud and the cluster, which the suite may cut.
type line struct {
	mu sync.Mutex
	to http.RoundTripper
}

func (l *line) RoundTrip(r *http.Request) (*http.Response, error) {
	l.mu.Lock()
	to := l.to
	l.mu.Unlock()
	return to.RoundTrip(r)
}

// everything says that nothing needs the mark of what is not finished: the janitor does not look in Kubernetes.
func everything(string) bool { return true }

func TestPodComesBackWithItsVolumes(t *testing.T) {
	s, way := newSite(t), &line{}
	protectiontest.Run(t, protectiontest.Case{
		Plugin: open(t, quick, kubernetes.Options{Servers: []string{"127.0.0.1"}, Transport: way}), Type: karbor.PodType, Markless: everything,
		Session: func(t *testing.T, client *http.Client) karbor.Cloud {
			way.to = client.Transport
			return s.tenant.Session(t, client)
		},
		Inventory: func(*testing.T) []string { return s.Inventory() },
		Transport: s.Transport(), ChangesOnly: cloudtest.RealCluster(),
		Make: func(t *testing.T) protectiontest.Source { return s.source(t, nil) },
	})
}

var local = kubernetes.Options{Servers: []string{"127.0.0.1"}}

// protect runs the hooks of protect, up to the first that fails.
func protect(t *testing.T, s *protectiontest.Single, p protection.Plugin, call *protection.Call) error {
	t.Helper()
	hooks := p.Hooks(karbor.Protect, karbor.PodType)
	if err := s.Run(t, hooks.PrepareFinish, call); err != nil {
		return err
	}
	return s.Run(t, hooks.Main, call)
}

// begin begins a restore with all volumes restored.
func begin(t *testing.T, s site, single *protectiontest.Single, source protectiontest.Source, parameters map[string]any) *protection.Call {
	t.Helper()
	children, _ := source.Children(t)
	return single.Begin(s.tenant.Cloud, children.Nodes, parameters)
}

func TestPodOfAControllerComesBackOnItsOwnAndIsTold(t *testing.T) {
	s := newSite(t)
	p := open(t, quick, local)
	source := s.source(t, func(members object) {
		m, _ := members["metadata"].(object)
		m["ownerReferences"] = []any{object{"kind": "ReplicaSet", "name": "web-5d9c", "apiVersion": "apps/v1", "uid": karbor.NewID(), "controller": true}}
		m["labels"] = object{"app": "web", "pod-template-hash": "5d9c"}
		spec, _ := members["spec"].(object)
		list, _ := spec["volumes"].([]any)
		list[3] = object{"name": "scratch", "hostPath": object{"path": "/srv"}}
	})
	single := protectiontest.NewSingle(p, source)
	if err := protect(t, single, p, single.Begin(s.tenant.Cloud, nil, nil)); err != nil {
		t.Fatal(err)
	}
	if told := single.Result().NotKept; len(told) != 1 || !strings.Contains(told[0], "scratch (hostPath)") {
		t.Errorf("of the protection the tenant is told %q", told)
	}
	// The original is still there.
	restore := p.Hooks(karbor.RestoreOperation, karbor.PodType)
	if err := single.Run(t, restore.Complete, begin(t, s, single, source, nil)); err == nil || karbor.KindOf(err) != karbor.Conflict || !strings.Contains(err.Error(), "there is a pod shop:web already") {
		t.Errorf("restoring beside the original gives %v", err)
	}
	call := begin(t, s, single, source, map[string]any{"restore_name_prefix": "new-"})
	if err := single.Run(t, restore.Complete, call); err != nil {
		t.Fatal(err)
	}
	text := strings.Join(single.Result().NotKept, "\n")
	for _, want := range []string{"belongs to ReplicaSet web-5d9c", "scratch (hostPath)", "The name of the claim csi: it is taken", "The name of the claim tree: it is taken"} {
		if !strings.Contains(text, want) {
			t.Errorf("the tenant is not told %q, but %s", want, text)
		}
	}
	now := s.Get("namespaces/shop/pods/new-web")
	if labels, _ := at(now, "metadata", "labels").(object); labels["pod-template-hash"] != nil || labels["app"] != "web" || single.Result().ID != kubernetes.PodID("shop", "new-web") {
		t.Errorf("the labels are %v, the id %s", labels, single.Result().ID)
	}
	before := len(s.Inventory())
	if err := single.Run(t, restore.Undo, call); err != nil {
		t.Fatal(err)
	}
	if s.Get("namespaces/shop/pods/web") == nil || s.Get("namespaces/shop/pods/new-web") != nil || len(s.Inventory()) != before-5 {
		t.Errorf("undone, there is %q", s.Inventory())
	}
}

func TestPodsThatShareAClaimShareTheRestoredOne(t *testing.T) {
	s := newSite(t)
	p := open(t, quick, local)
	source := s.source(t, nil)
	other := s.Get("namespaces/shop/pods/web")
	m, _ := other["metadata"].(object)
	m["name"] = "sidekick"
	s.Put("namespaces/shop/pods/sidekick", other)
	second := source.Graph.Add(karbor.Resource{Type: karbor.PodType, ID: kubernetes.PodID("shop", "sidekick"), Name: "shop:sidekick"}, "")
	otherSource := source
	otherSource.Key = second.Key()
	singles := []*protectiontest.Single{protectiontest.NewSingle(p, source), protectiontest.NewSingle(p, otherSource)}
	for _, single := range singles {
		if err := protect(t, single, p, single.Begin(s.tenant.Cloud, nil, nil)); err != nil {
			t.Fatal(err)
		}
	}
	s.Remove("namespaces/shop/pods/sidekick")
	s.clear()
	var calls []*protection.Call
	for i, single := range singles {
		call := begin(t, s, single, source, nil)
		if i > 0 {
			call.Owner = calls[0].Owner // one restore
		}
		calls = append(calls, call)
		if err := single.Run(t, p.Hooks(karbor.RestoreOperation, karbor.PodType).Complete, call); err != nil {
			t.Fatal(err)
		}
	}
	if got := s.Inventory(); len(got) != 6 {
		t.Errorf("two pods with two claims and volumes are %q", got)
	}
}

func TestPodThatCanNotBeProtectedIsRefused(t *testing.T) {
	s := newSite(t)
	p := open(t, quick, local)
	source := s.source(t, nil)
	whole := source.Graph
	source.Graph = &karbor.Graph{}
	source.Graph.Add(whole.Node(source.Key).Resource, "")
	single := protectiontest.NewSingle(p, source)
	err := protect(t, single, p, single.Begin(s.tenant.Cloud, nil, nil))
	if err == nil || karbor.KindOf(err) != karbor.Conflict || !strings.Contains(err.Error(), "which is not in this checkpoint") {
		t.Errorf("a volume of another project gives %v", err)
	}
	pending := s.Get("namespaces/shop/pods/web")
	pending["status"] = object{"phase": "Pending"}
	s.Put("namespaces/shop/pods/web", pending)
	err = protect(t, single, p, single.Begin(s.tenant.Cloud, nil, nil))
	if err == nil || karbor.IsTransient(err) || !strings.Contains(err.Error(), "is Pending and can't be protected") {
		t.Errorf("a pending pod gives %v", err)
	}
}

func TestRestoreThatCanNotBeIsToldAndLeavesNothing(t *testing.T) {
	for name, test := range map[string]struct {
		options    string
		prepare    func(s site)
		parameters map[string]any
		children   bool
		want       string
	}{
		"pod fails":    {quick, func(s site) { s.Ends("web", "Failed") }, nil, true, `went into the phase "Failed"`},
		"never runs":   {"{poll_interval: 5ms, timeout: 300ms}", func(s site) { s.Ends("web", "Pending") }, nil, true, "waiting for pod shop:web"},
		"no volume":    {quick, func(site) {}, nil, false, "restore that, too"},
		"no such name": {quick, func(site) {}, map[string]any{"restore_name_prefix": "New "}, true, "can't be the name of a pod"},
		"no namespace": {quick, func(s site) { s.Kubeconfig("token", "elsewhere") }, nil, true, "is forbidden"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			p := open(t, test.options, local)
			source := s.source(t, nil)
			single := protectiontest.NewSingle(p, source)
			if err := protect(t, single, open(t, quick, local), single.Begin(s.tenant.Cloud, nil, nil)); err != nil {
				t.Fatal(err)
			}
			s.clear()
			test.prepare(s)
			before := s.Inventory()
			call := single.Begin(s.tenant.Cloud, nil, test.parameters)
			if test.children {
				call = begin(t, s, single, source, test.parameters)
			}
			hooks := p.Hooks(karbor.RestoreOperation, karbor.PodType)
			err := single.Run(t, hooks.Complete, call)
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v; want %q", err, test.want)
			}
			s.Kubeconfig("token", "shop")
			if err := single.Run(t, open(t, quick, local).Hooks(karbor.RestoreOperation, karbor.PodType).Undo, call); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(before, s.Inventory()); diff != "" {
				t.Errorf("it left (-before +now):\n%s", diff)
			}
		})
	}
}

func TestLookAheadFindsAMissingClusterAndATakenName(t *testing.T) {
	s := newSite(t)
	p := open(t, quick, local)
	source := s.source(t, nil)
	single := protectiontest.NewSingle(p, source)
	if err := protect(t, single, p, single.Begin(s.tenant.Cloud, nil, nil)); err != nil {
		t.Fatal(err)
	}
	look := func(k kubernetes.Options) string {
		t.Helper()
		p := open(t, quick, k)
		found, err := p.Hooks(karbor.RestoreOperation, karbor.PodType).Preflight(t.Context(), single.Begin(s.tenant.Cloud, nil, nil))
		if err != nil || len(found.Findings) != 1 || found.Findings[0].Severity != protection.SeverityError {
			t.Fatalf("found %+v, %v", found, err)
		}
		return found.Findings[0].Message
	}
	if got := look(local); !strings.Contains(got, "there is a pod shop:web already") {
		t.Errorf("found %q", got)
	}
	if got := look(kubernetes.Options{}); !strings.Contains(got, "reaches no Kubernetes clusters") {
		t.Errorf("found %q", got)
	}
	if got := look(kubernetes.Options{Servers: []string{"127.0.0.1"}, Namespaces: []string{"other"}}); !strings.Contains(got, "allows none of the namespaces") {
		t.Errorf("found %q", got)
	}
}

func TestRestoreWithoutAClusterFailsAndLeavesNothingToUndo(t *testing.T) {
	s := newSite(t)
	p := open(t, quick, local)
	source := s.source(t, nil)
	single := protectiontest.NewSingle(p, source)
	if err := protect(t, single, p, single.Begin(s.tenant.Cloud, nil, nil)); err != nil {
		t.Fatal(err)
	}
	hooks := open(t, quick, kubernetes.Options{}).Hooks(karbor.RestoreOperation, karbor.PodType)
	call := begin(t, s, single, source, nil)
	if err := single.Run(t, hooks.Complete, call); err == nil || karbor.KindOf(err) != karbor.NotImplemented {
		t.Errorf("restoring gives %v", err)
	}
	if err := single.Run(t, hooks.Undo, call); err != nil {
		t.Errorf("undoing gives %v", err)
	}
}

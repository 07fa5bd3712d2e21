package kubernetes

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/testcloud/kubernetes"
)

// listing serves pages of pods without an end: so many each, with so many bytes each beside.
func listing(w http.ResponseWriter, r *http.Request, page, pods, padding int) {
	w.Header().Set("Content-Type", "application/json")
	namespace := strings.Split(r.URL.Path, "/")[4]
	items := make([]any, pods)
	for i := range items {
		items[i] = map[string]any{"kind": "Pod", "apiVersion": "v1", "status": map[string]any{"phase": "Running"}, "metadata": map[string]any{
			"name": fmt.Sprintf("p%d-%d", page, i), "namespace": namespace, "annotations": map[string]any{"a": strings.Repeat("x", padding)}}}
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"kind": "PodList", "apiVersion": "v1", "metadata": map[string]any{"continue": "x"}, "items": items})
}

func TestOneWalkThroughAClusterHasABudget(t *testing.T) {
	for name, test := range map[string]struct {
		pods, padding int
		want          string
		// most is the most pages that may be asked for.
		most int
	}{
		"many pods":  {pods: 2000, padding: 0, want: "too many pods", most: maxThings/2000 + 1},
		"large pods": {pods: 4, padding: 1 << 20, want: "too large", most: maxWalk>>22 + 1},
	} {
		t.Run(name, func(t *testing.T) {
			s := kubernetes.Start()
			defer s.Close()
			text, pages := s.Kubeconfig("token", "shop", "stock", "till"), 0
			s.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				pages++
				listing(w, r, pages, test.pods, test.padding)
			})
			k, err := connect(t, local, text)
			if err != nil {
				t.Fatal(err)
			}
			k.walks = 10 * time.Minute
			if _, err := k.Pods(t.Context()); err == nil || !strings.Contains(err.Error(), test.want) || karbor.KindOf(err) == karbor.Internal {
				t.Errorf("got %v; want %q", err, test.want)
			}
			if pages > test.most {
				t.Errorf("%d pages were asked for, more than %d", pages, test.most)
			}
		})
	}
}

func TestOneWalkThroughAClusterEnds(t *testing.T) {
	s := kubernetes.Start()
	defer s.Close()
	text := s.Kubeconfig("token", "shop")
	s.Config.Handler = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	k, err := connect(t, local, text)
	if err != nil {
		t.Fatal(err)
	}
	k.walks = 50 * time.Millisecond
	if _, err := k.Pods(t.Context()); !karbor.IsTransient(err) || !strings.Contains(err.Error(), "did not answer in time") {
		t.Errorf("got %v", err)
	}
}

func TestListsKeepLittleOfAPodAndOneIsGivenWhole(t *testing.T) {
	s := kubernetes.Start()
	defer s.Close()
	s.Put("namespaces/shop/pods/web", map[string]any{"kind": "Pod", "status": map[string]any{"phase": "Running", "message": "a long one"},
		"metadata": map[string]any{"name": "web", "namespace": "shop", "annotations": map[string]any{"a": "x"}}, "spec": map[string]any{"containers": []any{}}})
	k, err := connect(t, local, s.Kubeconfig("token", "shop"))
	if err != nil {
		t.Fatal(err)
	}
	all, err := k.Pods(t.Context())
	if err != nil || len(all) != 1 {
		t.Fatalf("got %v, %v", all, err)
	}
	want := map[string]any{"metadata": map[string]any{"name": "web", "namespace": "shop"}, "status": map[string]any{"phase": "Running"}}
	if diff := cmp.Diff(want, all[0].Object); diff != "" {
		t.Error(diff)
	}
	one, err := k.Pod(t.Context(), all[0].ID(), "")
	if err != nil || one.GetAnnotations()["a"] != "x" || one.Object["spec"] == nil {
		t.Errorf("got %v, %v", one, err)
	}
}

func TestPodWhoseNameIsKnownIsReadWithoutAWalk(t *testing.T) {
	s := kubernetes.Start()
	defer s.Close()
	for _, name := range []string{"web", "db"} {
		s.Put("namespaces/shop/pods/"+name, map[string]any{"kind": "Pod", "metadata": map[string]any{"name": name, "namespace": "shop"}, "status": map[string]any{"phase": "Running"}})
	}
	s.Put("namespaces/hidden/pods/web", map[string]any{"kind": "Pod", "metadata": map[string]any{"name": "web", "namespace": "hidden"}})
	k, err := connect(t, local, s.Kubeconfig("token", "shop"))
	if err != nil {
		t.Fatal(err)
	}
	lists, cluster := 0, s.Config.Handler
	s.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/pods") {
			lists++
		}
		cluster.ServeHTTP(w, r)
	})
	for _, test := range []struct {
		id, title string
		missing   bool
		lists     int
	}{
		{PodID("shop", "web"), "shop:web", false, 0},
		{PodID("shop", "web"), "the shop", false, 1},
		{PodID("shop", "web"), "shop:db", false, 1},
		{PodID("shop", "gone"), "shop:gone", true, 0},
		{PodID("hidden", "web"), "hidden:web", true, 1},
	} {
		lists = 0
		p, err := k.Pod(t.Context(), test.id, test.title)
		if (err != nil) != test.missing || err != nil && karbor.KindOf(err) != karbor.NotFound || err == nil && p.ID() != test.id || lists != test.lists {
			t.Errorf("%s as %q gives %v after %d lists", test.id, test.title, err, lists)
		}
	}
}

func TestKubeconfigThatIsCostlyToReadIsRefused(t *testing.T) {
	contexts := strings.Builder{}
	for i := range maxNamespaces {
		fmt.Fprintf(&contexts, "- name: c%d\n  context: {cluster: shop, user: karbor, namespace: n%d}\n", i, i)
	}
	for name, test := range map[string]struct{ text, want string }{
		"brackets":   {strings.Repeat("[", maxKubeconfig), "nested"},
		"braces":     {strings.Repeat("{a: ", maxKubeconfig/4), "nested"},
		"dashes":     {strings.Repeat("- ", maxKubeconfig/2), "nested"},
		"length":     {strings.Repeat("#", 20_001), "more than 20000 bytes"},
		"namespaces": {good(t) + contexts.String(), "namespaces"},
	} {
		_, err := parse([]byte(test.text))
		if err == nil || karbor.KindOf(err) != karbor.Invalid || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

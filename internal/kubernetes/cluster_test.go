package kubernetes

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/testcloud/kubernetes"
)

// connect reaches the cluster of a kubeconfig.
func connect(t *testing.T, o Options, text string) (*Cluster, error) {
	t.Helper()
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	a, err := parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return c.open(a)
}

var local = Options{Servers: []string{"127.0.0.1"}}

func TestClusterIsReachedOverTLSWithItsToken(t *testing.T) {
	s := kubernetes.Start()
	defer s.Close()
	s.Put("namespaces/shop/pods/web", map[string]any{"metadata": map[string]any{"name": "web", "namespace": "shop"}, "kind": "Pod", "status": map[string]any{"phase": "Running"}})
	k, err := connect(t, local, s.Kubeconfig("token", "shop"))
	if err != nil {
		t.Fatal(err)
	}
	p, err := k.Pod(t.Context(), PodID("shop", "web"), "")
	if err != nil || p.Title() != "shop:web" || p.Unfit() != "" {
		t.Errorf("got %v, %v", p, err)
	}
	if _, err := k.Pod(t.Context(), PodID("shop", "db"), ""); karbor.KindOf(err) != karbor.NotFound {
		t.Errorf("a pod that is not there gives %v", err)
	}
	stranger, err := connect(t, local, strings.Replace(s.Kubeconfig("token", "shop"), "token: token", "token: other", 1))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stranger.Pods(t.Context()); karbor.KindOf(err) != karbor.Forbidden || !strings.Contains(err.Error(), "credentials of the kubeconfig") {
		t.Errorf("an unknown token gives %v", err)
	}
}

func TestServerThatIsNotListedIsNotReached(t *testing.T) {
	s := kubernetes.Start()
	defer s.Close()
	reached := false
	s.Config.Handler = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true })
	text := s.Kubeconfig("token", "shop")
	for _, test := range []struct{ server, listed string }{
		{s.URL, "api.cluster.example"}, {s.URL, "192.0.2.0/24"}, {s.URL, "0.0.0.0/0"},
		{strings.Replace(s.URL, "127.0.0.1", "localhost", 1), "localhost"},
		{"https://169.254.169.254", "*.example"}, {"https://[::1]:6443", "127.0.0.1"},
	} {
		k, err := connect(t, Options{Servers: []string{test.listed}}, strings.Replace(text, s.URL, test.server, 1))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := k.Pods(t.Context()); karbor.KindOf(err) != karbor.Forbidden || !strings.Contains(err.Error(), "does not allow it to connect") {
			t.Errorf("%s, where %s is listed, gives %v", test.server, test.listed, err)
		}
	}
	if reached {
		t.Error("the server was reached")
	}
}

func TestServerWhoseCertificateIsNotTrustedIsNotTalkedTo(t *testing.T) {
	s, other := kubernetes.Start(), httptest.NewUnstartedServer(http.NotFoundHandler())
	defer s.Close()
	defer other.Close()
	text := s.Kubeconfig("token", "shop")
	at := strings.Index(text, "    certificate-authority-data")
	end := at + strings.Index(text[at:], "\n")
	k, err := connect(t, local, text[:at]+text[end+1:])
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.Pods(t.Context()); err == nil || strings.Contains(err.Error(), "token") {
		t.Errorf("got %v", err)
	}
}

func TestHostileServerIsBounded(t *testing.T) {
	for name, test := range map[string]struct {
		serve func(w http.ResponseWriter, r *http.Request, s *kubernetes.Server)
		want  string
	}{
		"redirect": {func(w http.ResponseWriter, r *http.Request, s *kubernetes.Server) {
			if strings.HasPrefix(r.URL.Path, "/stolen") {
				t.Error("the redirect was followed")
			}
			http.Redirect(w, r, s.URL+"/stolen", http.StatusTemporaryRedirect)
		}, "redirects elsewhere"},
		"endless answer": {func(w http.ResponseWriter, _ *http.Request, _ *kubernetes.Server) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = fmt.Fprint(w, `{"kind": "PodList", "apiVersion": "v1", "items": [`)
			for range (maxAnswer >> 16) + 2 {
				if _, err := fmt.Fprint(w, strings.Repeat(" ", 1<<16)); err != nil {
					return
				}
			}
		}, "too large"},
		"no JSON": {func(w http.ResponseWriter, _ *http.Request, _ *kubernetes.Server) {
			_, _ = fmt.Fprint(w, "<html>hello</html>")
		}, ""},
		"never answers": {func(_ http.ResponseWriter, r *http.Request, _ *kubernetes.Server) { <-r.Context().Done() }, ""},
		"endless list": {func(w http.ResponseWriter, _ *http.Request, _ *kubernetes.Server) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = fmt.Fprint(w, `{"kind": "PodList", "apiVersion": "v1", "metadata": {"continue": "x"}, "items": [{"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "../x", "namespace": "other"}}]}`)
		}, "too many pods"},
	} {
		t.Run(name, func(t *testing.T) {
			s := kubernetes.Start()
			defer s.Close()
			text := s.Kubeconfig("token", "shop")
			s.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { test.serve(w, r, s) })
			o := local
			o.Timeout = 10 * time.Second
			if name == "never answers" {
				o.Timeout = 100 * time.Millisecond
			}
			k, err := connect(t, o, text)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := k.Pods(t.Context()); err == nil || !strings.Contains(err.Error(), test.want) || karbor.KindOf(err) == karbor.Internal {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestIDOfAPodIsThatOfTheServiceInPython(t *testing.T) {
	// python3 -c 'import uuid; print(uuid.uuid5(uuid.NAMESPACE_OID, "default:web"))'
	if got := PodID("default", "web"); got != "b0e42f27-1ca0-5b66-ba46-413ac4bb7f3c" {
		t.Errorf("got %s", got)
	}
}

func TestOptionsThatMakeNoSenseAreRefused(t *testing.T) {
	for _, o := range []Options{{Servers: []string{"https://x"}}, {Namespaces: []string{"Shop"}}} {
		if _, err := New(o); err == nil || karbor.KindOf(err) != karbor.Invalid {
			t.Errorf("%+v gives %v", o, err)
		}
	}
}

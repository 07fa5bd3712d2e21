package isolation

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	filebank "github.com/karbor/karbor/bank/file"
	"github.com/karbor/karbor/internal/config"
	"github.com/karbor/karbor/internal/daemon"
	"github.com/karbor/karbor/internal/provider"
	"github.com/karbor/karbor/internal/store/database"
	"github.com/karbor/karbor/internal/store/storetest"
	"github.com/karbor/karbor/internal/testcloud"
	"github.com/karbor/karbor/internal/testcloud/testcloudtest"
	"github.com/karbor/karbor/plugin"
	"github.com/karbor/karbor/protectable"
	"github.com/karbor/karbor/protectable/image"
	"github.com/karbor/karbor/protectable/network"
	"github.com/karbor/karbor/protectable/project"
	"github.com/karbor/karbor/protectable/server"
	"github.com/karbor/karbor/protectable/volume"
	"github.com/karbor/karbor/protection"
	"github.com/karbor/karbor/protection/noop"
)

const (
	providerID = "6d2b8f0e-5d0c-4a86-9f1a-0a6c1f9e7b03"
	secondID   = "6d2b8f0e-5d0c-4a86-9f1a-0a6c1f9e7b04"
)

// patience bounds what a test waits for; it never decides what is right.
const patience = time.Minute

// site is the whole service in this process, beside a simulated cloud.
type site struct {
	cloud   *testcloudtest.Cloud
	handler http.Handler
}

// tenant is a user who has logged in.
type tenant struct {
	site    *site
	user    testcloud.User
	project string
	token   string
}

func newSite(t *testing.T) *site {
	t.Helper()
	dir := t.TempDir()
	s := &site{cloud: testcloudtest.Start(t)}
	c := config.Default()
	c.State, c.Providers = filepath.Join(dir, "state"), filepath.Join(dir, "providers.d")
	c.Listen = "127.0.0.1:0"
	c.Keystone.AuthURL, c.Keystone.PasswordFile = s.cloud.URL(), "unused"
	if err := os.MkdirAll(c.Providers, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, id := range map[string]string{"first": providerID, "second": secondID} {
		text := fmt.Sprintf("id: %s\nname: %s\nbank: {plugin: karbor-file-bank, options: {path: %s}}\nplugins: [{plugin: karbor-noop-plugin}]\n"+
			"copies: [{name: far, bank: {plugin: karbor-file-bank, options: {path: %s}}}]\n",
			id, name, filepath.Join(dir, "bank-"+name), filepath.Join(dir, "far-"+name))
		if err := os.WriteFile(filepath.Join(c.Providers, name+".yaml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	user, _ := s.cloud.User("karbor")
	storetest.NewFile(t, c.DatabaseLocation())
	d, err := daemon.Open(t.Context(), daemon.Options{
		Config: c, Password: karbor.Secret(user.Password), Now: time.Now, Logger: slog.New(slog.DiscardHandler),
		Sets: provider.Sets{Banks: plugin.Set[bank.Bank]{filebank.Plugin}, Protections: plugin.Set[protection.Plugin]{noop.Plugin}},
		Protectables: plugin.Set[protectable.Plugin]{
			image.Plugin, network.Plugin, project.Plugin, server.Plugin, volume.Plugin,
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- d.Run(ctx, func() { close(ready) }) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error("running the service:", err)
		}
	})
	select {
	case <-ready:
	case err := <-ended:
		ended <- nil
		t.Fatal("the service did not start:", err)
	}
	s.handler = d.Handler()
	return s
}

// login gives the tenant of a seeded user.
func (s *site) login(t *testing.T, name string) *tenant {
	t.Helper()
	u, ok := s.cloud.User(name)
	if !ok {
		t.Fatalf("there is no user %s", name)
	}
	a := s.cloud.Do(t, "", "POST", "/v3/auth/tokens", map[string]any{"auth": map[string]any{
		"identity": map[string]any{"methods": []string{"password"}, "password": map[string]any{
			"user": map[string]any{"id": u.ID, "password": u.Password}}},
		"scope": map[string]any{"project": map[string]any{"id": u.ProjectID}},
	}})
	token := a.Header.Get("X-Subject-Token")
	if token == "" {
		t.Fatalf("logging in as %s: %d %s", name, a.Status, a.Body)
	}
	return &tenant{site: s, user: u, project: u.ProjectID, token: token}
}

// answer is what a request gave, and what it cost.
type answer struct {
	Status int
	Header http.Header
	Body   string
	// SQL are the statements that ran for it, in their order.
	SQL []string
	// Cloud counts the requests that the cloud got, by their routes.
	Cloud map[string]int
}

// call sends a request; path is below /v1/{project_id}.
func (w *tenant) call(t *testing.T, method, path, body string) answer {
	t.Helper()
	var mu sync.Mutex
	var statements []string
	ctx := database.WithObserver(t.Context(), func(text string) {
		mu.Lock()
		defer mu.Unlock()
		statements = append(statements, text)
	})
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	r := httptest.NewRequestWithContext(ctx, method, "/v1/"+w.project+path, reader)
	r.Header.Set("X-Auth-Token", w.token)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("OpenStack-API-Version", "data-protect latest")
	before := w.site.cloud.Requests().Counts()
	rec := httptest.NewRecorder()
	w.site.handler.ServeHTTP(rec, r)
	a := answer{Status: rec.Code, Header: rec.Header(), Body: rec.Body.String(), SQL: statements, Cloud: map[string]int{}}
	for route, n := range w.site.cloud.Requests().Counts() {
		if n > before[route] {
			a.Cloud[route] = n - before[route]
		}
	}
	return a
}

// make sends a request that must succeed, and gives a member of the answer by its
// path, such as plan.id.
func (w *tenant) make(t *testing.T, method, path, body, member string) string {
	t.Helper()
	return w.call(t, method, path, body).member(t, member)
}

// member gives a member of a success by its path.
func (a answer) member(t *testing.T, path string) string {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(a.Body), &v); err != nil || a.Status != http.StatusOK {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	for name := range strings.SplitSeq(path, ".") {
		switch at := v.(type) {
		case map[string]any:
			v = at[name]
		case []any:
			v = at[0].(map[string]any)[name]
		}
	}
	text, ok := v.(string)
	if !ok || text == "" {
		t.Fatalf("no %s in %s", path, a.Body)
	}
	return text
}

// await asks until a member of what a path shows is one of the wanted.
func (w *tenant) await(t *testing.T, path, member string, wanted ...string) {
	t.Helper()
	end := time.Now().Add(patience)
	for {
		got := w.make(t, "GET", path, "", member)
		if slices.Contains(wanted, got) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s: %s is still %s", path, member, got)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// volatile are the headers that differ between any two answers.
var volatile = []string{"X-Openstack-Request-Id", "X-Compute-Request-Id"}

// without gives the answer with an id of the question taken out, and with nothing
// that differs between any two answers.
func (a answer) without(id string) answer {
	out := a
	out.Header = maps.Clone(a.Header)
	request := a.Header.Get("X-Openstack-Request-Id")
	for _, name := range volatile {
		out.Header.Del(name)
	}
	out.Body = strings.NewReplacer(id, "(id)", strings.ToUpper(id), "(id)", request, "(request)").Replace(a.Body)
	return out
}

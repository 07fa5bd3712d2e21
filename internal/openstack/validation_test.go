package openstack

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
)

func TestValidateTellsWhoseTokenItIs(t *testing.T) {
	f := newFakeCloud(t)
	a := f.authority()
	got := f.identity(a)
	want := &karbor.Identity{
		UserID: "alice-id", UserName: "alice", ProjectID: "alpha-id", ProjectName: "alpha",
		Roles: []string{"member"}, Token: "alice-own", ExpiresAt: start.Add(time.Hour), CanDelegate: true,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestDelegatedTokensCannotDelegate(t *testing.T) {
	for name, more := range map[string]map[string]any{
		"trust":                               {"OS-TRUST:trust": map[string]any{"id": "x"}},
		"application credential":              {"application_credential": map[string]any{"id": "x", "restricted": true}},
		"unrestricted application credential": {"application_credential": map[string]any{"id": "x", "restricted": false}},
		"application credential's method":     {"methods": []string{"application_credential"}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFakeCloud(t)
			f.add("x", "alice", "alpha", more)
			id, err := f.authority().Validate(t.Context(), "x")
			if err != nil || id.CanDelegate {
				t.Errorf("got %+v, %v", id, err)
			}
		})
	}
}

func TestValidateAsksKeystoneOnceUntilItsTimeIsOver(t *testing.T) {
	f := newFakeCloud(t)
	a := f.authority()
	first := f.identity(a)
	first.Roles[0] = "admin" // a caller's copy is its own
	for range 5 {
		if id, err := a.Validate(t.Context(), "alice-own"); err != nil || id.Roles[0] != "member" {
			t.Fatalf("got %+v, %v", id, err)
		}
	}
	if n := len(f.lines("GET /v3/auth/tokens")); n != 1 {
		t.Errorf("Keystone was asked %d times, not once", n)
	}
	f.remove("alice-own")
	f.clock.pass(tokenTTL)
	if _, err := a.Validate(t.Context(), "alice-own"); karbor.KindOf(err) != karbor.Unauthorized {
		t.Errorf("a token revoked %v ago is still good: %v", tokenTTL, err)
	}
}

func TestValidateBelievesNoTokenBeyondItsEnd(t *testing.T) {
	f := newFakeCloud(t)
	a := f.authority()
	f.add("short", "alice", "alpha", map[string]any{"expires_at": start.Add(time.Minute).Format(time.RFC3339)})
	if _, err := a.Validate(t.Context(), "short"); err != nil {
		t.Fatal(err)
	}
	f.clock.pass(time.Minute)
	if _, err := a.Validate(t.Context(), "short"); karbor.KindOf(err) != karbor.Unauthorized {
		t.Errorf("got %v", err)
	}
}

func TestValidateRefusesAndRemembersItShortly(t *testing.T) {
	f := newFakeCloud(t)
	a := f.authority()
	for range 3 {
		_, err := a.Validate(t.Context(), "alice-own")
		if err == nil || karbor.KindOf(err) != karbor.Unauthorized || karbor.IsTransient(err) {
			t.Fatalf("got %v", err)
		}
		noSecrets(t, err)
	}
	if n := len(f.lines("GET /v3/auth/tokens")); n != 1 {
		t.Errorf("Keystone was asked %d times, not once", n)
	}
	f.clock.pass(refusalTTL)
	f.identity(a)
	f.add("unscoped", "alice", "", nil)
	for _, bad := range []karbor.Secret{"", "two words", "line\nbreak", "unscoped"} {
		if _, err := a.Validate(t.Context(), bad); err == nil || karbor.KindOf(err) != karbor.Unauthorized {
			t.Errorf("token %q: %v", bad.Reveal(), err)
		}
	}
}

func TestValidateSharesOneRequestAmongCallers(t *testing.T) {
	f := newFakeCloud(t)
	f.add("alice-own", "alice", "alpha", nil)
	a := f.authority()
	arrived, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	f.setHook(func(_ http.ResponseWriter, r *http.Request, _ map[string]any) bool {
		if r.Method == http.MethodGet {
			once.Do(func() { close(arrived) })
			<-release
		}
		return false
	})
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if _, err := a.Validate(t.Context(), "alice-own"); err != nil {
				t.Error(err)
			}
		})
	}
	<-arrived
	close(release)
	wg.Wait()
	if n := len(f.lines("GET /v3/auth/tokens")); n != 1 {
		t.Errorf("Keystone was asked %d times, not once", n)
	}
}

func TestValidateRenewsTheServiceTokenOnce(t *testing.T) {
	f := newFakeCloud(t)
	a := f.authority()
	f.identity(a)
	f.remove(a.service.grants.held().token.Reveal())
	f.clock.pass(tokenTTL)
	if _, err := a.Validate(t.Context(), "alice-own"); err != nil {
		t.Fatal(err)
	}
	if n := len(f.lines("POST /v3/auth/tokens")); n != 2 {
		t.Errorf("%d tokens were got, not 2", n)
	}
}

func TestKeystonesFaultsAreNotTheTenants(t *testing.T) {
	for name, test := range map[string]struct {
		status    int
		path      string
		transient bool
	}{
		"Keystone is down":          {503, "/v3/auth/tokens", true},
		"wrong service password":    {401, "/v3/auth/tokens", false},
		"service user without role": {403, "/v3/auth/tokens", false},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFakeCloud(t)
			a := f.authority()
			f.setHook(func(w http.ResponseWriter, r *http.Request, _ map[string]any) bool {
				if token := r.Header.Get(tokenHeader); test.status == http.StatusForbidden && token != "" && token == r.Header.Get("X-Subject-Token") {
					return false // everybody may look up their own token
				}
				reply(w, test.status, map[string]any{"error": map[string]any{"message": "password service-pass is wrong"}})
				return true
			})
			_, err := a.Validate(t.Context(), "alice-own")
			if karbor.KindOf(err) != karbor.Unavailable || karbor.IsTransient(err) != test.transient {
				t.Errorf("got %v of kind %d, transient %v", err, karbor.KindOf(err), karbor.IsTransient(err))
			}
			noSecrets(t, err)
			f.setHook(nil)
			f.identity(a) // nothing bad is remembered
		})
	}
}

package openstack

import (
	"net/http"
	"testing"

	"github.com/karbor/karbor"
)

func TestCredentialSessionLogsInAndIsRenewed(t *testing.T) {
	f := newFakeCloud(t)
	tokens := 0
	f.setHook(func(w http.ResponseWriter, r *http.Request, _ map[string]any) bool {
		if r.URL.Path != "/v3/auth/tokens" || r.Method != http.MethodPost {
			return false
		}
		tokens++
		w.Header().Set("X-Subject-Token", "token")
		reply(w, http.StatusCreated, map[string]any{"token": map[string]any{
			"expires_at": start.AddDate(1, 0, 0), "user": map[string]any{"id": "u1"}, "project": map[string]any{"id": "p1"}, "catalog": f.catalog(),
		}})
		return true
	})
	c, err := NewCredentialSession(Options{AuthURL: f.server.URL, Now: f.clock.now, HTTP: f.server.Client()}, "id", "secret")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for range 2 {
		if _, err := Identity(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		if _, err := ProjectName(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	if tokens != 1 || c.ProjectID() != "p1" || c.UserID() != "u1" {
		t.Errorf("%d tokens, project %q, user %q", tokens, c.ProjectID(), c.UserID())
	}
	if _, err := sessionOf((*CredentialSession)(nil)); err == nil {
		t.Error("a nil session is one")
	}
}

func TestCredentialSessionThatIsRefusedSaysSo(t *testing.T) {
	f := newFakeCloud(t)
	f.setHook(func(w http.ResponseWriter, _ *http.Request, _ map[string]any) bool {
		w.WriteHeader(http.StatusUnauthorized)
		return true
	})
	for _, o := range []Options{{AuthURL: f.server.URL}, {AuthURL: "nowhere", Now: f.clock.now}} {
		if _, err := NewCredentialSession(o, "id", "secret"); karbor.KindOf(err) != karbor.Invalid || err == nil {
			t.Errorf("%+v: %v", o.AuthURL, err)
		}
	}
	c, err := NewCredentialSession(Options{AuthURL: f.server.URL, Now: f.clock.now, HTTP: f.server.Client()}, "id", "secret")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := ObjectStorage(t.Context(), c); karbor.KindOf(err) != karbor.Unauthorized {
		t.Errorf("a client: %v", err)
	}
	if _, _, err := EC2Keys(t.Context(), c); karbor.KindOf(err) != karbor.Unauthorized {
		t.Errorf("keys: %v", err)
	}
}

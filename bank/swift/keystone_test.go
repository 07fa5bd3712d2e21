package swift_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/karbor/karbor/bank/swift"
)

const (
	credentialID     = "0123456789abcdef0123456789abcdef"
	credentialSecret = "the-credential-secret"
	userPassword     = "the-user-password"
)

// fakeKeystone gives tokens for one object store.
type fakeKeystone struct {
	*httptest.Server
	// storage is the account's URL, and token what it takes, now.
	storage string
	token   func() string

	mu     sync.Mutex
	logins int
	refuse bool
}

func newKeystone(t testing.TB, storage string, token func() string) *fakeKeystone {
	k := &fakeKeystone{storage: storage, token: token}
	k.Server = httptest.NewServer(k)
	t.Cleanup(k.Close)
	return k
}

func (k *fakeKeystone) catalog() []any {
	return []any{map[string]any{"type": "object-store", "endpoints": []any{
		map[string]any{"interface": "public", "region": "RegionOne", "url": k.storage},
	}}}
}

// ServeHTTP implements http.Handler.
func (k *fakeKeystone) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.Method + " " + r.URL.Path {
	case "POST /v3/auth/tokens":
		var doc map[string]any
		if err := json.NewDecoder(r.Body).Decode(&doc); err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		text, _ := json.Marshal(doc)
		k.mu.Lock()
		k.logins++
		refuse := k.refuse
		k.mu.Unlock()
		if refuse || !strings.Contains(string(text), credentialSecret) && !strings.Contains(string(text), userPassword) {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.Header().Set("X-Subject-Token", k.token())
		w.WriteHeader(http.StatusCreated)
		_ = json.NewEncoder(w).Encode(map[string]any{"token": map[string]any{
			"expires_at": time.Now().Add(time.Hour), "user": map[string]any{"id": "u1", "name": "karbor"},
			"project": map[string]any{"id": "p1", "name": "service"}, "catalog": k.catalog(),
		}})
	case "GET /v3/auth/catalog":
		_ = json.NewEncoder(w).Encode(map[string]any{"catalog": k.catalog()})
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

func secretFile(t testing.TB, secret string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// options are those of a bank that logs in with an application credential.
func options(t testing.TB, keystone, container string) swift.Options {
	t.Helper()
	o := swift.Defaults()
	o.Container, o.CreateContainer, o.IdleTimeout = container, true, 20*time.Second
	o.Credentials.ApplicationCredential = &swift.ApplicationCredential{
		AuthURL: keystone, ID: credentialID, SecretFile: secretFile(t, credentialSecret),
	}
	return o
}

func openBank(t testing.TB, keystone, container string, change func(o *swift.Options)) *swift.Bank {
	t.Helper()
	o := options(t, keystone, container)
	if change != nil {
		change(&o)
	}
	b, err := swift.Open(t.Context(), o, swift.Host{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

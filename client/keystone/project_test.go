package keystone_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/client/keystone"
)

// admitting is a Keystone that gives everybody the token "token"; its other answers are to be added.
func admitting() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v3/auth/tokens", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Subject-Token", "token")
		w.WriteHeader(http.StatusCreated)
		_, _ = fmt.Fprint(w, `{"token":{"expires_at":"2099-01-01T00:00:00.000000Z","project":{"id":"p1"},"catalog":[]}}`)
	})
	return mux
}

func TestProjectIsFoundByNameOrID(t *testing.T) {
	asked := 0
	mux := admitting()
	mux.HandleFunc("GET /v3/projects", func(w http.ResponseWriter, r *http.Request) {
		asked++
		if r.Header.Get("X-Auth-Token") != "token" {
			t.Error("Keystone is asked without the token")
		}
		found := map[string]string{"other": `{"id":"o1"}`, "two": `{"id":"t1"},{"id":"t2"}`}
		if r.URL.Query().Get("name") == "secret" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"projects":[%s],"links":{}}`, found[r.URL.Query().Get("name")])
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	s, err := keystone.Login(t.Context(), keystone.Credentials{AuthURL: server.URL + "/v3", Username: "u", Password: "x", ProjectName: "mine"}, server.Client())
	if err != nil {
		t.Fatal(err)
	}
	hexadecimal := strings.Repeat("a1", 16)
	const uuid = "6d2b8f0e-5d0c-4a86-9f1a-0a6c1f9e7b01"
	for _, tt := range []struct {
		ref, want string
		asked     int
		kind      karbor.Kind
	}{
		{ref: hexadecimal, want: hexadecimal}, {ref: uuid, want: uuid}, {ref: "mine", want: "p1"},
		{ref: "other", want: "o1", asked: 1},
		{ref: "nobody", asked: 1, kind: karbor.NotFound},
		{ref: "two", asked: 1, kind: karbor.Invalid},
		{ref: "secret", asked: 1, kind: karbor.Forbidden},
	} {
		asked = 0
		got, err := s.FindProject(t.Context(), tt.ref)
		if got != tt.want || asked != tt.asked || (err != nil) != (tt.want == "") || err != nil && karbor.KindOf(err) != tt.kind {
			t.Errorf("%s: %q, error %v, asked %d times", tt.ref, got, err, asked)
		}
	}
}

package keystone_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/client/keystone"
)

// TestAListOfProjectsIsReadAsFarAsAnHonestOneGoes has Keystone's pages lead on to another, for as long as more says so.
func TestAListOfProjectsIsReadAsFarAsAnHonestOneGoes(t *testing.T) {
	const far = 500 // pages, which nobody may read
	project := func(n int) string { return fmt.Sprintf(`{"id":"p%d","name":"many"}`, n) }
	for name, test := range map[string]struct {
		page func(n int) string // page n's projects
		more func(n int) bool
		kind karbor.Kind
		most int // pages
	}{
		"several pages":      {project, func(n int) bool { return n < 3 }, karbor.Invalid, 3},
		"without end":        {project, func(n int) bool { return n < far }, karbor.OverLimit, 101},
		"too many projects":  {func(n int) string { return strings.Repeat(project(n)+",", 600) + project(n) }, func(n int) bool { return n < far }, karbor.OverLimit, 2},
		"a page too long":    {func(int) string { return `{"id":"` + strings.Repeat("x", 17<<20) + `"}` }, func(int) bool { return false }, karbor.OverLimit, 1},
		"the page of itself": {project, func(int) bool { return true }, karbor.OverLimit, 101},
	} {
		t.Run(name, func(t *testing.T) {
			asked := 0
			mux := admitting()
			mux.HandleFunc("GET /v3/projects", func(w http.ResponseWriter, r *http.Request) {
				if asked++; asked > far {
					w.WriteHeader(http.StatusTeapot) // so that a walk without end fails the test, and does not hold it
					return
				}
				next := ""
				if test.more(asked) {
					next = "http://" + r.Host + "/v3/projects?name=many"
				}
				w.Header().Set("Content-Type", "application/json")
				_, _ = fmt.Fprintf(w, `{"projects":[%s],"links":{"next":%q}}`, test.page(asked), next)
			})
			server := httptest.NewServer(mux)
			defer server.Close()
			s, err := keystone.Login(t.Context(), keystone.Credentials{AuthURL: server.URL + "/v3", Username: "u", Password: "x", ProjectName: "mine"}, server.Client())
			if err != nil {
				t.Fatal(err)
			}
			_, err = s.FindProject(t.Context(), "many")
			if karbor.KindOf(err) != test.kind || err == nil || karbor.IsTransient(err) || len(err.Error()) > 1000 {
				t.Errorf("the error is %.300v, of the kind %v", err, karbor.KindOf(err))
			}
			if asked > test.most {
				t.Errorf("%d pages were asked for, more than %d", asked, test.most)
			}
		})
	}
}

// TestALoginReadsNoAnswerWithoutEnd has a Keystone whose answer never ends.
func TestALoginReadsNoAnswerWithoutEnd(t *testing.T) {
	const far = 64 << 20
	var sent atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Subject-Token", "token")
		w.WriteHeader(http.StatusCreated)
		_, _ = fmt.Fprint(w, `{"token":{"name":"`)
		for block := strings.Repeat("x", 1<<20); sent.Load() < far; sent.Add(int64(len(block))) {
			if _, err := fmt.Fprint(w, block); err != nil {
				return
			}
		}
	}))
	defer server.Close()
	_, err := keystone.Login(t.Context(), keystone.Credentials{AuthURL: server.URL + "/v3", Username: "u", Password: "x", ProjectName: "mine"}, server.Client())
	if err == nil || !strings.Contains(err.Error(), "too long") || karbor.KindOf(err) != karbor.Unauthorized || sent.Load() >= far {
		t.Errorf("after %d MiB: %.300v", sent.Load()>>20, err)
	}
}

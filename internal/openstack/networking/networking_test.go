package networking_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/gophercloud/gophercloud/v2"

	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/internal/openstack/networking"
)

type group struct {
	ID, Name string
}

// cloud is a Neutron with three security groups that gives one at a time, with links that lead
// nowhere.
func cloud(t *testing.T) *gophercloud.ServiceClient {
	t.Helper()
	names := []string{"a", "b", "c"}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /security-groups", func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		if q.Get("project_id") != "p" || q.Get("sort_key") != "id" || q.Get("limit") == "" {
			t.Errorf("it is asked for %s", r.URL.RawQuery)
		}
		i := slices.Index(names, q.Get("marker")) + 1
		answer := map[string]any{"security_groups": []group{}}
		if i < len(names) {
			answer["security_groups"] = []group{{names[i], "group " + names[i]}}
		}
		if i < len(names)-1 {
			answer["security_groups_links"] = []map[string]string{{"rel": "previous"}, {"rel": "next", "href": "http://inside.invalid/"}}
		}
		_ = json.NewEncoder(w).Encode(answer)
	})
	mux.HandleFunc("GET /security-groups/{id}", func(w http.ResponseWriter, r *http.Request) {
		if id := r.PathValue("id"); slices.Contains(names, id) {
			_ = json.NewEncoder(w).Encode(map[string]any{"security_group": group{id, "group " + id}})
			return
		}
		http.NotFound(w, r)
	})
	mux.HandleFunc("DELETE /security-groups/{id}", func(w http.ResponseWriter, r *http.Request) {
		switch r.PathValue("id") {
		case "a":
			w.WriteHeader(http.StatusNoContent)
		case "b":
			w.WriteHeader(http.StatusConflict)
		default:
			http.NotFound(w, r)
		}
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return &gophercloud.ServiceClient{
		ProviderClient: &gophercloud.ProviderClient{HTTPClient: *server.Client()}, Endpoint: server.URL + "/",
	}
}

func TestAListIsReadToItsEndThoughItsLinksLeadNowhere(t *testing.T) {
	found, err := networking.List[group](t.Context(), cloud(t), "security-groups", url.Values{"project_id": {"p"}})
	if diff := cmp.Diff([]group{{"a", "group a"}, {"b", "group b"}, {"c", "group c"}}, found); err != nil || diff != "" {
		t.Errorf("%v; groups (-want +got):\n%s", err, diff)
	}
	names, err := networking.Walk(t.Context(), cloud(t), "security-groups", url.Values{"project_id": {"p"}},
		func(g group) (string, bool) { return g.Name, g.ID != "b" })
	if diff := cmp.Diff([]string{"group a", "group c"}, names); err != nil || diff != "" {
		t.Errorf("%v; names (-want +got):\n%s", err, diff)
	}
}

func TestOneThingIsShownAndDeleted(t *testing.T) {
	client := cloud(t)
	var g group
	if err := networking.Show(t.Context(), client, "security-groups", "b", &g); err != nil || g.Name != "group b" {
		t.Errorf("it is shown as %+v, %v", g, err)
	}
	if err := networking.Show(t.Context(), client, "security-groups", "x", &g); !openstack.IsNotFound(err) {
		t.Errorf("what is not there: %v", err)
	}
	for id, want := range map[string]bool{"a": true, "b": false, "x": true} {
		if err := networking.Delete(t.Context(), client, "security-groups", id); (err == nil) != want {
			t.Errorf("deleting %s: %v", id, err)
		}
	}
}

package client_test

import (
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/client"
)

// pages plays a collection of n plans in pages of three.
func pages(t *testing.T, n int, asked *[]string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		*asked = append(*asked, r.URL.RawQuery)
		from := 0
		if marker := r.URL.Query().Get("marker"); marker != "" {
			last, err := strconv.Atoi(marker)
			if err != nil {
				t.Errorf("marker %q", marker)
			}
			from = last + 1
		}
		to := min(from+3, n)
		answer := map[string]any{"plans": []any{}}
		var items []any
		for i := from; i < to; i++ {
			items = append(items, map[string]any{"id": strconv.Itoa(i)})
		}
		if items != nil {
			answer["plans"] = items
		}
		if to < n {
			// The link's host is not ours: a client that followed it would leak its token.
			answer["plans_links"] = []any{map[string]any{"rel": "next",
				"href": fmt.Sprintf("http://evil.example/v1/p/plans?marker=%d&name=x", to-1)}}
		}
		if err := json.NewEncoder(w).Encode(answer); err != nil {
			t.Error(err)
		}
	}
}

func ids(t *testing.T, plans iter.Seq2[client.Plan, error]) []string {
	t.Helper()
	var out []string
	for p, err := range plans {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, p.ID)
	}
	return out
}

func TestListGivesAllPagesAndNeverLeavesTheService(t *testing.T) {
	for n, requests := range map[int]int{0: 1, 2: 1, 3: 1, 7: 3} {
		var asked []string
		c, _ := open(t, pages(t, n, &asked))
		got := ids(t, c.Plans.List(t.Context(), client.ListOptions{}))
		if len(got) != n || len(asked) != requests {
			t.Errorf("%d plans: got %v with %d requests", n, got, len(asked))
		}
	}
}

func TestListStopsAtItsLimitAndOnBreak(t *testing.T) {
	var asked []string
	c, _ := open(t, pages(t, 100, &asked))
	got := ids(t, c.Plans.List(t.Context(), client.ListOptions{Limit: 4, Marker: "9", Sort: "name:asc", AllProjects: true,
		Filters: map[string]string{"name": "x", "status": ""}}))
	if diff := cmp.Diff([]string{"10", "11", "12", "13"}, got); diff != "" {
		t.Errorf("ids (-want +got):\n%s", diff)
	}
	want := []string{"all_tenants=1&limit=4&marker=9&name=x&sort=name%3Aasc", "marker=12&name=x"}
	if diff := cmp.Diff(want, asked); diff != "" {
		t.Errorf("queries (-want +got):\n%s", diff)
	}
	asked = nil
	for _, err := range c.Plans.List(t.Context(), client.ListOptions{}) {
		if err != nil {
			t.Error(err)
		}
		break
	}
	if len(asked) != 1 {
		t.Errorf("after a break there were %d requests", len(asked))
	}
}

func TestCheckpointHasProgressAndGraph(t *testing.T) {
	g := &karbor.Graph{}
	server := g.Add(karbor.Resource{Type: karbor.ServerType, ID: "s", Name: "web"}, "")
	g.Connect(server, g.Add(karbor.Resource{Type: karbor.ImageType, ID: "i", Name: "os"}, "s"))
	text, err := g.MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	c, _ := open(t, func(w http.ResponseWriter, r *http.Request) {
		if got := r.Header.Get("OpenStack-API-Version"); got != "data-protect "+client.Microversion {
			t.Errorf("microversion %q", got)
		}
		if r.URL.Path != "/v1/p/providers/bank/checkpoints/1" {
			t.Errorf("path %s", r.URL.Path)
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"checkpoint": map[string]any{"id": "1", "status": "protecting",
			"resource_graph": string(text), "size": 9, "progress": []any{map[string]any{"type": "OS::Nova::Server", "id": "s",
				"state": "protecting", "phase": "main", "bytes_done": 4, "bytes_total": 9}}}})
	})
	cp, err := c.Checkpoints.Show(t.Context(), "bank", "1")
	if err != nil {
		t.Fatal(err)
	}
	want := []client.Progress{{Type: karbor.ServerType, ID: "s", State: karbor.ResourceProtecting, Phase: "main", BytesDone: 4, BytesTotal: 9}}
	if diff := cmp.Diff(want, cp.Progress); diff != "" || cp.Size != 9 {
		t.Errorf("size %d, progress (-want +got):\n%s", cp.Size, diff)
	}
	back, err := cp.Graph()
	if err != nil || len(back.Nodes()) != 2 || back.Nodes()[1].Role != "s" {
		t.Errorf("graph %v, error %v", back, err)
	}
	if none, err := (client.Checkpoint{}).Graph(); none != nil || err != nil {
		t.Errorf("a checkpoint without a graph gives %v, %v", none, err)
	}
	if _, err := (client.Checkpoint{ResourceGraph: "x"}).Graph(); err == nil {
		t.Error("a broken graph gives no error")
	}
}

func TestRequestsHaveTheContractsBodies(t *testing.T) {
	var method, path string
	var sent any
	c, _ := open(t, func(w http.ResponseWriter, r *http.Request) {
		method, path, sent = r.Method, r.URL.EscapedPath(), body(t, r)
		_, _ = io.WriteString(w, `{"plan":{},"checkpoint":{},"restore":{}}`)
	})
	name, started := "n", karbor.PlanStarted
	for _, test := range []struct {
		do                 func() error
		method, path, body string
	}{
		{func() error {
			_, err := c.Plans.Create(t.Context(), client.PlanRequest{Name: "n", ProviderID: "b",
				Resources: []karbor.Resource{{Type: karbor.VolumeType, ID: "v", Name: "d"}}})
			return err
		}, "POST", "/v1/p/plans", `{"plan":{"name":"n","provider_id":"b","parameters":{},"resources":[{"type":"OS::Cinder::Volume","id":"v","name":"d"}]}}`},
		{func() error {
			_, err := c.Plans.Update(t.Context(), "a/b", client.PlanChange{Name: &name, Status: &started})
			return err
		}, "PUT", "/v1/p/plans/a%2Fb", `{"plan":{"name":"n","status":"started"}}`},
		{func() error {
			_, err := c.Checkpoints.Create(t.Context(), "b", client.CheckpointRequest{PlanID: "p", ExtraInfo: map[string]any{"k": "v"}})
			return err
		}, "POST", "/v1/p/providers/b/checkpoints", `{"checkpoint":{"plan_id":"p","extra_info":{"k":"v"}}}`},
		{func() error { return c.Checkpoints.ResetState(t.Context(), "b", "1", karbor.CheckpointError) },
			"PUT", "/v1/p/providers/b/checkpoints/1", `{"os-resetState":{"state":"error"}}`},
		{func() error {
			_, err := c.Restores.Create(t.Context(), client.RestoreRequest{ProviderID: "b", CheckpointID: "1", Target: "http://t",
				Auth: &client.RestoreAuth{Username: "u", Password: "s3cr3t", Others: map[string]string{"project_name": "x"}}})
			return err
		}, "POST", "/v1/p/restores", `{"restore":{"provider_id":"b","checkpoint_id":"1","restore_target":"http://t","parameters":{},
			"restore_auth":{"type":"password","username":"u","password":"s3cr3t","project_name":"x"}}}`},
		{func() error {
			_, err := c.Restores.Create(t.Context(), client.RestoreRequest{ProviderID: "b", CheckpointID: "1", Target: "http://t",
				Auth: &client.RestoreAuth{Username: "u", Password: "s3cr3t", Region: "east"}})
			return err
		}, "POST", "/v1/p/restores", `{"restore":{"provider_id":"b","checkpoint_id":"1","restore_target":"http://t","parameters":{},
			"restore_auth":{"type":"password","username":"u","password":"s3cr3t","region_name":"east"}}}`},
		{func() error {
			_, err := c.Restores.Create(t.Context(), client.RestoreRequest{ProviderID: "b", CheckpointID: "1", Target: "http://t",
				Auth: &client.RestoreAuth{CredentialID: "a", CredentialSecret: "s3cr3t", Region: "east"}})
			return err
		}, "POST", "/v1/p/restores", `{"restore":{"provider_id":"b","checkpoint_id":"1","restore_target":"http://t","parameters":{},
			"restore_auth":{"type":"application_credential","id":"a","secret":"s3cr3t","region_name":"east"}}}`},
	} {
		if err := test.do(); err != nil {
			t.Errorf("%s: %v", test.path, err)
		}
		var want any
		if err := json.Unmarshal([]byte(test.body), &want); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, sent); diff != "" || method != test.method || path != test.path {
			t.Errorf("%s %s, not %s %s; body (-want +got):\n%s", method, path, test.method, test.path, diff)
		}
	}
	if text := fmt.Sprintf("%+v", client.RestoreAuth{Password: "s3cr3t"}); strings.Contains(text, "s3cr3t") {
		t.Errorf("the password is printed: %s", text)
	}
}

func TestInstancesGetTheirParametersAsJSON(t *testing.T) {
	var queries []string
	c, _ := open(t, func(w http.ResponseWriter, r *http.Request) {
		queries = append(queries, r.URL.Path+"?"+r.URL.Query().Get("parameters"))
		_, _ = io.WriteString(w, `{"instances":[{"id":"1","type":"OS::Nova::Server","name":"web"}],"instance":{"id":"1"},
			"protectable_type":{"name":"OS::Nova::Server","dependent_types":["OS::Cinder::Volume"]}}`)
	})
	for i, err := range c.Protectables.Instances(t.Context(), karbor.ServerType, map[string]any{"k": "v"}, client.ListOptions{}) {
		if err != nil || i.Resource().Key() != "OS::Nova::Server#1" {
			t.Errorf("instance %+v, error %v", i, err)
		}
	}
	if _, err := c.Protectables.Instance(t.Context(), karbor.ServerType, "1", nil); err != nil {
		t.Error(err)
	}
	shown, err := c.Protectables.Show(t.Context(), karbor.ServerType)
	if err != nil || len(shown.DependentTypes) != 1 {
		t.Errorf("type %+v, error %v", shown, err)
	}
	want := []string{`/v1/p/protectables/OS::Nova::Server/instances?{"k":"v"}`,
		"/v1/p/protectables/OS::Nova::Server/instances/1?", "/v1/p/protectables/OS::Nova::Server?"}
	if diff := cmp.Diff(want, queries); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

package v1_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
)

func planView(id string, change map[string]any) map[string]any {
	v := map[string]any{
		"id": id, "name": "nightly", "description": nil, "provider_id": provider, "status": "suspended",
		"parameters": map[string]any{
			"OS::Cinder::Volume":           map[string]any{"mode": "full"},
			"OS::Cinder::Volume#" + volume: map[string]any{"mode": "incremental"},
		},
		"resources": []any{map[string]any{
			"id": volume, "type": "OS::Cinder::Volume", "name": "disk",
			"extra_info": map[string]any{"availability_zone": "nova"},
		}},
	}
	maps.Copy(v, change)
	return v
}

func TestAPlanIsMadeSuspendedAndShown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	made := w.call(t, "member", "POST", "/plans", planBody).want(t, 200)
	id := made.str("plan.id")
	want := map[string]any{"plan": planView(id, nil)}
	if d := cmp.Diff(want, made.body); d != "" {
		t.Error(d)
	}
	shown := w.call(t, "member", "GET", "/plans/"+id, "").want(t, 200)
	if d := cmp.Diff(want, shown.body); d != "" {
		t.Error(d)
	}
	listed := w.call(t, "member", "GET", "/plans", "").want(t, 200)
	if d := cmp.Diff(map[string]any{"plans": []any{want["plan"]}}, listed.body); d != "" {
		t.Error(d)
	}
	if a := w.call(t, "member", "DELETE", "/plans/"+id, "").want(t, 200); a.text != "" {
		t.Errorf("a delete answers %q", a.text)
	}
	w.call(t, "member", "GET", "/plans/"+id, "").want(t, 404, "itemNotFound")
	w.call(t, "member", "DELETE", "/plans/"+id, "").want(t, 404, "itemNotFound")
	listed = w.call(t, "member", "GET", "/plans", "").want(t, 200)
	if listed.text != "{\"plans\":[]}\n" {
		t.Errorf("an empty list is %s", listed.text)
	}
}

func TestPlansThatAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tests := []struct{ name, old, new, want string }{
		{"no name", `"name": "nightly", "description"`, `"description"`, "plan.name. It is required"},
		{"a null name", `"nightly"`, `null`, "plan.name. Value: null"},
		{"an empty name", `"nightly"`, `""`, "plan.name"},
		{"a name of spaces", `"nightly"`, `"  "`, "plan.name"},
		{"a long name", `"nightly"`, `"` + strings.Repeat("n", 256) + `"`, "plan.name"},
		{"a provider that is no UUID", provider, "gold", `plan.provider_id. Value: \"gold\"`},
		{"an unknown provider", provider, unknown, unknown},
		{"an unknown member", `"description": null`, `"colour": "red"`, "plan.colour"},
		{"no parameters", `"parameters"`, `"parametres"`, "plan.parameters. It is required"},
		{"parameters that are no object", `{"mode": "full"}`, `"full"`, `plan.parameters.OS::Cinder::Volume. Value: \"full\"`},
		{"parameters of an unknown type", `"OS::Cinder::Volume":`, `"OS::Cinder::Disk":`, "OS::Cinder::Disk"},
		{"parameters of a bad id", `Volume#` + volume, `Volume#..`, "Volume#.."},
		{"an unknown type", `"type": "OS::Cinder::Volume"`, `"type": "OS::Cinder::Disk"`, "OS::Cinder::Disk"},
		{"a resource without name", `"name": "disk", `, ``, "plan.resources[0].name. It is required"},
		{"a resource without id", `"id": "` + volume + `", `, ``, "plan.resources[0].id. It is required"},
		{"a resource without type", `"type": "OS::Cinder::Volume", `, ``, "plan.resources[0].type. It is required"},
		{"a type that is no text", `"type": "OS::Cinder::Volume"`, `"type": 5`, "plan.resources[0].type. Value: 5."},
		{"an unknown member of a resource", `"name": "disk"`, `"name": "disk", "size": 3`, "plan.resources[0].size"},
		{"extra info that is no text", `"nova"`, `7`, "plan.resources[0].extra_info.availability_zone. Value: 7"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			body := strings.Replace(planBody, tt.old, tt.new, 1)
			if body == planBody {
				t.Fatal("the body was not changed")
			}
			w.call(t, "member", "POST", "/plans", body).want(t, 400, "badRequest", tt.want)
		})
	}
	before, _, _ := strings.Cut(planBody, `"resources"`)
	empty := before + `"resources": []}}`
	w.call(t, "member", "POST", "/plans", empty).want(t, 400, "plan.resources", "at least 1")
	if a := w.call(t, "admin", "GET", "/plans?all_tenants=1", ""); a.text != "{\"plans\":[]}\n" {
		t.Errorf("a refused plan is stored: %s", a.text)
	}
}

func TestAResourceMayHaveNoNameOfItsOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	body := strings.Replace(planBody, `"name": "disk"`, `"name": ""`, 1)
	body = strings.Replace(body, `{"availability_zone": "nova"}`, `null`, 1)
	w.call(t, "member", "POST", "/plans", body).want(t, 200)
}

func TestADescriptionMayHaveTabsAndAnyScript(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	body := strings.Replace(planBody, `"description": null`, `"description": "a\tb <c> \u00e4 日本"`, 1)
	if got := w.call(t, "member", "POST", "/plans", body).want(t, 200).str("plan.description"); got != "a\tb <c> ä 日本" {
		t.Errorf("description %q", got)
	}
}

func BenchmarkListOf100Plans(b *testing.B) {
	w := newWorld(b)
	for i := range 100 {
		p := karbor.Plan{ID: karbor.NewID(), ProjectID: ours, Name: strconv.Itoa(i), ProviderID: provider, Status: karbor.PlanSuspended,
			Resources: []karbor.Resource{{Type: karbor.VolumeType, ID: volume, Name: "disk"}}}
		if err := w.store.CreatePlan(b.Context(), p, -1); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		r := httptest.NewRequestWithContext(b.Context(), "GET", "/v1/"+ours+"/plans", http.NoBody)
		r.Header.Set("X-Auth-Token", "member")
		rec := httptest.NewRecorder()
		if w.handler.ServeHTTP(rec, r); rec.Code != http.StatusOK {
			b.Fatal(rec.Body)
		}
	}
}

func TestAPlanInUppercaseIDsIsTheSame(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.call(t, "member", "POST", "/plans", strings.Replace(planBody, provider, strings.ToUpper(provider), 1)).want(t, 200)
	if a.str("plan.provider_id") != provider {
		t.Error(a.text)
	}
	w.call(t, "member", "GET", "/plans/"+strings.ToUpper(a.str("plan.id")), "").want(t, 200)
}

func TestOnlyASuspendedPlanIsChanged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.plan(t, "member")
	put := func(body string) answer { return w.call(t, "member", "PUT", "/plans/"+id, `{"plan": `+body+`}`) }
	server := `[{"id": "s1", "type": "OS::Nova::Server", "name": "web"}]`

	a := put(`{"name": "weekly", "description": "on Sunday", "resources": `+server+`}`).want(t, 200)
	want := planView(id, map[string]any{
		"name": "weekly", "description": "on Sunday",
		"resources": []any{map[string]any{"id": "s1", "type": "OS::Nova::Server", "name": "web"}},
	})
	if d := cmp.Diff(map[string]any{"plan": want}, a.body); d != "" {
		t.Error(d)
	}
	if a := put(`{"description": null}`).want(t, 200); a.get("plan.description") != nil || a.str("plan.name") != "weekly" {
		t.Error(a.text)
	}
	if a := put(`{}`).want(t, 200); a.str("plan.name") != "weekly" {
		t.Error(a.text)
	}
	// The request that starts it may change it, too.
	if a := put(`{"status": "started", "name": "running"}`).want(t, 200); a.str("plan.status") != "started" || a.str("plan.name") != "running" {
		t.Error(a.text)
	}
	for _, edit := range []string{`{"name": "x"}`, `{"description": null}`, `{"resources": ` + server + `}`, `{"name": "x", "status": "started"}`} {
		put(edit).want(t, 409, "conflictingRequest", "started", "suspended")
	}
	put(`{"status": "started"}`).want(t, 200)
	if a := put(`{"status": "suspended", "name": "again"}`).want(t, 200); a.str("plan.status") != "suspended" || a.str("plan.name") != "again" {
		t.Error(a.text)
	}
}

func TestChangesOfAPlanThatAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.plan(t, "member")
	for body, want := range map[string]string{
		`{"status": "bogus"}`:               "plan.status",
		`{"name": ""}`:                      "plan.name",
		`{"name": " "}`:                     "plan.name",
		`{"name": null}`:                    "plan.name",
		`{"resources": []}`:                 "plan.resources",
		`{"parameters": {}}`:                "plan.parameters",
		`{"provider_id": "` + second + `"}`: "plan.provider_id",
		`{"resources": [{"id": "s", "type": "OS::Disk", "name": "n"}]}`: "OS::Disk",
	} {
		w.call(t, "member", "PUT", "/plans/"+id, `{"plan": `+body+`}`).want(t, 400, "badRequest", want)
	}
	a := w.call(t, "member", "GET", "/plans/"+id, "").want(t, 200)
	if d := cmp.Diff(map[string]any{"plan": planView(id, nil)}, a.body); d != "" {
		t.Errorf("a refused change is stored: %s", d)
	}
}

func TestFiltersOfPlans(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i, name := range []string{"alpha", "ALPHABET", "beta_1"} {
		body := strings.Replace(planBody, "nightly", name, 1)
		body = strings.Replace(body, `"description": null`, fmt.Sprintf(`"description": "number %d"`, i), 1)
		id := w.call(t, "member", "POST", "/plans", body).want(t, 200).str("plan.id")
		if i == 0 {
			w.call(t, "member", "PUT", "/plans/"+id, `{"plan": {"status": "started"}}`).want(t, 200)
		}
	}
	for query, want := range map[string]int{
		"name=alpha": 2, "name=a_1": 1, "name=a%25": 0, "name=": 3, "status=started": 1, "status=bogus": 0,
		"description=number": 3, "description=number+2": 1, "name=alpha&status=suspended": 1,
	} {
		if got := len(w.call(t, "member", "GET", "/plans?"+query, "").want(t, 200).body["plans"].([]any)); got != want {
			t.Errorf("%s gives %d, want %d", query, got, want)
		}
	}
}

func TestTheQuotaOfPlansIsPerProject(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var last string
	for range 50 {
		last = w.plan(t, "member")
	}
	a := w.call(t, "member", "POST", "/plans", planBody).want(t, 413, "overLimit", "50")
	if a.header.Get("Retry-After") != "0" || a.str("overLimit.retryAfter") != "0" {
		t.Errorf("%v %s", a.header, a.text)
	}
	w.plan(t, "stranger")
	w.call(t, "member", "DELETE", "/plans/"+last, "").want(t, 200)
	w.plan(t, "member")
}

package v1_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
)

const checkpointsPath = "/providers/" + provider + "/checkpoints"

func checkpointView(id, plan, extra string) map[string]any {
	return map[string]any{
		"id": id, "project_id": ours, "status": "protecting", "created_at": "2026-11-20", "extra_info": extra,
		"resource_graph": `[{"0x0":["OS::Cinder::Volume","` + volume + `","disk",{"availability_zone":"nova"}]},[]]`,
		"protection_plan": map[string]any{
			"id": plan, "name": "nightly", "provider_id": provider,
			"resources": []any{map[string]any{
				"id": volume, "type": "OS::Cinder::Volume", "name": "disk",
				"extra_info": map[string]any{"availability_zone": "nova"},
			}},
		},
	}
}

func TestACheckpointIsMadeShownAndListed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	plan := w.plan(t, "member")
	a := w.call(t, "member", "POST", checkpointsPath, `{"checkpoint": {"plan_id": "`+plan+`", "extra-info": null}}`).want(t, 200)
	id := a.str("checkpoint.id")
	want := checkpointView(id, plan, `{"created_by":"manual"}`)
	if d := cmp.Diff(map[string]any{"checkpoint": want}, a.body); d != "" {
		t.Error(d)
	}
	a = w.call(t, "member", "GET", checkpointsPath+"/"+id, "").want(t, 200)
	if d := cmp.Diff(map[string]any{"checkpoint": want}, a.body); d != "" {
		t.Error(d)
	}
	a = w.call(t, "member", "GET", checkpointsPath, "").want(t, 200)
	if d := cmp.Diff(map[string]any{"checkpoints": []any{want}}, a.body); d != "" {
		t.Error(d)
	}
	c := w.service.callers[0]
	if c.Identity.UserID != "m" || c.Cloud.ProjectID() != ours {
		t.Errorf("the service was called as %+v", c)
	}
	// The other provider has none, and an unknown one does not exist.
	if a := w.call(t, "member", "GET", "/providers/"+second+"/checkpoints", "").want(t, 200); a.text != "{\"checkpoints\":[]}\n" {
		t.Error(a.text)
	}
	w.call(t, "member", "GET", "/providers/"+second+"/checkpoints/"+id, "").want(t, 404)
}

func TestExtraInfoIsKeptInBothSpellings(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	plan := w.plan(t, "member")
	for _, name := range []string{"extra_info", "extra-info"} {
		body := `{"checkpoint": {"plan_id": "` + plan + `", "` + name + `": {"why": "upgrade", "empty": null, "n": {"x": [1]}}}}`
		a := w.call(t, "member", "POST", checkpointsPath, body).want(t, 200)
		var got map[string]any
		if err := json.Unmarshal([]byte(a.str("checkpoint.extra_info")), &got); err != nil {
			t.Fatal(err)
		}
		want := map[string]any{"created_by": "manual", "why": "upgrade", "empty": nil, "n": map[string]any{"x": []any{1.0}}}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
	both := `{"checkpoint": {"plan_id": "` + plan + `", "extra-info": {"a": "1"}, "extra_info": {"a": "2"}}}`
	w.call(t, "member", "POST", checkpointsPath, both).want(t, 400, "extra-info")
}

func TestCheckpointsThatAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	plan := w.plan(t, "member")
	for body, want := range map[string]string{
		`{"checkpoint": {}}`:                                             "checkpoint.plan_id. It is required",
		`{"checkpoint": {"plan_id": "nightly"}}`:                         "checkpoint.plan_id",
		`{"checkpoint": {"plan_id": null}}`:                              "checkpoint.plan_id",
		`{"checkpoint": {"plan_id": "` + plan + `", "x": 1}}`:            "checkpoint.x",
		`{"checkpoint": {"plan_id": "` + plan + `", "extra_info": "x"}}`: "checkpoint.extra_info",
		`{}`: "checkpoint",
	} {
		w.call(t, "member", "POST", checkpointsPath, body).want(t, 400, "badRequest", want)
	}
	if len(w.service.protects) != 0 {
		t.Error("a refused request reached the service")
	}
}

func TestFiltersOfCheckpoints(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	plan := ""
	for i, day := range []string{"2026-01-01", "2026-01-02", "2026-01-03"} {
		at, err := time.Parse(time.DateOnly, day)
		if err != nil {
			t.Fatal(err)
		}
		c := karbor.Checkpoint{
			ID: karbor.NewID(), ProjectID: ours, ProviderID: provider, Status: karbor.CheckpointAvailable,
			Plan: karbor.PlanRecord{ID: karbor.NewID(), Name: "p", ProviderID: provider}, CreatedAt: at.Add(23*time.Hour + 59*time.Minute),
		}
		if i == 2 {
			c.Status, c.ProjectID = karbor.CheckpointError, theirs
		}
		plan = c.Plan.ID
		if err := w.store.PutCheckpoint(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	for query, want := range map[string][2]int{
		"":                      {2, 3},
		"start_date=2026-01-02": {1, 2},
		"end_date=2026-01-02":   {2, 2},
		"end_date=2026-01-01":   {1, 1},
		"start_date=2026-01-02&end_date=2026-01-02": {1, 1},
		"start_date=2026-01-03&end_date=2026-01-01": {0, 0},
		"status=error":         {0, 1},
		"status=available":     {2, 2},
		"plan_id=" + plan:      {0, 1},
		"plan_id=nightly":      {0, 0},
		"project_id=" + ours:   {2, 2},
		"project_id=" + theirs: {0, 1},
	} {
		for i, token := range []string{"member", "admin"} {
			a := w.call(t, token, "GET", checkpointsPath+"?all_tenants=True&"+query, "").want(t, 200)
			if got := len(a.body["checkpoints"].([]any)); got != want[i] {
				t.Errorf("%s gives the %s %d, want %d", query, token, got, want[i])
			}
		}
	}
	for _, bad := range []string{"start_date=yesterday", "end_date=2026-02-30", "start_date=2026-1-1", "end_date=0000-00-00", "start_date=2026-01-01T00:00:00"} {
		w.call(t, "member", "GET", checkpointsPath+"?"+bad, "").want(t, 400, "badRequest", "_date")
	}
}

func TestACheckpointWithoutAGraphLeavesTheKeyOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := karbor.Checkpoint{ID: karbor.NewID(), ProjectID: ours, ProviderID: provider, Status: karbor.CheckpointAvailable, CreatedAt: time.Unix(0, 0)}
	if err := w.store.PutCheckpoint(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	a := w.call(t, "member", "GET", checkpointsPath+"/"+c.ID, "").want(t, 200)
	inner := a.get("checkpoint").(map[string]any)
	if _, ok := inner["resource_graph"]; ok || inner["extra_info"] != "{}" || inner["created_at"] != "1970-01-01" {
		t.Error(a.text)
	}
	if r, ok := a.get("checkpoint.protection_plan.resources").([]any); !ok || len(r) != 0 {
		t.Error(a.text)
	}
}

func TestACheckpointIsDeletedAndReset(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.checkpoint(t, "member")
	path := checkpointsPath + "/" + id
	for body, want := range map[string]string{
		`{"os-resetState": {"state": "deleted"}}`:              "os-resetState.state",
		`{"os-resetState": {}}`:                                "os-resetState.state",
		`{"os-resetState": {"state": "error", "force": true}}`: "os-resetState.force",
		`{"state": "error"}`:                                   "os-resetState",
	} {
		w.call(t, "member", "PUT", path, body).want(t, 400, "badRequest", want)
	}
	w.call(t, "member", "PUT", path, `{"os-resetState": {"state": "error"}}`).want(t, 200)
	if got := w.call(t, "member", "GET", path, "").str("checkpoint.status"); got != "error" {
		t.Errorf("status %s", got)
	}
	if a := w.call(t, "member", "DELETE", path, "").want(t, 200); a.text != "{}\n" {
		t.Errorf("a delete answers %q", a.text)
	}
	w.service.refuse = karbor.Errorf(karbor.Conflict, "checkpoint %s is protecting", id)
	w.call(t, "member", "DELETE", path, "").want(t, 409, "conflictingRequest", "is protecting")
	w.call(t, "member", "PUT", path, `{"os-resetState": {"state": "error"}}`).want(t, 409, "conflictingRequest")
}

func TestMicroversion11AddsProgressToACheckpoint(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.checkpoint(t, "member")
	w.service.progress = []karbor.ResourceProgress{{
		Resource: karbor.Resource{Type: karbor.VolumeType, ID: volume, Name: "disk"}, State: karbor.ResourceProtecting,
		Phase: "main", Done: 3, Total: 10, Reason: "slow",
	}}
	path := checkpointsPath + "/" + id
	a := w.call(t, "member", "GET", path, "", v11).want(t, 200)
	want := []any{map[string]any{
		"type": "OS::Cinder::Volume", "id": volume, "name": "disk", "state": "protecting", "phase": "main",
		"bytes_done": 3.0, "bytes_total": 10.0, "reason": "slow",
	}}
	if d := cmp.Diff(want, a.get("checkpoint.progress")); d != "" {
		t.Error(d)
	}
	if a.get("checkpoint.size") != 7.0 || a.get("checkpoint.created_at") != "2026-11-20" || cmp.Diff(map[string]any{}, a.get("checkpoint.reasons")) != "" {
		t.Error(a.text)
	}
	listed := w.call(t, "member", "GET", checkpointsPath, "", v11).want(t, 200).body["checkpoints"].([]any)[0].(map[string]any)
	if _, ok := listed["progress"]; ok || listed["size"] != 7.0 {
		t.Errorf("%v", listed)
	}
	for _, p := range []string{path, checkpointsPath} {
		a := w.call(t, "member", "GET", p, "").want(t, 200)
		for _, word := range []string{`"size"`, `"progress"`, `"reasons"`} {
			if contains(a.text, word) {
				t.Errorf("%s has %s without the microversion", p, word)
			}
		}
	}
}

func TestMicroversion13AddsFiguresToACheckpoint(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.checkpoint(t, "member")
	path := checkpointsPath + "/" + id
	if a := w.call(t, "member", "GET", path, "", v13).want(t, 200); cmp.Diff(map[string]any{}, a.get("checkpoint.figures")) != "" {
		t.Errorf("without figures: %s", a.text)
	}
	c, err := w.store.Checkpoint(t.Context(), "", provider, id)
	if err != nil {
		t.Fatal(err)
	}
	c.Figures = map[string]karbor.Figures{
		"OS::Cinder::Volume#" + volume: {Size: 10, New: new(int64(4)), Stored: new(int64(0))},
		"OS::Glance::Image#x":          {Size: 3}, // of a provider that keeps all data together
	}
	if err := w.store.PutCheckpoint(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"OS::Cinder::Volume#" + volume: map[string]any{"size": 10.0, "new": 4.0, "stored": 0.0},
		"OS::Glance::Image#x":          map[string]any{"size": 3.0},
	}
	if d := cmp.Diff(want, w.call(t, "member", "GET", path, "", v13).want(t, 200).get("checkpoint.figures")); d != "" {
		t.Error(d)
	}
	for _, a := range []answer{w.call(t, "member", "GET", path, "", v12).want(t, 200), w.call(t, "member", "GET", checkpointsPath, "", v13).want(t, 200)} {
		if contains(a.text, `"figures"`) {
			t.Errorf("figures in %s", a.text)
		}
	}
}

func TestAnAdministratorActsOnAnotherProjectsCheckpoint(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.checkpoint(t, "member")
	c, err := w.store.Checkpoint(t.Context(), "", provider, id)
	if err != nil {
		t.Fatal(err)
	}
	c.ID, c.ProjectID = karbor.NewID(), theirs
	if err := w.store.PutCheckpoint(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	path := checkpointsPath + "/" + c.ID
	for _, token := range []string{"member", "manager", "reader"} {
		for method, body := range map[string]string{"PUT": `{"os-resetState": {"state": "error"}}`, "DELETE": ""} {
			want := 404
			if token == "reader" {
				want = 403
			}
			w.call(t, token, method, path, body).want(t, want)
		}
	}
	w.call(t, "admin", "PUT", path, `{"os-resetState": {"state": "error"}}`).want(t, 200)
	if got := w.call(t, "admin", "GET", path, "").str("checkpoint.status"); got != "error" {
		t.Errorf("it is %s", got)
	}
	w.call(t, "admin", "DELETE", path, "").want(t, 200)
	for _, method := range []string{"PUT", "DELETE"} {
		w.call(t, "admin", method, checkpointsPath+"/"+karbor.NewID(), `{"os-resetState": {"state": "error"}}`).want(t, 404)
	}
}

func TestMicroversion13TellsWhatOfACheckpointIsNotKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.checkpoint(t, "member")
	w.service.progress = []karbor.ResourceProgress{
		{Resource: karbor.Resource{Type: karbor.ServerType, ID: "s"}, State: karbor.ResourceAvailable, NotKept: []string{"The swap."}},
		{Resource: karbor.Resource{Type: karbor.VolumeType, ID: volume}, State: karbor.ResourceAvailable},
	}
	path := checkpointsPath + "/" + id
	want := map[string]any{"OS::Nova::Server#s": []any{"The swap."}}
	if d := cmp.Diff(want, w.call(t, "member", "GET", path, "", v13).want(t, 200).get("checkpoint.not_kept")); d != "" {
		t.Error(d)
	}
	if a := w.call(t, "member", "GET", path, "", v12).want(t, 200); contains(a.text, "not_kept") {
		t.Errorf("%s", a.text)
	}
}

package v1_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
)

func contains(text, part string) bool { return strings.Contains(text, part) }

func TestARestoreIsMadeShownAndListed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	checkpoint := w.checkpoint(t, "member")
	body := strings.Replace(restoreBody(checkpoint), `"parameters": {}`, `"parameters": {"OS::Cinder::Volume": {"restore_name": "new"}}`, 1)
	a := w.call(t, "member", "POST", "/restores", body).want(t, 200)
	id := a.str("restore.id")
	want := map[string]any{
		"id": id, "project_id": ours, "provider_id": provider, "checkpoint_id": checkpoint, "restore_target": nil,
		"parameters":       map[string]any{"OS::Cinder::Volume": map[string]any{"restore_name": "new"}},
		"status":           "in_progress",
		"resources_status": map[string]any{"OS::Cinder::Volume#" + volume: "restoring"},
		"resources_reason": map[string]any{},
	}
	if d := cmp.Diff(map[string]any{"restore": want}, a.body); d != "" {
		t.Error(d)
	}
	a = w.call(t, "member", "GET", "/restores/"+id, "").want(t, 200)
	if d := cmp.Diff(map[string]any{"restore": want}, a.body); d != "" {
		t.Error(d)
	}
	a = w.call(t, "member", "GET", "/restores?status=in_progress", "").want(t, 200)
	if d := cmp.Diff(map[string]any{"restores": []any{want}}, a.body); d != "" {
		t.Error(d)
	}
	if a := w.call(t, "member", "GET", "/restores?status=success", "").want(t, 200); a.text != "{\"restores\":[]}\n" {
		t.Error(a.text)
	}
}

func TestARestoreIntoAnotherCloudHandsTheAuthOnAndNeverShowsIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	body := restoreBody(w.checkpoint(t, "member"))
	body = strings.Replace(body, `"restore_target": null`, `"restore_target": "http://other.example/identity/v3"`, 1)
	body = strings.Replace(body, `"restore_auth": null`,
		`"restore_auth": {"type": "password", "username": "demo", "password": "hunter2", "project_name": "p", "user_domain_name": "d"}`, 1)
	a := w.call(t, "member", "POST", "/restores", body).want(t, 200)
	shown := w.call(t, "member", "GET", "/restores/"+a.str("restore.id"), "", v11).want(t, 200)
	for _, text := range []string{a.text, shown.text} {
		if contains(text, "hunter2") || contains(text, "restore_auth") {
			t.Errorf("the answer tells the password: %s", text)
		}
	}
	if a.str("restore.restore_target") != "http://other.example/identity/v3" {
		t.Error(a.text)
	}
	want := &openstack.PasswordAuth{Username: "demo", Password: "hunter2", Project: "p", UserDomain: "d"}
	if d := cmp.Diff(want, w.service.restores[0].Auth); d != "" {
		t.Error(d)
	}
}

func TestRestoresThatAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	good := restoreBody(w.checkpoint(t, "member"))
	target := func(target, auth string) [2]string {
		return [2]string{`"restore_target": null, "restore_auth": null`, `"restore_target": ` + target + `, "restore_auth": ` + auth}
	}
	const auth = `{"type": "password", "username": "demo", "password": "hunter2"}`
	tests := []struct {
		change [2]string
		want   string
	}{
		{[2]string{provider, "gold"}, "restore.provider_id"},
		{[2]string{`"parameters": {}`, `"x": 1`}, "restore.parameters. It is required"},
		{[2]string{`"parameters": {}`, `"parameters": {"OS::Nova::Server": 5}`}, "restore.parameters.OS::Nova::Server"},
		{[2]string{`"checkpoint_id"`, `"checkpoint"`}, "restore.checkpoint"},
		{target(`"http://other.example/v3"`, "null"), "restore.restore_auth"},
		{target(`"ftp://other.example/"`, auth), "restore.restore_target"},
		{target(`"other"`, auth), "restore.restore_target"},
		{target(`"http://u:hunter2@other.example/"`, auth), "restore.restore_target"},
		{target(`"http://other.example/?x=1"`, auth), "restore.restore_target"},
		{target(`"http://other.example:hunter2/"`, auth), "restore.restore_target"},
		{target(`null`, `{"type": "token", "password": "hunter2"}`), "restore.restore_auth.type"},
		{target(`null`, `{"type": "password", "password": "hunter2"}`), "username"},
		{target(`null`, `{"type": "password", "username": "demo", "user_id": "x", "password": "hunter2"}`), "username"},
		{target(`null`, `{"type": "password", "username": "demo", "passwort": "hunter2"}`), "restore.restore_auth.pass"},
		{target(`null`, `{"type": "password", "username": "demo", "password": ["hunter2"]}`), "restore.restore_auth.password"},
	}
	for _, tt := range tests {
		body := strings.Replace(good, tt.change[0], tt.change[1], 1)
		if body == good {
			t.Fatalf("%v changes nothing", tt.change)
		}
		a := w.call(t, "member", "POST", "/restores", body).want(t, 400, "badRequest", tt.want)
		if contains(a.text, "hunter2") {
			t.Errorf("the message tells the password: %s", a.text)
		}
	}
	for kind, status := range map[karbor.Kind]int{karbor.Conflict: 409, karbor.Invalid: 400, karbor.Unavailable: 503, karbor.OverLimit: 413} {
		w.service.refuse = karbor.Errorf(kind, "it can't start")
		w.call(t, "member", "POST", "/restores", good).want(t, status, "it can't start")
	}
	if a := w.call(t, "member", "GET", "/restores", "").want(t, 200); a.text != "{\"restores\":[]}\n" {
		t.Errorf("a refused restore is stored: %s", a.text)
	}
}

func TestMicroversion11AddsProgressToARestore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.restore(t, "member")
	w.service.progress = []karbor.ResourceProgress{
		{Resource: karbor.Resource{Type: karbor.VolumeType, ID: volume, Name: "disk"}, State: karbor.ResourceAvailable, NewID: "n1", NotKept: []string{"The type."}},
		{Resource: karbor.Resource{Type: karbor.ServerType, ID: "s1"}, State: karbor.ResourcePending},
	}
	a := w.call(t, "member", "GET", "/restores/"+id, "", v11).want(t, 200)
	want := []any{
		map[string]any{
			"type": "OS::Cinder::Volume", "id": volume, "name": "disk", "state": "available", "phase": "",
			"bytes_done": 0.0, "bytes_total": 0.0, "reason": "", "new_id": "n1",
		},
		map[string]any{
			"type": "OS::Nova::Server", "id": "s1", "name": "", "state": "pending", "phase": "",
			"bytes_done": 0.0, "bytes_total": 0.0, "reason": "", "new_id": "",
		},
	}
	if d := cmp.Diff(want, a.get("restore.progress")); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(map[string]any{"OS::Cinder::Volume#" + volume: []any{"The type."}}, a.get("restore.not_kept")); d != "" {
		t.Error(d)
	}
	if at := a.str("restore.created_at"); !strings.HasPrefix(at, "2026-11-20T23:00:") || !strings.HasSuffix(at, "Z") {
		t.Errorf("created_at %q", at)
	}
	a = w.call(t, "member", "GET", "/restores/"+id, "").want(t, 200)
	if contains(a.text, "progress\":") || contains(a.text, "not_kept") || contains(a.text, "created_at") {
		t.Error(a.text)
	}
}

func TestOperationLogsAreListedFilteredAndShown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	restore := w.restore(t, "member")
	w.restore(t, "member")
	shownRestore := w.call(t, "member", "GET", "/restores/"+restore, "").want(t, 200)
	checkpoint := shownRestore.str("restore.checkpoint_id")
	a := w.call(t, "member", "GET", "/operation_logs?restore_id="+restore, "").want(t, 200)
	logs := a.body["operation_logs"].([]any)
	if len(logs) != 1 {
		t.Fatal(a.text)
	}
	got := logs[0].(map[string]any)
	started, _ := got["started_at"].(string)
	if !strings.HasPrefix(started, "2026-11-20T23:00:") || !strings.HasSuffix(started, "Z") {
		t.Errorf("started_at %q", started)
	}
	want := map[string]any{
		"id": got["id"], "operation_type": "restore", "checkpoint_id": checkpoint, "plan_id": got["plan_id"],
		"provider_id": provider, "restore_id": restore, "scheduled_operation_id": nil, "status": "in_progress",
		"started_at": started, "ended_at": nil, "error_info": nil, "extra_info": `{"created_by":"manual"}`,
	}
	if d := cmp.Diff(want, got); d != "" || got["plan_id"] == nil {
		t.Errorf("%s %v", d, got)
	}
	shown := w.call(t, "member", "GET", "/operation_logs/"+got["id"].(string), "").want(t, 200)
	if d := cmp.Diff(map[string]any{"operation_log": want}, shown.body); d != "" {
		t.Error(d)
	}
	for query, want := range map[string]int{
		"checkpoint_id=" + checkpoint: 1, "checkpoint_id=x": 0, "plan_id=" + got["plan_id"].(string): 1,
		"status=in_progress": 2, "status=success": 0, "restore_id=" + unknown: 0, "": 2,
	} {
		if n := len(w.call(t, "member", "GET", "/operation_logs?"+query, "").want(t, 200).body["operation_logs"].([]any)); n != want {
			t.Errorf("%q gives %d, want %d", query, n, want)
		}
	}
}

func TestMicroversion13KeepsWhatAFailedRestoreHasMade(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.checkpoint(t, "member")
	body := func(keep string) string {
		return `{"restore": {"provider_id": "` + provider + `", "checkpoint_id": "` + id + `", "parameters": {}, "keep_on_failure": ` + keep + `}}`
	}
	w.call(t, "member", "POST", "/restores", body("true"), v12).want(t, 400, "badRequest", "restore.keep_on_failure")
	w.call(t, "member", "POST", "/restores", body(`"yes"`), v13).want(t, 400, "badRequest", "restore.keep_on_failure")
	for _, keep := range []string{"true", "false"} {
		made := w.call(t, "member", "POST", "/restores", body(keep), v13).want(t, 200).str("restore.id")
		last := w.service.restores[len(w.service.restores)-1]
		if last.KeepOnFailure != (keep == "true") {
			t.Errorf("asked for %s, the service gets %v", keep, last.KeepOnFailure)
		}
		shown := w.call(t, "member", "GET", "/restores/"+made, "", v13).want(t, 200)
		if got := shown.get("restore.keep_on_failure"); got != last.KeepOnFailure {
			t.Errorf("shown is %v", got)
		}
		if a := w.call(t, "member", "GET", "/restores/"+made, "", v12).want(t, 200); contains(a.text, "keep_on_failure") {
			t.Errorf("%s", a.text)
		}
	}
}

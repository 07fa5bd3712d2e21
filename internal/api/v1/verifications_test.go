package v1_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice"
	"github.com/karbor/karbor/internal/store"
)

// verified keeps a verification of a checkpoint of the project, as a flow would.
func (w *world) verified(t *testing.T, project, checkpoint string, status karbor.VerificationStatus) karbor.Verification {
	t.Helper()
	v := karbor.Verification{
		ID: karbor.NewID(), ProjectID: project, ProviderID: provider, CheckpointID: checkpoint, Status: status,
		ResourcesStatus: map[string]karbor.VerificationStatus{"OS::Cinder::Volume#" + volume: status}, CreatedAt: w.service.now(),
	}
	if status == karbor.VerificationError {
		v.ResourcesReason = map[string]string{"OS::Cinder::Volume#" + volume: "Backup not found"}
	}
	op := store.Operation{ID: karbor.NewID(), Type: karbor.Verify, ProjectID: project, ProviderID: provider, CheckpointID: checkpoint}
	err := w.store.Accept(t.Context(), store.Acceptance{Operation: op, Log: karbor.OperationLog{ID: op.ID, ProjectID: project}, Verification: &v})
	if err == nil {
		err = w.store.EndOperation(t.Context(), op.ID, store.Outcome{})
	}
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func verifyBody(checkpoint string) string {
	return `{"verification": {"provider_id": "` + provider + `", "checkpoint_id": "` + checkpoint + `", "parameters": {}}}`
}

// verificationItems are the calls of the verifications' routes.
func (w *world) verificationItems(t *testing.T, token string) []item {
	t.Helper()
	project := ours
	if token == "stranger" {
		project = theirs
	}
	checkpoint := w.checkpoint(t, token)
	v := w.verified(t, project, checkpoint, karbor.VerificationSuccess)
	return []item{
		{method: "POST", path: "/verifications", body: verifyBody(checkpoint), byID: true, writes: true},
		{method: "GET", path: "/verifications"},
		{method: "GET", path: "/verifications/" + v.ID, byID: true, crosses: true},
	}
}

func TestAVerificationIsShownWithBothSpellings(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if a := w.call(t, "reader", "GET", "/verifications", "").want(t, 200); a.text != "{\"verifications\":[]}\n" {
		t.Errorf("an empty list is %s", a.text)
	}
	checkpoint := w.checkpoint(t, "member")
	v := w.verified(t, ours, checkpoint, karbor.VerificationError)
	status := map[string]any{"OS::Cinder::Volume#" + volume: "error"}
	reason := map[string]any{"OS::Cinder::Volume#" + volume: "Backup not found"}
	want := map[string]any{
		"id": v.ID, "project_id": ours, "provider_id": provider, "checkpoint_id": checkpoint, "parameters": map[string]any{},
		"status": "error", "resource_status": status, "resources_status": status, "resource_reason": reason, "resources_reason": reason,
	}
	same(t, map[string]any{"verification": want}, w.call(t, "reader", "GET", "/verifications/"+v.ID, "").want(t, 200))
	same(t, map[string]any{"verifications": []any{want}}, w.call(t, "reader", "GET", "/verifications", "").want(t, 200))
	want["created_at"] = *timeOf(v.CreatedAt)
	same(t, map[string]any{"verification": want}, w.call(t, "reader", "GET", "/verifications/"+v.ID, "", v12).want(t, 200))
}

func TestMicroversion13AddsProgressToAVerification(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.verified(t, ours, w.checkpoint(t, "member"), karbor.VerificationSuccess)
	w.service.progress = []karbor.ResourceProgress{
		{Resource: karbor.Resource{Type: karbor.VolumeType, ID: volume, Name: "disk"}, State: karbor.ResourceVerified, Done: 5, Total: 5},
	}
	want := []any{map[string]any{
		"type": "OS::Cinder::Volume", "id": volume, "name": "disk", "state": "success", "phase": "",
		"bytes_done": 5.0, "bytes_total": 5.0, "reason": "",
	}}
	if d := cmp.Diff(want, w.call(t, "reader", "GET", "/verifications/"+v.ID, "", v13).want(t, 200).get("verification.progress")); d != "" {
		t.Error(d)
	}
	for _, a := range []answer{
		w.call(t, "reader", "GET", "/verifications/"+v.ID, "", v12).want(t, 200), w.call(t, "reader", "GET", "/verifications", "", v13).want(t, 200),
	} {
		if strings.Contains(a.text, `"progress"`) {
			t.Errorf("there is progress in %s", a.text)
		}
	}
}

func TestVerificationsAreFilteredAndPaged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first, second := w.checkpoint(t, "member"), w.checkpoint(t, "member")
	w.verified(t, ours, first, karbor.VerificationSuccess)
	w.verified(t, ours, first, karbor.VerificationError)
	w.verified(t, ours, second, karbor.VerificationError)
	w.verified(t, theirs, w.checkpoint(t, "stranger"), karbor.VerificationSuccess)
	for query, want := range map[string]int{
		"": 3, "status=error": 2, "checkpoint_id=" + first: 2, "checkpoint_id=" + first + "&status=error": 1, "status=verifying": 0,
		"provider_id=" + provider: 3, "provider_id=" + unknown: 0, "all_tenants=1": 3, "limit=2&sort=status:asc": 2, "project_id=" + theirs: 3,
	} {
		if got := len(w.call(t, "member", "GET", "/verifications?"+query, "").want(t, 200).body["verifications"].([]any)); got != want {
			t.Errorf("%q gives %d, want %d", query, got, want)
		}
	}
	if got := len(w.call(t, "admin", "GET", "/verifications?all_tenants=1", "").want(t, 200).body["verifications"].([]any)); got != 4 {
		t.Errorf("an administrator sees %d", got)
	}
	if got := len(w.call(t, "admin", "GET", "/verifications?all_tenants=1&project_id="+theirs, "").want(t, 200).body["verifications"].([]any)); got != 1 {
		t.Errorf("an administrator sees %d of the other project", got)
	}
	page := w.call(t, "member", "GET", "/verifications?limit=2", "").want(t, 200)
	next := page.body["verifications_links"].([]any)[0].(map[string]any)["href"].(string)
	if rest := w.raw(t, "member", "GET", next, "").want(t, 200).body["verifications"].([]any); len(rest) != 1 {
		t.Errorf("the second page has %d", len(rest))
	}
	for _, bad := range []string{"sort=parameters", "marker=" + unknown, "limit=0"} {
		w.call(t, "member", "GET", "/verifications?"+bad, "").want(t, 400, "badRequest")
	}
}

func TestARequestToVerifyMayBeAnObjectOrAListOfOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	checkpoint := w.checkpoint(t, "member")
	object := strings.TrimSuffix(strings.TrimPrefix(verifyBody(strings.ToUpper(checkpoint)), `{"verification": `), "}")
	for _, body := range []string{object, "[" + object + "]", strings.Replace(object, `, "parameters": {}`, "", 1)} {
		a := w.call(t, "member", "POST", "/verifications", `{"verification": `+body+`}`).want(t, 200)
		if a.str("verification.status") != "verifying" || a.get("verification.resource_status") == nil {
			t.Error(a.text)
		}
	}
	for _, r := range w.service.verifies {
		if d := cmp.Diff(protectionservice.VerifyRequest{ProviderID: provider, CheckpointID: checkpoint}, r, ignoreParameters); d != "" {
			t.Error(d)
		}
	}
	for body, want := range map[string]string{
		"[]":                              "at least 1 items",
		"[" + object + "," + object + "]": "at most 1 items",
		`"all"`:                           "array or object",
		"[5]":                             "verification[0]",
		`{"checkpoint_id": "` + checkpoint + `"}`:                                  "verification.provider_id. It is required",
		`[{"provider_id": "` + provider + `"}]`:                                    "verification[0].checkpoint_id. It is required",
		strings.Replace(object, `"parameters": {}`, `"parameters": []`, 1):         "verification.parameters",
		strings.Replace(object, `"parameters": {}`, `"deep": true`, 1):             "verification.deep",
		strings.Replace(object, provider, "gold", 1):                               "verification.provider_id",
		"[" + strings.Replace(object, `"parameters": {}`, `"deep": true`, 1) + "]": "verification[0].deep",
		strings.Replace(object, `"parameters": {}`, `"parameters": {"a": "b"}`, 1): "verification.parameters.a",
	} {
		w.call(t, "member", "POST", "/verifications", `{"verification": `+body+`}`).want(t, 400, "badRequest", want)
	}
	w.service.refuse = karbor.Errorf(karbor.NotImplemented, "the operation verify is not offered by this service")
	w.call(t, "member", "POST", "/verifications", verifyBody(checkpoint)).want(t, 501, "notImplemented", "the operation verify")
}

package v1_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/api"
	"github.com/karbor/karbor/internal/protectionservice"
	"github.com/karbor/karbor/internal/store"
)

var ignoreParameters = cmpopts.IgnoreTypes(karbor.Parameters{})

func timeOf(t time.Time) *string { return api.Time(t) }

// copied keeps a request to copy a checkpoint of the project, as a flow would.
func (w *world) copied(t *testing.T, project, checkpoint string, status karbor.CopyStatus) karbor.Copy {
	t.Helper()
	c := karbor.Copy{
		ID: karbor.NewID(), ProjectID: project, ProviderID: provider, PlanID: karbor.NewID(), Status: status,
		Checkpoints: []karbor.CopiedCheckpoint{{ProtectID: checkpoint, CopyID: karbor.NewID()}}, CreatedAt: w.service.now(),
	}
	op := store.Operation{ID: karbor.NewID(), Type: karbor.CopyOperation, ProjectID: project, ProviderID: provider, CheckpointID: checkpoint}
	err := w.store.Accept(t.Context(), store.Acceptance{Operation: op, Log: karbor.OperationLog{ID: op.ID, ProjectID: project}, Copy: &c})
	if err == nil {
		err = w.store.EndOperation(t.Context(), op.ID, store.Outcome{})
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const copiesPath = "/providers/" + provider + "/copies"

// copyItems are the calls of the copies' routes.
func (w *world) copyItems(t *testing.T, token string) []item {
	t.Helper()
	project := ours
	if token == "stranger" {
		project = theirs
	}
	c := w.copied(t, project, w.checkpoint(t, token), karbor.CopyFinished)
	return []item{
		{method: "POST", path: "/providers/" + provider + "/checkpoints/action", body: `{"copy": {"plan_id": "` + w.plan(t, token) + `"}}`, byID: true, writes: true},
		{method: "GET", path: copiesPath, header: v12},
		{method: "GET", path: copiesPath + "/" + c.ID, byID: true, crosses: true, header: v12},
	}
}

func TestCopiesAreShownFrom12On(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	checkpoint := w.checkpoint(t, "member")
	c := w.copied(t, ours, checkpoint, karbor.CopyWaiting)
	w.copied(t, theirs, w.checkpoint(t, "stranger"), karbor.CopyWaiting)
	want := map[string]any{
		"id": c.ID, "project_id": ours, "provider_id": provider, "plan_id": c.PlanID, "parameters": map[string]any{}, "status": "wait_copying",
		"checkpoint_id": []any{map[string]any{"checkpoint_protect_id": checkpoint, "checkpoint_copy_id": c.Checkpoints[0].CopyID}},
		"created_at":    *timeOf(c.CreatedAt),
	}
	same(t, map[string]any{"copy": want}, w.call(t, "reader", "GET", copiesPath+"/"+c.ID, "", v12).want(t, 200))
	same(t, map[string]any{"copies": []any{want}}, w.call(t, "reader", "GET", copiesPath, "", v12).want(t, 200))
	for query, n := range map[string]int{
		"status=wait_copying": 1, "status=error": 0, "plan_id=" + c.PlanID: 1, "plan_id=" + unknown: 0, "all_tenants=1": 1,
	} {
		if got := len(w.call(t, "member", "GET", copiesPath+"?"+query, "", v12).want(t, 200).body["copies"].([]any)); got != n {
			t.Errorf("%q gives %d, want %d", query, got, n)
		}
	}
	w.call(t, "member", "GET", copiesPath+"?sort=checkpoint_id", "", v12).want(t, 400, "checkpoint_id")
	w.call(t, "member", "GET", "/providers/"+second+"/copies/"+c.ID, "", v12).want(t, 404, "itemNotFound")
	w.call(t, "member", "GET", "/providers/"+unknown+"/copies", "", v12).want(t, 404, "provider")
	for _, path := range []string{copiesPath, copiesPath + "/" + c.ID} {
		w.call(t, "member", "GET", path, "", v11).want(t, 404, "1.2")
	}
}

func TestARequestToCopyMayBeAnObjectOrAListOfOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	plan := w.plan(t, "member")
	action := "/providers/" + provider + "/checkpoints/action"
	object := `{"plan_id": "` + plan + `", "provider_id": "` + strings.ToUpper(provider) + `", "parameters": {}}`
	for _, body := range []string{object, "[" + object + "]", `{"plan_id": "` + strings.ToUpper(plan) + `"}`} {
		a := w.call(t, "member", "POST", action, `{"copy": `+body+`}`).want(t, 200)
		entries, _ := a.get("copy.checkpoint_id").([]any)
		if a.str("copy.status") != "wait_copying" || len(entries) != 1 || a.get("copy.created_at") != nil {
			t.Error(a.text)
		}
	}
	for _, r := range w.service.copies {
		if d := cmp.Diff(protectionservice.CopyRequest{ProviderID: provider, PlanID: plan}, r, ignoreParameters); d != "" {
			t.Error(d)
		}
	}
	for body, want := range map[string]string{
		`{"copy": []}`: "at least 1 items",
		`{"copy": [` + object + `,` + object + `]}`:                              "at most 1 items",
		`{"copy": {"parameters": {}}}`:                                           "copy.plan_id. It is required",
		`{"copy": {"plan_id": "nightly"}}`:                                       "copy.plan_id",
		`{"copy": ` + strings.Replace(object, "parameters", "to", 1) + `}`:       "copy.to",
		`{"copy": {"plan_id": "` + plan + `", "provider_id": "` + second + `"}}`: second,
		`{"move": ` + object + `}`:                                               "move",
	} {
		w.call(t, "member", "POST", action, body).want(t, 400, "badRequest", want)
	}
	w.service.refuse = karbor.Errorf(karbor.NotImplemented, "the operation copy is not offered by this service")
	w.call(t, "member", "POST", action, `{"copy": `+object+`}`).want(t, 501, "notImplemented", "the operation copy")
}

func TestFrom14OnARequestToCopyChoosesAndShowsHowFarItIs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	plan, checkpoint := w.plan(t, "member"), w.checkpoint(t, "member")
	action := "/providers/" + provider + "/checkpoints/action"
	body := `{"copy": {"plan_id": "` + plan + `", "targets": ["offsite"], "checkpoint_ids": ["` + strings.ToUpper(checkpoint) + `"]}}`
	w.call(t, "member", "POST", action, body, v14).want(t, 200)
	want := protectionservice.CopyRequest{ProviderID: provider, PlanID: plan, Targets: []string{"offsite"}, Checkpoints: []string{checkpoint}}
	if d := cmp.Diff(want, w.service.copies[0], ignoreParameters); d != "" {
		t.Error(d)
	}
	for _, member := range []string{`"targets": ["offsite"]`, `"checkpoint_ids": ["` + checkpoint + `"]`} {
		w.call(t, "member", "POST", action, `{"copy": {"plan_id": "`+plan+`", `+member+`}}`, v13).want(t, 400, "not known in version 1.3")
	}
	c := w.copied(t, ours, checkpoint, karbor.CopyCopying)
	path := copiesPath + "/" + c.ID
	progress := map[string]any{"checkpoint_id": checkpoint, "copy_id": c.Checkpoints[0].CopyID, "bank": "offsite", "status": "copying",
		"reason": "", "bytes_done": 7.0, "bytes_total": 9.0, "stored": 3.0}
	if d := cmp.Diff([]any{progress}, w.call(t, "reader", "GET", path, "", v14).want(t, 200).get("copy.progress")); d != "" {
		t.Error(d)
	}
	if a := w.call(t, "reader", "GET", path, "", v13).want(t, 200); contains(a.text, "progress") {
		t.Errorf("1.3 shows %s", a.text)
	}
}

func TestFrom14OnACheckpointSaysWhereItLies(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	original := w.checkpoint(t, "member")
	made, err := w.store.Checkpoint(t.Context(), ours, provider, original)
	if err != nil {
		t.Fatal(err)
	}
	made.ID, made.CopyOf, made.Bank, made.Status = karbor.NewID(), original, "offsite", karbor.CheckpointAvailable
	if err := w.store.PutCheckpoint(t.Context(), made); err != nil {
		t.Fatal(err)
	}
	a := w.call(t, "member", "GET", checkpointsPath+"/"+made.ID, "", v14).want(t, 200)
	if a.str("checkpoint.copy_of") != original || a.str("checkpoint.bank") != "offsite" || a.str("checkpoint.copy_status") != "finished" {
		t.Error(a.text)
	}
	a = w.call(t, "member", "GET", checkpointsPath+"/"+original, "", v14).want(t, 200)
	if a.str("checkpoint.bank") != "main" || contains(a.text, "copy_of") || contains(a.text, "copy_status") {
		t.Error(a.text)
	}
	for query, n := range map[string]int{"bank=offsite": 1, "bank=main": 1, "copy_of=" + original: 1, "bank=tape": 0, "": 2} {
		if got := len(w.call(t, "member", "GET", checkpointsPath+"?"+query, "", v14).want(t, 200).body["checkpoints"].([]any)); got != n {
			t.Errorf("%q gives %d, want %d", query, got, n)
		}
	}
	if a := w.call(t, "member", "GET", checkpointsPath+"?bank=offsite", "", v13).want(t, 200); contains(a.text, `"bank"`) || len(a.body["checkpoints"].([]any)) != 2 {
		t.Errorf("1.3 shows %s", a.text)
	}
}

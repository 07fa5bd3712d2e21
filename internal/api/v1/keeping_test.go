package v1_test

import (
	"maps"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice"
)

// keepingItems are calls that change how checkpoints are kept.
func (w *world) keepingItems(t *testing.T, token string) []item {
	t.Helper()
	one := "/providers/" + provider + "/checkpoints/" + w.checkpoint(t, token)
	plan := w.plan(t, token)
	return []item{
		{method: "PUT", path: one + "/hold", body: `{"hold": {"reason": "audit"}}`, byID: true, writes: true, manager: true, crosses: true, header: v14},
		{method: "DELETE", path: one + "/hold", byID: true, writes: true, manager: true, crosses: true, header: v14},
		{method: "PUT", path: one + "/expiry", body: `{"expires_at": "2027-01-01T00:00:00Z"}`, byID: true, writes: true, manager: true, crosses: true, header: v14},
		{method: "POST", path: one + "/force_delete", body: `{"force_delete": {"reason": "asked for"}}`, byID: true, writes: true, manager: true, crosses: true, header: v14},
		{method: "POST", path: "/plans/" + plan + "/retention", body: `{"retention": {"max_backups": 1, "dry_run": true}}`, byID: true, writes: true, crosses: true, header: v14},
	}
}

func TestACheckpointTellsHowItIsKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.checkpoint(t, "member")
	one := checkpointsPath + "/" + id
	hold := w.call(t, "manager", "PUT", one+"/hold", `{"hold": {"reason": "audit", "until": "2027-01-01T12:00:00+02:00"}}`, v14).want(t, 200)
	if diff := cmp.Diff("2027-01-01T10:00:00Z", hold.str("hold.until")); diff != "" {
		t.Error(diff)
	}
	w.call(t, "manager", "PUT", one+"/expiry", `{"expires_at": "2027-02-01T00:00:00Z"}`, v14).want(t, 200)
	verified := time.Date(2026, 11, 20, 1, 2, 3, 0, time.UTC)
	if _, err := w.store.KeepCheckpoint(t.Context(), ours, provider, id, func(k *karbor.Keeping) error {
		k.LastVerified = &karbor.LastVerified{At: verified, Depth: "stored", Result: karbor.VerificationSuccess}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"expires_at":    "2027-02-01T00:00:00Z",
		"last_verified": map[string]any{"at": "2026-11-20T01:02:03Z", "depth": "stored", "result": "success"},
	}
	tell := func(of map[string]any) map[string]any {
		out := map[string]any{}
		for _, name := range []string{"hold", "expires_at", "last_verified"} {
			if of[name] != nil {
				out[name] = of[name]
			}
		}
		if h, ok := out["hold"].(map[string]any); ok {
			delete(h, "held_at")
		}
		return out
	}
	held := map[string]any{"reason": "audit", "until": "2027-01-01T10:00:00Z", "user_id": hold.str("hold.user_id")}
	want["hold"] = held
	for _, path := range []string{one, checkpointsPath} {
		item := func(version ...string) map[string]any {
			body := w.call(t, "member", "GET", path, "", version...).want(t, 200).body
			if list, ok := body["checkpoints"].([]any); ok {
				return list[0].(map[string]any)
			}
			return body["checkpoint"].(map[string]any)
		}
		if diff := cmp.Diff(want, tell(item(v14))); diff != "" {
			t.Errorf("%s: %s", path, diff)
		}
		if diff := cmp.Diff(map[string]any{}, tell(item())); diff != "" {
			t.Errorf("%s in version 1.0: %s", path, diff)
		}
	}
	w.call(t, "manager", "DELETE", one+"/hold", "", v14).want(t, 200)
	w.call(t, "manager", "PUT", one+"/expiry", `{"expires_at": null}`, v14).want(t, 200)
	delete(want, "hold")
	delete(want, "expires_at")
	if diff := cmp.Diff(want, tell(w.call(t, "member", "GET", one, "", v14).want(t, 200).body["checkpoint"].(map[string]any))); diff != "" {
		t.Error(diff)
	}
}

func TestKeepingRequestsThatAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	one := checkpointsPath + "/" + w.checkpoint(t, "member")
	for _, tt := range []struct{ method, path, body, want string }{
		{"PUT", one + "/hold", `{"hold": {}}`, "hold.reason"},
		{"PUT", one + "/hold", `{"hold": {"reason": ""}}`, "hold.reason"},
		{"PUT", one + "/hold", `{"hold": {"reason": "x", "until": "tomorrow"}}`, "hold.until"},
		{"PUT", one + "/expiry", `{}`, "expires_at"},
		{"PUT", one + "/expiry", `{"expires_at": "soon"}`, "expires_at"},
		{"POST", one + "/force_delete", `{"force_delete": {}}`, "force_delete.reason"},
		{"POST", "/plans/" + w.plan(t, "member") + "/retention", `{"retention": {"dry_run": true, "minimum_keep": 3}}`, "all checkpoints stay"},
		{"POST", "/plans/" + w.plan(t, "member") + "/retention", `{"retention": {"max_backups": 0}}`, "retention.max_backups"},
	} {
		w.call(t, "manager", tt.method, tt.path, tt.body, v14).want(t, 400, tt.want)
	}
	if len(w.service.forced)+len(w.service.retentions) > 0 {
		t.Error("a refused request reached the service")
	}
}

func TestACheckpointIsMadeWithADate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	body := `{"checkpoint": {"plan_id": "` + w.plan(t, "member") + `", "expires_at": "2027-01-01T00:00:00Z"}}`
	w.call(t, "member", "POST", checkpointsPath, body).want(t, 400, "checkpoint.expires_at", "1.4")
	a := w.call(t, "member", "POST", checkpointsPath, body, v14).want(t, 200)
	if got := a.str("checkpoint.expires_at"); got != "2027-01-01T00:00:00Z" {
		t.Errorf("it expires at %q", got)
	}
	if at := w.service.protects[0].ExpiresAt; !at.Equal(time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("the service was told %v", at)
	}
}

func TestRetentionTellsOfEachCheckpointWhyItGoesOrStays(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	plan := w.plan(t, "member")
	body := `{"retention": {"max_backups": 7, "retention_duration": 30, "keep_hourly": 1, "keep_daily": 2, "keep_weekly": 3, "keep_monthly": 4,
		"keep_yearly": 5, "minimum_keep": 6, "include_manual": true, "timezone": "Europe/Berlin", "dry_run": true}}`
	a := w.call(t, "member", "POST", "/plans/"+plan+"/retention", body, v14).want(t, 200)
	if gone, size := a.get("retention.gone"), a.get("retention.gone_size"); gone != 1.0 || size != 7.0 {
		t.Errorf("%v go, of %v bytes", gone, size)
	}
	want := protectionservice.RetentionRequest{
		PlanID: plan, DryRun: true,
		Rules: karbor.RetentionRules{
			MaxBackups: 7, RetentionDuration: 30, Timezone: "Europe/Berlin", Manual: true,
			Keep: karbor.KeepRules{Hourly: 1, Daily: 2, Weekly: 3, Monthly: 4, Yearly: 5, Minimum: 6},
		},
	}
	if diff := cmp.Diff([]protectionservice.RetentionRequest{want}, w.service.retentions); diff != "" {
		t.Error(diff)
	}
	if first := a.get("retention.checkpoints").([]any)[0].(map[string]any); first["goes"] != false || first["reasons"].([]any)[0] != "It is the newest good one." {
		t.Errorf("the first is %v", first)
	}
}

func TestADefinitionKeepsItsKeepRules(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	plan, trigger := w.plan(t, "member"), w.trigger(t, "member")
	body := func(more string) string {
		return `{"scheduled_operation": {"name": "nightly", "operation_type": "retention_protect", "trigger_id": "` + trigger +
			`", "operation_definition": {"plan_id": "` + plan + `", "provider_id": "` + provider + `"` + more + `}}}`
	}
	const rules = `, "keep_daily": 7, "keep_monthly": "12", "minimum_keep": 3, "include_manual": true`
	w.call(t, "member", "POST", "/scheduled_operations", body(rules)).want(t, 400, "operation_definition.keep_daily", "1.4")
	w.call(t, "member", "POST", "/scheduled_operations", body(`, "minimum_keep": 3`), v14).want(t, 400, "or a keep rule")
	w.call(t, "member", "POST", "/scheduled_operations", body(`, "keep_weekly": 0`), v14).want(t, 400, "keep_weekly")
	a := w.call(t, "member", "POST", "/scheduled_operations", body(rules), v14).want(t, 200)
	own := map[string]any{"plan_id": plan, "provider_id": provider}
	if diff := cmp.Diff(own, w.call(t, "member", "GET", "/scheduled_operations/"+a.str("scheduled_operation.id"), "").want(t, 200).get("scheduled_operation.operation_definition")); diff != "" {
		t.Errorf("in version 1.0: %s", diff)
	}
	maps.Copy(own, map[string]any{"keep_daily": "7", "keep_monthly": "12", "minimum_keep": "3", "include_manual": "true"})
	if diff := cmp.Diff(own, a.get("scheduled_operation.operation_definition")); diff != "" {
		t.Error(diff)
	}
}

package v1_test

import (
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/karbor/karbor"
)

// scheduleBody asks for a scheduled operation.
func scheduleBody(plan, trigger string) string {
	return `{"scheduled_operation": {"name": "every night", "description": "of the shop", "operation_type": "retention_protect",
	 "trigger_id": "` + trigger + `", "operation_definition": {"plan_id": "` + plan + `", "provider_id": "` + provider + `",
	 "max_backups": 7, "retention_duration": "30"}}}`
}

// scheduled makes a scheduled operation, and gives the ids of it, its plan and its
// trigger.
func (w *world) scheduled(t testing.TB, token string) (id, plan, trigger string) {
	t.Helper()
	plan, trigger = w.plan(t, token), w.trigger(t, token)
	id = w.call(t, token, "POST", "/scheduled_operations", scheduleBody(plan, trigger)).want(t, 200).str("scheduled_operation.id")
	return id, plan, trigger
}

// scheduledItems are the calls of the scheduled operations' routes.
func (w *world) scheduledItems(t *testing.T, token string) []item {
	t.Helper()
	id, plan, trigger := w.scheduled(t, token)
	return []item{
		{method: "POST", path: "/scheduled_operations", body: scheduleBody(plan, trigger), byID: true, writes: true},
		{method: "GET", path: "/scheduled_operations"},
		{method: "GET", path: "/scheduled_operations/" + id, byID: true, crosses: true},
		{method: "GET", path: "/scheduled_operations/" + id + "/runs", byID: true, crosses: true, header: v14},
		{method: "PUT", path: "/scheduled_operations/" + id, body: `{"scheduled_operation": {"enabled": false}}`, byID: true, writes: true, crosses: true, header: v14},
		{method: "POST", path: "/scheduled_operations/" + id + "/action", body: `{"resume": null}`, byID: true, writes: true, crosses: true, header: v14},
		{method: "DELETE", path: "/scheduled_operations/" + id, byID: true, writes: true, crosses: true},
	}
}

func TestAScheduledOperationIsMadeShownAndListed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	plan, trigger := w.plan(t, "member"), w.trigger(t, "member")
	made := w.call(t, "member", "POST", "/scheduled_operations", scheduleBody(plan, trigger)).want(t, 200)
	id := made.str("scheduled_operation.id")
	want := map[string]any{
		"id": id, "name": "every night", "description": "of the shop", "operation_type": "retention_protect", "trigger_id": trigger,
		"operation_definition": map[string]any{"plan_id": plan, "provider_id": provider, "max_backups": "7", "retention_duration": "30"},
		"enabled":              true,
	}
	same(t, map[string]any{"scheduled_operation": want}, made)
	same(t, map[string]any{"scheduled_operation": want}, w.call(t, "reader", "GET", "/scheduled_operations/"+id, "").want(t, 200))
	same(t, map[string]any{"operations": []any{want}}, w.call(t, "reader", "GET", "/scheduled_operations", "").want(t, 200))
	kept, err := w.store.ScheduledOperation(t.Context(), ours, id)
	if err != nil || kept.UserID != "m" {
		t.Errorf("kept is %+v, %v; want it to be the user's", kept, err)
	}
	if a := w.call(t, "member", "DELETE", "/scheduled_operations/"+id, "").want(t, 200); a.text != "" {
		t.Errorf("a delete answers %q", a.text)
	}
	for _, method := range []string{"GET", "DELETE"} {
		w.call(t, "member", method, "/scheduled_operations/"+id, "").want(t, 404, "itemNotFound")
		w.call(t, "member", method, "/scheduled_operations/my-name", "").want(t, 400, "badRequest", "my-name")
	}
	w.call(t, "member", "PUT", "/scheduled_operations/"+id, `{}`).want(t, 405, "badMethod", "DELETE, GET, HEAD")
}

func TestTheDefinitionMayBeAText(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	plan, trigger := w.plan(t, "member"), w.trigger(t, "member")
	for _, text := range []string{
		"plan_id=" + plan + ",provider_id=" + provider,
		" provider_id = " + strings.ToUpper(provider) + " , plan_id = " + plan,
		`\"plan_id\"=\"` + plan + `\",\"provider_id\"=\"` + provider + `\"`,
	} {
		body := `{"scheduled_operation": {"name": "n", "operation_type": "protect", "trigger_id": "` + strings.ToUpper(trigger) + `", "operation_definition": "` + text + `"}}`
		a := w.call(t, "member", "POST", "/scheduled_operations", body).want(t, 200)
		same(t, map[string]any{"scheduled_operation": map[string]any{
			"id": a.get("scheduled_operation.id"), "name": "n", "description": nil, "operation_type": "protect", "trigger_id": trigger, "enabled": true,
			"operation_definition": map[string]any{"plan_id": plan, "provider_id": provider},
		}}, a)
	}
	for text, want := range map[string]string{
		"plan_id=" + plan:                                                            "operation_definition.provider_id",
		"plan_id=nightly,provider_id=" + provider:                                    "operation_definition.plan_id",
		"plan_id=" + plan + ",provider_id=" + provider + ",colour=red":               "colour",
		"plan_id=" + plan + ",plan_id=" + plan + ",provider_id=" + provider:          "twice",
		"plan_id=" + plan + ",provider_id=" + provider + ",max_backups=0":            "operation_definition.max_backups",
		"plan_id=" + plan + ",provider_id=" + provider + ",max_backups=-1":           "operation_definition.max_backups",
		"plan_id=" + plan + ",provider_id=" + provider + ",max_backups=all":          "not a whole number",
		"plan_id=" + plan + ",provider_id=" + provider + ",max_backups=":             "not a whole number",
		"plan_id=" + plan + ",provider_id=" + provider + ",retention_duration=36501": "operation_definition.retention_duration",
		"nonsense": "nonsense",
		"":         "key=value",
	} {
		body := `{"scheduled_operation": {"name": "n", "operation_type": "retention_protect", "trigger_id": "` + trigger + `", "operation_definition": "` + text + `"}}`
		w.call(t, "member", "POST", "/scheduled_operations", body).want(t, 400, "badRequest", "operation_definition", want)
	}
}

func TestScheduledOperationsThatAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	plan, trigger := w.plan(t, "member"), w.trigger(t, "member")
	good := scheduleBody(plan, trigger)
	for _, tt := range []struct{ name, old, new, want string }{
		{"no name", `"name": "every night", `, ``, "scheduled_operation.name. It is required"},
		{"an empty name", `"every night"`, `""`, "scheduled_operation.name"},
		{"a name of spaces", `"every night"`, `" "`, "scheduled_operation.name"},
		{"a long description", `"of the shop"`, `"` + strings.Repeat("d", 256) + `"`, "scheduled_operation.description"},
		{"an unknown type", `"retention_protect"`, `"restore"`, `operation_type. Value: \"restore\"`},
		{"a trigger that is no id", trigger, `nightly`, "scheduled_operation.trigger_id"},
		{"a plan that is no id", plan, `shop`, "operation_definition.plan_id"},
		{"another provider", provider, second, "operation_definition.provider_id: " + second},
		{"no plan", `"plan_id": "` + plan + `", `, ``, "operation_definition.plan_id. It is required"},
		{"an unknown member", `"max_backups"`, `"backups"`, "operation_definition.backups"},
		{"keeping none", `"max_backups": 7`, `"max_backups": 0`, "operation_definition.max_backups"},
		{"keeping less than none", `"max_backups": 7`, `"max_backups": -1`, "operation_definition.max_backups"},
		{"keeping part of one", `"max_backups": 7`, `"max_backups": 1.5`, "operation_definition.max_backups"},
		{"keeping a word", `"max_backups": 7`, `"max_backups": "all"`, "operation_definition.max_backups"},
		{"no days", `"30"`, `"0"`, "operation_definition.retention_duration"},
		{"too many days", `"30"`, `36501`, "operation_definition.retention_duration"},
		{"no definition", `"operation_definition"`, `"definition"`, "operation_definition. It is required"},
		{"a switch of its own", `"description"`, `"enabled": false, "description"`, "scheduled_operation.enabled"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			body := strings.Replace(good, tt.old, tt.new, 1)
			if body == good {
				t.Fatal("the body was not changed")
			}
			w.call(t, "member", "POST", "/scheduled_operations", body).want(t, 400, "badRequest", tt.want)
		})
	}
	// Retention needs something to keep to.
	bare := strings.Replace(good, `,
	 "max_backups": 7, "retention_duration": "30"`, "", 1)
	w.call(t, "member", "POST", "/scheduled_operations", bare).want(t, 400, "max_backups, retention_duration or both")
	w.call(t, "member", "POST", "/scheduled_operations", strings.Replace(bare, "retention_protect", "protect", 1)).want(t, 200)
	// What is not the caller's does not exist.
	for _, body := range []string{
		scheduleBody(unknown, trigger), scheduleBody(plan, unknown),
		scheduleBody(w.plan(t, "stranger"), trigger), scheduleBody(plan, w.trigger(t, "stranger")),
	} {
		for _, token := range []string{"member", "admin"} {
			if a := w.call(t, token, "POST", "/scheduled_operations", body).want(t, 404, "itemNotFound"); strings.Contains(a.text, theirs) {
				t.Errorf("the fault names another project: %s", a.text)
			}
		}
	}
	if n := len(w.call(t, "admin", "GET", "/scheduled_operations?all_tenants=1", "").body["operations"].([]any)); n != 1 {
		t.Errorf("%d are stored, not the one that was accepted", n)
	}
}

func TestWhatAScheduledOperationUsesStays(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, plan, trigger := w.scheduled(t, "member")
	w.call(t, "member", "DELETE", "/triggers/"+trigger, "").want(t, 424, "failedDependency", trigger, "used by a scheduled operation")
	w.call(t, "member", "DELETE", "/plans/"+plan, "").want(t, 424, "failedDependency", plan)
	w.call(t, "member", "GET", "/triggers/"+trigger, "").want(t, 200)
	// A trigger in use may change its times.
	w.call(t, "member", "PUT", "/triggers/"+trigger, triggerBody).want(t, 200)
	w.call(t, "member", "DELETE", "/scheduled_operations/"+id, "").want(t, 200)
	w.call(t, "member", "DELETE", "/triggers/"+trigger, "").want(t, 200)
	w.call(t, "member", "DELETE", "/plans/"+plan, "").want(t, 200)
}

func TestATriggerIsNotDeletedUnderANewOperation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for range 10 {
		plan, trigger := w.plan(t, "member"), w.trigger(t, "member")
		var made, deleted answer
		var wg sync.WaitGroup
		wg.Go(func() { made = w.call(t, "member", "POST", "/scheduled_operations", scheduleBody(plan, trigger)) })
		wg.Go(func() { deleted = w.call(t, "member", "DELETE", "/triggers/"+trigger, "") })
		wg.Wait()
		if !(made.status == 200 && deleted.status == 424 || made.status == 404 && deleted.status == 200) {
			t.Errorf("made: %d %s, deleted: %d %s", made.status, made.text, deleted.status, deleted.text)
		}
	}
}

func TestFiltersAndPagesOfScheduledOperations(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var plan, trigger string
	for range 5 {
		_, plan, trigger = w.scheduled(t, "member")
	}
	foreign, _, _ := w.scheduled(t, "stranger")
	body := strings.Replace(strings.Replace(scheduleBody(plan, trigger), "every night", "Weekly", 1), "7,", "9,", 1)
	id := w.call(t, "member", "POST", "/scheduled_operations", strings.Replace(body, "retention_protect", "protect", 1)).want(t, 200).str("scheduled_operation.id")
	w.pageThrough(t, "/scheduled_operations", "operations", 6)
	for query, want := range map[string]int{
		"name=week": 1, "name=NIGHT": 5, "operation_type=protect": 1, "operation_type=x": 0, "trigger_id=" + trigger: 2,
		"operation_definition=" + url.QueryEscape("plan_id="+plan):        2,
		"operation_definition=" + url.QueryEscape("max_backups=9"):        1,
		"operation_definition=" + url.QueryEscape(`{"max_backups": "7"}`): 5,
		"operation_definition=" + plan:                                    2,
		"operation_definition=" + karbor.NewID():                          0,
	} {
		if got := len(w.call(t, "member", "GET", "/scheduled_operations?"+query, "").want(t, 200).body["operations"].([]any)); got != want {
			t.Errorf("%s gives %d, want %d", query, got, want)
		}
	}
	all := w.call(t, "admin", "GET", "/scheduled_operations?all_tenants=1&project_id="+theirs, "").want(t, 200)
	if !strings.Contains(all.text, foreign) || strings.Contains(all.text, id) {
		t.Errorf("those of one project: %s", all.text)
	}
}

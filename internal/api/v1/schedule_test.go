package v1_test

import (
	"strings"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
)

// shown shows a scheduled operation as microversion 1.4 does.
func (w *world) shown(t *testing.T, id string) answer {
	t.Helper()
	return w.call(t, "reader", "GET", "/scheduled_operations/"+id, "", v14).want(t, 200)
}

func TestAScheduledOperationSaysWhenItRunsAndAsWhom(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, _, _ := w.scheduled(t, "member")
	a := w.shown(t, id)
	for path, want := range map[string]any{
		"state": "waiting", "state_reason": nil, "next_run_at": "2026-12-01T02:00:00Z", "paused_until": nil, "overlap": "skip", "user_id": "m",
		"delegation.type": "trust", "delegation.state": "good", "delegation.expires_at": nil,
	} {
		if got := a.get("scheduled_operation." + path); got != want {
			t.Errorf("%s is %v, want %v", path, got, want)
		}
	}
	if lent, _ := w.service.lendings(); len(lent) != 1 || lent[0] != "m "+id {
		t.Errorf("lent are %v", lent)
	}
	old := w.call(t, "reader", "GET", "/scheduled_operations/"+id, "", v13).want(t, 200)
	for _, member := range []string{"state", "delegation", "overlap", "next_run_at"} {
		if old.get("scheduled_operation."+member) != nil {
			t.Errorf("1.3 shows %s", member)
		}
	}
}

func TestAScheduledOperationIsNotMadeWithoutADelegation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	plan, trigger := w.plan(t, "member"), w.trigger(t, "member")
	w.service.unwilling = karbor.Errorf(karbor.Forbidden, "register an application credential")
	w.call(t, "member", "POST", "/scheduled_operations", scheduleBody(plan, trigger)).want(t, 403, "register an application credential")
	w.service.unwilling = nil
	// One that could not be kept gives back what was lent to it.
	w.call(t, "member", "POST", "/scheduled_operations", scheduleBody(unknown, trigger)).want(t, 404)
	if lent, returned := w.service.lendings(); len(lent) != 1 || len(returned) != 1 || lent[0] != returned[0] {
		t.Errorf("lent %v, returned %v", lent, returned)
	}
	if a := w.call(t, "member", "GET", "/scheduled_operations", "").want(t, 200); len(a.get("operations").([]any)) != 0 {
		t.Errorf("there are %s", a.text)
	}
}

func TestAScheduledOperationIsChangedInPart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, plan, trigger := w.scheduled(t, "member")
	put := func(body string) answer {
		return w.call(t, "member", "PUT", "/scheduled_operations/"+id, `{"scheduled_operation": `+body+`}`, v14)
	}
	a := put(`{"name": "weekly", "description": null, "overlap": "queue"}`).want(t, 200)
	for path, want := range map[string]any{"name": "weekly", "description": nil, "overlap": "queue", "trigger_id": trigger, "enabled": true,
		"operation_definition.max_backups": "7"} {
		if got := a.get("scheduled_operation." + path); got != want {
			t.Errorf("%s is %v, want %v", path, got, want)
		}
	}
	if lent, _ := w.service.lendings(); len(lent) != 1 {
		t.Errorf("a new name needs no new delegation: %v", lent)
	}
	a = put(`{"enabled": false}`).want(t, 200)
	if a.get("scheduled_operation.state") != "disabled" || a.get("scheduled_operation.next_run_at") != nil {
		t.Errorf("disabled it is %s", a.text)
	}
	put(`{"enabled": true}`).want(t, 200, `"state":"waiting"`)
	put(`{"operation_definition": {"plan_id": "`+plan+`", "provider_id": "`+provider+`"}}`).want(t, 400, "needs max_backups")
	put(`{"operation_definition": {"plan_id": "`+plan+`", "provider_id": "`+provider+`", "max_backups": 3}}`).want(t, 200, `"max_backups":"3"`)
	put(`{"trigger_id": "`+unknown+`"}`).want(t, 404)
	put(`{"name": " "}`).want(t, 400)
	put(`{"operation_type": "protect"}`).want(t, 400)
	if lent, returned := w.service.lendings(); len(lent) != 3 || len(returned) != 1 {
		t.Errorf("lent %v, returned %v", lent, returned)
	}
}

// Nobody has others' rights do what those have not asked for.
func TestWhoChangesWhatIsDoneIsAsWhomItIsDone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, plan, _ := w.scheduled(t, "member")
	put := func(token, body string) answer {
		return w.call(t, token, "PUT", "/scheduled_operations/"+id, `{"scheduled_operation": `+body+`}`, v14)
	}
	put("admin", `{"enabled": false}`).want(t, 200, `"user_id":"m"`)
	put("admin", `{"enabled": true}`).want(t, 200, `"user_id":"m"`)
	put("manager", `{"operation_definition": {"plan_id": "`+plan+`", "provider_id": "`+provider+`", "max_backups": 1}}`).want(t, 200, `"user_id":"g"`)
	put("member", `{"renew": true}`).want(t, 200, `"user_id":"m"`)
	// A broken delegation is renewed by whatever change.
	schedule, err := w.store.DueProbes(t.Context(), time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2100, 1, 2, 0, 0, 0, 0, time.UTC), 10)
	if err != nil || len(schedule) != 1 {
		t.Fatalf("%v, %v", schedule, err)
	}
	if err := w.store.NoteDelegation(t.Context(), schedule[0], karbor.DelegationBroken, "the user is gone", time.Now()); err != nil {
		t.Fatal(err)
	}
	if a := w.shown(t, id); a.get("scheduled_operation.state") != "broken" || !strings.Contains(a.text, "the user is gone") {
		t.Errorf("it is shown as %s", a.text)
	}
	put("admin", `{"name": "n"}`).want(t, 200, `"user_id":"a"`, `"state":"waiting"`)
}

func TestAScheduledOperationIsPausedRunAndSkipped(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, _, _ := w.scheduled(t, "member")
	act := func(body string) answer {
		return w.call(t, "member", "POST", "/scheduled_operations/"+id+"/action", body, v14)
	}
	act(`{"pause": {"until": "2026-12-10T12:00:00+01:00"}}`).want(t, 200, `"state":"paused"`, `"paused_until":"2026-12-10T11:00:00Z"`, `"next_run_at":"2026-12-11T02:00:00Z"`)
	act(`{"resume": null}`).want(t, 200, `"state":"waiting"`, `"next_run_at":"2026-12-01T02:00:00Z"`)
	act(`{"pause": {"until": "2026-01-01T00:00:00Z"}}`).want(t, 400, "future")
	act(`{"skip": {}}`).want(t, 200, `"state":"skipped"`, `"expected_at":"2026-12-01T02:00:00Z"`, "skipped by m")
	if got := w.shown(t, id).get("scheduled_operation.next_run_at"); got != "2026-12-02T02:00:00Z" {
		t.Errorf("after the skip the next is %v", got)
	}
	act(`{"run": null}`).want(t, 200, `"state":"queued"`, `"manual":true`)
	act(`{"run": null}`).want(t, 409, "not over")
	act(`{"run": null, "skip": null}`).want(t, 400)
	act(`{"dance": null}`).want(t, 400)
	a := w.call(t, "reader", "GET", "/scheduled_operations/"+id+"/runs", "", v14).want(t, 200)
	if n := len(a.get("runs").([]any)); n != 2 {
		t.Errorf("there are %d runs: %s", n, a.text)
	}
	if contains(a.text, `"operations"`) {
		t.Errorf("version 1.4 shows operations: %s", a.text)
	}
	w.call(t, "reader", "GET", "/scheduled_operations/"+id+"/runs", "", v15).want(t, 200, `"operations":[]`)
}

func TestARunThatNobodyMadeShowsAsMissed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, _, _ := w.scheduled(t, "member")
	// As if nothing had run since yesterday.
	if _, err := w.store.UpdateSchedule(t.Context(), ours, id, nil, func(*store.ScheduleChange) error { return nil }); err != nil {
		t.Fatal(err)
	}
	for range 11 * 24 * 3600 {
		w.service.now()
	}
	if a := w.shown(t, id); a.get("scheduled_operation.state") != "missed" || !strings.Contains(a.text, "no operation engine") {
		t.Errorf("it is shown as %s", a.text)
	}
}

func TestATriggerTellsItsNextTimes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.trigger(t, "member")
	a := w.call(t, "reader", "GET", "/triggers/"+id+"?next=2", "", v14).want(t, 200)
	same(t, map[string]any{"r": []any{"2026-12-01T02:00:00Z", "2026-12-02T02:00:00Z"}}, answer{body: map[string]any{"r": a.get("trigger_info.next_runs")}})
	for _, next := range []string{"0", "101", "many", "-1"} {
		w.call(t, "reader", "GET", "/triggers/"+id+"?next="+next, "", v14).want(t, 400, "next")
	}
	if got := w.call(t, "reader", "GET", "/triggers/"+id+"?next=2", "").want(t, 200).get("trigger_info.next_runs"); got != nil {
		t.Errorf("1.0 gives %v", got)
	}
	check := func(properties string, headers ...string) answer {
		return w.call(t, "member", "POST", "/triggers/check", `{"next": 2, "trigger_info": {"properties": `+properties+`}}`, headers...)
	}
	check(`{"format": "crontab", "pattern": "0 3 * * *", "timezone": "Europe/Berlin"}`, v14).want(t, 200, `["2026-11-21T02:00:00Z","2026-11-22T02:00:00Z"]`)
	check(`{"format": "crontab", "pattern": "0 0 30 2 *"}`, v14).want(t, 400, "no run")
	check(`{"format": "crontab", "pattern": "0 0 * * *", "timezone": "Europe/Atlantis"}`, v14).want(t, 400, "Atlantis")
	check(`{"format": "crontab", "pattern": "0 0 * * *", "jitter": 901}`, v14).want(t, 400, "jitter")
	check(`{"format": "crontab", "pattern": "0 0 * * *"}`, v13).want(t, 405, "DELETE, GET, HEAD, PUT")
}

func TestTheZoneAndTheJitterOfATriggerCameLater(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	body := `{"trigger_info": {"name": "n", "type": "time", "properties": {"format": "crontab", "pattern": "0 3 * * *", "timezone": "Europe/Berlin", "jitter": 600}}}`
	w.call(t, "member", "POST", "/triggers", body, v13).want(t, 400, "1.4")
	a := w.call(t, "member", "POST", "/triggers", body, v14).want(t, 200, `"timezone":"Europe/Berlin"`, `"jitter":"600"`)
	if old := w.call(t, "member", "GET", "/triggers/"+a.str("trigger_info.id"), "").want(t, 200); strings.Contains(old.text, "Berlin") || strings.Contains(old.text, "jitter") {
		t.Errorf("1.0 shows %s", old.text)
	}
}

func TestAnOlderRequestLeavesTheZoneAndTheJitterOfATrigger(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	body := func(properties string) string {
		return `{"trigger_info": {"name": "n", "type": "time", "properties": {"format": "crontab", ` + properties + `}}}`
	}
	path := "/triggers/" + w.call(t, "member", "POST", "/triggers",
		body(`"pattern": "0 3 * * *", "window": 1800, "timezone": "Europe/Berlin", "jitter": 1200`), v14).want(t, 200).str("trigger_info.id")
	for _, old := range []string{`"pattern": "0 4 * * *", "window": 1800`, `"pattern": "0 4 * * *"`} {
		a := w.call(t, "member", "PUT", path, body(old)).want(t, 200)
		if strings.Contains(a.text, "Berlin") || strings.Contains(a.text, "jitter") {
			t.Errorf("1.0 shows %s", a.text)
		}
		// It can't know that the jitter is longer than the window that it asks for.
		jitter := "1200"
		if !strings.Contains(old, "window") {
			jitter = "900"
		}
		a = w.call(t, "member", "GET", path+"?next=1", "", v14).want(t, 200, `"pattern":"0 4 * * *"`, `"timezone":"Europe/Berlin"`, `"jitter":"`+jitter+`"`)
		same(t, map[string]any{"r": []any{"2026-11-21T03:00:00Z"}}, answer{body: map[string]any{"r": a.get("trigger_info.next_runs")}})
	}
	// A new request still replaces all of them.
	if a := w.call(t, "member", "PUT", path, body(`"pattern": "0 4 * * *"`), v14).want(t, 200); strings.Contains(a.text, "Berlin") || strings.Contains(a.text, "jitter") {
		t.Errorf("1.4 keeps %s", a.text)
	}
}

func TestAnOlderRequestKnowsNoZoneAndNoJitter(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	path := "/triggers/" + w.trigger(t, "member")
	for _, member := range []string{`"timezone": ""`, `"timezone": "UTC"`, `"jitter": 0`, `"jitter": "0"`, `"jitter": 60`} {
		body := `{"trigger_info": {"name": "n", "type": "time", "properties": {"format": "crontab", "pattern": "0 3 * * *", ` + member + `}}}`
		w.call(t, "member", "POST", "/triggers", body, v13).want(t, 400, "badRequest", "1.4")
		w.call(t, "member", "PUT", path, body, v13).want(t, 400, "badRequest", "1.4")
		w.call(t, "member", "PUT", path, body, v14).want(t, 200)
	}
}

package v1_test

import (
	"database/sql"
	"errors"
	"testing"

	_ "modernc.org/sqlite"
)

// spoil changes the database behind the store's back.
func (w *world) spoil(t *testing.T, query string) {
	t.Helper()
	db, err := sql.Open("sqlite", w.service.path+"?_pragma=busy_timeout(10000)")
	if err == nil {
		_, err = db.ExecContext(t.Context(), query)
		err = errors.Join(err, db.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestAnUnreadableScheduledOperationIsListedWithTheOthers(t *testing.T) {
	w := newWorld(t)
	plan, trigger := w.plan(t, "member"), w.trigger(t, "member")
	schedule := func(name string) string {
		return w.call(t, "member", "POST", "/scheduled_operations", `{"scheduled_operation": {"name": "`+name+`", "operation_type": "protect", "trigger_id": "`+
			trigger+`", "operation_definition": {"provider_id": "`+provider+`", "plan_id": "`+plan+`"}}}`).want(t, 200).str("scheduled_operation.id")
	}
	bad, good := schedule("bad"), schedule("good")
	w.spoil(t, `UPDATE scheduled_operations SET operation_definition = '{' WHERE id = '`+bad+`'`)
	const state = `"state":"broken","state_reason":"Its operation_definition can't be read.`
	for _, version := range []string{v10, v15, v16} {
		w.call(t, "member", "GET", "/scheduled_operations", "", version).want(t, 200, bad, good)
		w.call(t, "member", "GET", "/scheduled_operations/"+bad, "", version).want(t, 200, bad, plan)
	}
	w.call(t, "member", "GET", "/scheduled_operations/"+bad, "", v15).want(t, 200, state)
	w.call(t, "member", "GET", "/scheduled_operations/"+good, "", v15).want(t, 200, `"state":"waiting"`)
	one := "/scheduled_operations/" + bad
	w.call(t, "member", "PUT", one, `{"scheduled_operation": {"name": "new"}}`, v15).want(t, 409, "can't be read")
	w.call(t, "member", "PUT", one, `{"scheduled_operation": {"operation_definition": {"provider_id": "`+provider+`", "plan_id": "`+plan+`"}}}`, v15).
		want(t, 200, `"state":"waiting"`)
	w.spoil(t, `UPDATE scheduled_operations SET operation_definition = '[]' WHERE id = '`+bad+`'`)
	w.call(t, "member", "DELETE", one, "").want(t, 200)
}

func TestAnUnreadableTriggerIsListedWithTheOthers(t *testing.T) {
	w := newWorld(t)
	plan, bad, good := w.plan(t, "member"), w.trigger(t, "member"), w.trigger(t, "member")
	made := w.call(t, "member", "POST", "/scheduled_operations", `{"scheduled_operation": {"name": "x", "operation_type": "protect", "trigger_id": "`+
		bad+`", "operation_definition": {"provider_id": "`+provider+`", "plan_id": "`+plan+`"}}}`).want(t, 200)
	w.spoil(t, `UPDATE triggers SET properties = '{"window": []}' WHERE id = '`+bad+`'`)
	for _, version := range []string{v10, v15, v16} {
		w.call(t, "member", "GET", "/triggers", "", version).want(t, 200, bad, good)
	}
	w.call(t, "member", "GET", "/triggers/"+bad+"?next=3", "", v16).want(t, 200, "Its properties can't be read")
	if a := w.call(t, "member", "GET", "/triggers", "", v15).want(t, 200); contains(a.text, "fault") {
		t.Errorf("version 1.5 has the fault: %s", a.text)
	}
	// What never fires is not finished.
	w.spoil(t, `UPDATE schedules SET next_at = NULL, due_at = NULL`)
	one := "/scheduled_operations/" + made.str("scheduled_operation.id")
	w.call(t, "member", "GET", one, "", v15).want(t, 200, `"state":"broken","state_reason":"Its trigger can't be read.`)
	w.call(t, "member", "PUT", "/triggers/"+bad, `{"trigger_info": {"properties": {"format": "crontab", "pattern": "0 2 * * *"}}}`, v16).want(t, 200)
	w.call(t, "member", "GET", one, "", v15).want(t, 200, `"state":"waiting"`)
	w.spoil(t, `UPDATE triggers SET properties = '[]' WHERE id = '`+good+`'`)
	w.call(t, "member", "DELETE", "/triggers/"+good, "").want(t, 200)
}

package v1_test

import "testing"

func TestAnotherUsersChangeOfAPlanOrTriggerEndsWhatWasLent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	change := func(token, path, body string) { w.call(t, token, "PUT", path, body).want(t, 200) }
	const (
		hourly    = `{"trigger_info": {"properties": {"format": "crontab", "pattern": "0 * * * *"}}}`
		nightly   = `{"trigger_info": {"properties": {"format": "crontab", "pattern": "0 3 * * *"}}}`
		resources = `{"plan": {"status": "suspended", "resources": [{"type": "OS::Cinder::Volume", "id": "` + unknown + `", "name": "x"}]}}`
	)
	for name, test := range map[string]func(plan, trigger string){
		"trigger": func(_, trigger string) { change("manager", "/triggers/"+trigger, nightly) },
		"plan":    func(plan, _ string) { change("admin", "/plans/"+plan, resources) },
	} {
		id, plan, trigger := w.scheduled(t, "member")
		change("member", "/triggers/"+trigger, hourly)
		change("manager", "/plans/"+plan, `{"plan": {"status": "suspended", "name": "renamed"}}`)
		if a := w.shown(t, id); a.get("scheduled_operation.delegation.state") != "good" {
			t.Errorf("%s: before, it is %s", name, a.text)
		}
		test(plan, trigger)
		w.shown(t, id).want(t, 200, `"state":"broken"`, "was changed by another user", `"user_id":"m"`)
		// Whoever updates it lends it their own rights.
		w.call(t, "manager", "PUT", "/scheduled_operations/"+id, `{"scheduled_operation": {"enabled": true}}`, v14).want(t, 200, `"state":"waiting"`, `"user_id":"g"`)
	}
}

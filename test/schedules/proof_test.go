package schedules

import (
	"testing"
	"time"
)

// operations gives those of the newest run of a scheduled operation.
func (s *site) operations(id string) (out []map[string]any) {
	s.t.Helper()
	runs, _ := s.call("GET", "/scheduled_operations/"+id+"/runs", nil)["runs"].([]any)
	if len(runs) == 0 {
		s.t.Fatal("there is no run")
	}
	newest, _ := runs[0].(map[string]any)
	all, _ := newest["operations"].([]any)
	for _, o := range all {
		one, _ := o.(map[string]any)
		out = append(out, one)
	}
	return out
}

// schedule makes a scheduled operation of a type, with members of its definition, and
// gives its id.
func (s *site) schedule(kind, trigger string, definition map[string]any) string {
	s.t.Helper()
	definition["provider_id"] = providerID
	return made(s.call("POST", "/scheduled_operations", map[string]any{"scheduled_operation": map[string]any{
		"name": kind, "operation_type": kind, "trigger_id": trigger, "operation_definition": definition,
	}}), "scheduled_operation")
}

// soon has a trigger fire soon, when the tokens that there are have ended, and gives the
// time before.
func (s *site) soon(trigger string) time.Time {
	s.t.Helper()
	from := time.Now()
	s.call("PUT", "/triggers/"+trigger, map[string]any{"trigger_info": map[string]any{"properties": in(2 * time.Second)}})
	s.clock.ahead.Add(int64(2 * tokenLife))
	s.login()
	return from
}

//karbor:tries protect,verify,copy of volumeglance
func TestSchedulesVerifyAndCopyWhatSchedulesProtect(t *testing.T) {
	s := openSite(t, "karbor-volume-glance-plugin", "copies: [{name: far, bank: {plugin: karbor-file-bank, options: {path: DIR/far}}}]\n")
	plan := s.plan()
	trigger := func(name string) string {
		return made(s.call("POST", "/triggers", map[string]any{"trigger_info": map[string]any{
			"name": name, "type": "time", "properties": in(time.Hour),
		}}), "trigger_info")
	}
	nightly, daily, weekly := trigger("nightly"), trigger("daily"), trigger("weekly")
	protect := s.schedule("protect", nightly, map[string]any{"plan_id": plan})
	var checkpoints []string
	for range 2 {
		checkpoints = append(checkpoints, s.until(protect, s.soon(nightly), "success"))
	}
	copying := s.schedule("copy", daily, map[string]any{"plan_id": plan, "targets": []any{"far"}})
	s.until(copying, s.soon(daily), "success")
	copied := s.operations(copying)
	if len(copied) != 1 || copied[0]["state"] != "success" {
		t.Fatalf("the copy's run has %v", copied)
	}
	id, _ := copied[0]["id"].(string)
	shown, _ := s.call("GET", "/providers/"+providerID+"/copies/"+id, nil)["copy"].(map[string]any)
	if list, _ := shown["checkpoint_id"].([]any); len(list) != 2 || shown["status"] != "finished" {
		t.Errorf("the copy is %v", shown)
	}
	// What is copied already is no fault.
	s.until(copying, s.soon(daily), "success")
	if got := s.operations(copying); len(got) != 0 {
		t.Errorf("with nothing to copy the run has %v", got)
	}
	verify := s.schedule("verify", weekly, map[string]any{"plan_id": plan, "order": "newest", "share": 50, "depth": "stored"})
	s.until(verify, s.soon(weekly), "success")
	// Two of four: two checkpoints, and a copy of each.
	verified := s.operations(verify)
	if len(verified) != 2 {
		t.Fatalf("the verify's run has %v", verified)
	}
	for _, v := range verified {
		id, _ := v["id"].(string)
		one, _ := s.call("GET", "/verifications/"+id, nil)["verification"].(map[string]any)
		checkpoint, _ := v["checkpoint_id"].(string)
		if one["status"] != "success" || one["checkpoint_id"] != checkpoint {
			t.Errorf("the verification of %s is %v", checkpoint, one)
		}
		cp, _ := s.call("GET", "/providers/"+providerID+"/checkpoints/"+checkpoint, nil)["checkpoint"].(map[string]any)
		if checkpoint != checkpoints[1] && cp["copy_of"] != checkpoints[1] {
			t.Errorf("verified was %v, want the newest, %s, or its copy", cp, checkpoints[1])
		}
		if last, _ := cp["last_verified"].(map[string]any); last["depth"] != "stored" || last["result"] != "success" {
			t.Errorf("checkpoint %s was last verified %v", checkpoint, cp["last_verified"])
		}
		log, _ := s.call("GET", "/operation_logs/"+id, nil)["operation_log"].(map[string]any)
		if log["scheduled_operation_id"] != verify {
			t.Errorf("the log of the verification is %v", log)
		}
	}
}

func TestAScheduleDrillsTheNewestCheckpoint(t *testing.T) {
	s := openSite(t, "karbor-volume-glance-plugin", "")
	plan := s.plan()
	trigger := made(s.call("POST", "/triggers", map[string]any{"trigger_info": map[string]any{
		"name": "t", "type": "time", "properties": in(time.Hour),
	}}), "trigger_info")
	checkpoint := s.until(s.schedule("protect", trigger, map[string]any{"plan_id": plan}), s.soon(trigger), "success")
	id := s.schedule("drill", trigger, map[string]any{"probes": map[string]any{"active": map[string]any{}, "volume": map[string]any{}}})
	// The trigger is the protect's, too: what is drilled is the newest of its checkpoints that is
	// there by then.
	s.until(id, s.soon(trigger), "success")
	drilled := s.operations(id)
	if len(drilled) != 1 {
		t.Fatalf("the run has %v", drilled)
	}
	drill, _ := drilled[0]["id"].(string)
	shown, _ := s.call("GET", "/drills/"+drill, nil)["drill"].(map[string]any)
	if shown["verdict"] != "passed" || shown["checkpoint_id"] != drilled[0]["checkpoint_id"] {
		t.Errorf("the drill of %s is %v", checkpoint, shown)
	}
}

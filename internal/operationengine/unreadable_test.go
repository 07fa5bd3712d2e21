package operationengine

import (
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
)

func TestAnUnreadableScheduleKeepsNoOtherFromBeginning(t *testing.T) {
	s := newSite(t, midnight)
	bad, good := s.schedule(t, "p", hourly), s.schedule(t, "p", hourly)
	s.exec(t, "UPDATE scheduled_operations SET operation_definition = '{' WHERE id = '"+bad.ID+"'")
	s.advance(hour)
	immortal(s, "a").step(t.Context())
	s.want(t, bad, karbor.RunError, "its scheduled operation can't be read; update it with another definition, or delete it")
	s.want(t, good, karbor.RunRunning, "")
}

func TestAnUnreadableDelegationKeepsNoOtherFromBeginning(t *testing.T) {
	s := newSite(t, midnight)
	bad, good := s.schedule(t, "p", hourly), s.schedule(t, "p", hourly)
	s.exec(t, "UPDATE schedules SET delegation = '?' WHERE scheduled_operation_id = '"+bad.ID+"'")
	n := immortal(s, "a")
	s.advance(hour)
	n.step(t.Context())
	s.want(t, bad, karbor.RunError, "its scheduled operation can't be read; update it with another definition, or delete it")
	s.want(t, good, karbor.RunRunning, "")
	// It is found when the delegations are tried, and is given back with the others.
	s.broken[""] = true
	s.advance(2 * time.Hour)
	n.step(t.Context())
	if v := s.scheduleOf(t, bad); v.DelegationState != karbor.DelegationBroken {
		t.Errorf("an unreadable delegation is %s", v.DelegationState)
	}
	if v := s.scheduleOf(t, good); v.DelegationState != karbor.DelegationGood || v.ProbedAt.Before(midnight.Add(time.Hour)) {
		t.Errorf("the other one is %+v", v)
	}
	for _, o := range []karbor.ScheduledOperation{bad, good} {
		if err := s.store.DeleteScheduledOperation(t.Context(), "p", o.ID); err != nil {
			t.Fatal(err)
		}
	}
	s.finish(t, nil)
	for range 2 {
		n.step(t.Context())
	}
	if left, err := s.store.ReturnedDelegations(t.Context(), s.now(), 10); err != nil || len(left) != 0 {
		t.Errorf("still to be given back are %v, %v", left, err)
	}
}

func TestAnUnreadableScheduleKeepsNoOtherFromItsEnd(t *testing.T) {
	s := newSite(t, midnight)
	bad, good := s.schedule(t, "p", hourly), s.schedule(t, "p", hourly)
	s.exec(t, "UPDATE scheduled_operations SET operation_type = 'retention_protect'")
	n := immortal(s, "a")
	s.advance(hour)
	n.step(t.Context())
	s.exec(t, "UPDATE scheduled_operations SET operation_definition = '{' WHERE id = '"+bad.ID+"'")
	s.finish(t, nil)
	n.step(t.Context())
	s.want(t, bad, karbor.RunError, "its scheduled operation can't be read; update it with another definition, or delete it")
	s.want(t, good, karbor.RunSuccess, "One is deleted.")
}

func TestWhatAProcessLeftThatDiedIsLookedForUntilKeystoneAnswers(t *testing.T) {
	s := newSite(t, midnight)
	n := immortal(s, "a")
	if err := s.store.BeginLending(t.Context(), store.Lending{ID: "left", ProjectID: "p", UserID: "u", End: midnight}); err != nil {
		t.Fatal(err)
	}
	n.step(t.Context())
	if len(s.reclaimed) != 0 {
		t.Error("it was looked for while its request may still be under way")
	}
	s.advance(time.Hour)
	s.away.Store(s.now().Add(time.Minute).UnixNano())
	n.step(t.Context())
	s.advance(6 * time.Minute)
	for range 2 {
		n.step(t.Context())
	}
	if len(s.reclaimed) != 1 || s.reclaimed[0] != "left" {
		t.Errorf("looked for were %v", s.reclaimed)
	}
}

func TestAnUnreadableDefinitionIsShownAndCanBeReplaced(t *testing.T) {
	s := newSite(t, midnight)
	bad, good := s.schedule(t, "p", hourly), s.schedule(t, "p", hourly)
	s.exec(t, `UPDATE scheduled_operations SET operation_definition = '{"max_backups": {}}' WHERE id = '`+bad.ID+"'")
	all, err := s.store.ScheduledOperations(t.Context(), store.ScheduledOperationFilter{ProjectID: "p"}, store.Page{})
	if err != nil || len(all) != 2 {
		t.Fatalf("listed are %v, %v", all, err)
	}
	for _, o := range all {
		if (o.Fault != "") != (o.ID == bad.ID) || o.Definition.PlanID == "" {
			t.Errorf("listed is %+v", o)
		}
	}
	rename := func(c *store.ScheduleChange) error { c.Name = "new"; return nil }
	if _, err := s.store.UpdateSchedule(t.Context(), "p", bad.ID, nil, rename); karbor.KindOf(err) != karbor.Conflict {
		t.Errorf("renaming it: %v", err)
	}
	if _, err := s.store.UpdateSchedule(t.Context(), "p", bad.ID, nil, func(c *store.ScheduleChange) error {
		c.Definition, c.Fault = bad.Definition, ""
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	s.advance(hour)
	immortal(s, "a").step(t.Context())
	s.want(t, bad, karbor.RunRunning, "")
	s.want(t, good, karbor.RunRunning, "")
}

func TestAnUnreadableTriggerIsShownAndCanBeReplaced(t *testing.T) {
	s := newSite(t, midnight)
	bad, good := s.schedule(t, "p", hourly), s.schedule(t, "p", hourly)
	s.exec(t, `UPDATE triggers SET properties = '{"pattern": 1}' WHERE id = '`+bad.TriggerID+"'")
	all, err := s.store.Triggers(t.Context(), store.TriggerFilter{ProjectID: "p"}, store.Page{})
	if err != nil || len(all) != 2 {
		t.Fatalf("listed are %v, %v", all, err)
	}
	for _, g := range all {
		if (g.Fault != "") != (g.ID == bad.TriggerID) {
			t.Errorf("listed is %+v", g)
		}
	}
	n := immortal(s, "a")
	s.advance(hour)
	n.step(t.Context())
	s.want(t, bad, karbor.RunDropped, "its trigger can't be read")
	s.want(t, good, karbor.RunRunning, "")
	found, err := s.store.UnreadableTriggers(t.Context(), []string{bad.TriggerID, good.TriggerID, "none"})
	if err != nil || len(found) != 1 || !found[bad.TriggerID] {
		t.Errorf("unreadable are %v, %v", found, err)
	}
	// Nobody can use it; its name can be changed, and leaves what can't be read as it is.
	o := karbor.ScheduledOperation{ID: karbor.NewID(), ProjectID: "p", UserID: "u", Name: "o", OperationType: karbor.ScheduledProtect,
		TriggerID: bad.TriggerID, Definition: bad.Definition, Enabled: true}
	if err := s.store.CreateSchedule(t.Context(), o, karbor.OverlapSkip, nil); karbor.KindOf(err) != karbor.Conflict {
		t.Errorf("using it: %v", err)
	}
	if g, err := s.store.UpdateTrigger(t.Context(), "p", bad.TriggerID, "u", func(g *karbor.Trigger) error { g.Name = "new"; return nil }); err != nil || g.Fault == "" {
		t.Errorf("renamed it is %+v, %v", g, err)
	}
	whole, err := s.store.Trigger(t.Context(), "p", good.TriggerID)
	if err != nil {
		t.Fatal(err)
	}
	g, err := s.store.UpdateTrigger(t.Context(), "p", bad.TriggerID, "u", func(g *karbor.Trigger) error { g.Properties = whole.Properties; return nil })
	if err != nil || g.Fault != "" || g.Name != "new" {
		t.Fatalf("replaced it is %+v, %v", g, err)
	}
	s.finish(t, nil)
	s.advance(time.Hour)
	n.step(t.Context())
	s.want(t, bad, karbor.RunRunning, "")
}

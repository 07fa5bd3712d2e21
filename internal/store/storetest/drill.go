package storetest

import (
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
)

// newDrill gives the acceptance of a drill of a checkpoint.
func newDrill(c karbor.Checkpoint) store.Acceptance {
	a := Acceptance(karbor.DrillOperation, c)
	now := nextDate()
	a.Drill = &karbor.Drill{
		ID: a.Operation.ID, ProjectID: c.ProjectID, ProviderID: c.ProviderID, CheckpointID: c.ID, PlanID: c.Plan.ID,
		Probes: karbor.DefaultDrillProbes(), Mapping: map[string]any{"flavors": map[string]any{"*": "small"}},
		Status: karbor.DrillRunning, CreatedAt: now, UpdatedAt: now,
	}
	a.DrillLimit = -1
	a.CheckpointFrom = []karbor.CheckpointStatus{karbor.CheckpointAvailable}
	return a
}

// drilled is an outcome of a drill.
func drilled(verdict karbor.DrillVerdict) store.Outcome {
	return store.Outcome{LogStatus: karbor.LogSuccess, Drilled: &store.Drilled{
		Status: karbor.DrillFinished, Verdict: verdict, Reason: "why", Recovery: 90 * time.Second,
		Resources: map[string]karbor.DrilledResource{"OS::Nova::Server#1": {Verdict: verdict, RecoveryMS: 90_000}},
		Evidence:  json.RawMessage(`{"a":1}`),
	}}
}

func testDrills(t *testing.T, s *store.Store) {
	ctx := t.Context()
	c := available(t, s, "project")
	a := newDrill(c)
	must(t, s.Accept(ctx, a))
	got, err := s.Drill(ctx, "project", a.Drill.ID)
	must(t, err)
	same(t, *a.Drill, got)
	_, err = s.Drill(ctx, "other", a.Drill.ID)
	wantKind(t, err, karbor.NotFound)
	wantKind(t, s.DeleteDrill(ctx, "project", a.Drill.ID), karbor.Conflict)
	// It reads the checkpoint, as others may; nobody may delete that.
	must(t, s.Accept(ctx, Acceptance(karbor.RestoreOperation, c)))
	wantKind(t, s.Accept(ctx, Acceptance(karbor.Delete, c)), karbor.Conflict)

	must(t, s.EndOperation(ctx, a.Operation.ID, drilled(karbor.DrillPassed)))
	long := newDrill(c)
	must(t, s.Accept(ctx, long))
	o := drilled(karbor.DrillFailed)
	o.Drilled.Reason = strings.Repeat("é", 4<<10) // the longest that is given
	o.LogStatus, o.ErrorInfo = karbor.LogError, o.Drilled.Reason
	must(t, s.EndOperation(ctx, long.Operation.ID, o))
	if got, err = s.Drill(ctx, "project", long.Drill.ID); err != nil || got.Reason != o.Drilled.Reason {
		t.Errorf("a reason of %d bytes comes back with %d, %v", len(o.Drilled.Reason), len(got.Reason), err)
	}
	must(t, s.DeleteDrill(ctx, "project", long.Drill.ID))
	got, err = s.Drill(ctx, "project", a.Drill.ID)
	must(t, err)
	if got.Status != karbor.DrillFinished || got.Verdict != karbor.DrillPassed || got.Recovery != 90*time.Second || got.Reason != "why" {
		t.Errorf("after its end it is %+v", got)
	}
	evidence, err := s.DrillEvidence(ctx, "project", a.Drill.ID)
	must(t, err)
	var record map[string]int
	must(t, json.Unmarshal(evidence, &record))
	same(t, map[string]int{"a": 1}, record)
	_, err = s.DrillEvidence(ctx, "other", a.Drill.ID)
	wantKind(t, err, karbor.NotFound)

	for _, f := range []store.DrillFilter{{Status: "finished"}, {Verdict: "passed"}, {CheckpointID: c.ID}, {PlanID: c.Plan.ID}} {
		f.ProjectID = "project"
		list, err := s.Drills(ctx, f, store.Page{})
		must(t, err)
		same(t, []karbor.Drill{got}, list)
	}
	for _, f := range []store.DrillFilter{{ProjectID: "other"}, {Status: "running"}, {Verdict: "failed"}} {
		if list, err := s.Drills(ctx, f, store.Page{}); err != nil || len(list) > 0 {
			t.Errorf("%+v gives %v, %v", f, list, err)
		}
	}
	wantKind(t, s.DeleteDrill(ctx, "other", a.Drill.ID), karbor.NotFound)
	must(t, s.DeleteDrill(ctx, "project", a.Drill.ID))
	_, err = s.Drill(ctx, "project", a.Drill.ID)
	wantKind(t, err, karbor.NotFound)
}

func testDrillLimit(t *testing.T, s *store.Store) {
	ctx := t.Context()
	c := available(t, s, "project")
	var mu sync.Mutex
	var accepted []string
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			a := newDrill(c)
			a.DrillLimit = 2
			switch err := s.Accept(ctx, a); {
			case err == nil:
				mu.Lock()
				defer mu.Unlock()
				accepted = append(accepted, a.Operation.ID)
			case karbor.KindOf(err) != karbor.OverLimit:
				t.Errorf("a drill beyond the limit is %v", err)
			}
		})
	}
	all.Wait()
	if len(accepted) != 2 {
		t.Fatalf("%d drills run; want 2", len(accepted))
	}
	other := newDrill(available(t, s, "other"))
	other.DrillLimit = 2
	must(t, s.Accept(ctx, other))
	must(t, s.EndOperation(ctx, accepted[0], drilled(karbor.DrillFailed)))
	again := newDrill(c)
	again.DrillLimit = 2
	must(t, s.Accept(ctx, again))
}

func testDrillEvents(t *testing.T, s *store.Store) {
	ctx := t.Context()
	a := newDrill(available(t, s, "project"))
	must(t, s.Accept(ctx, a))
	start := nextDate()
	begun := store.DrillEvent{Position: 1, Name: "main", StartedAt: start}
	must(t, s.PutDrillEvent(ctx, a.Operation.ID, begun))
	must(t, s.PutDrillEvent(ctx, a.Operation.ID, store.DrillEvent{
		Position: 0, Name: "probe:active", StartedAt: start, EndedAt: start.Add(time.Second), Result: "passed", Target: "what", Origin: "where", Reason: "why",
	}))
	// A second try does not change when it began.
	begun.StartedAt, begun.EndedAt = start.Add(time.Minute), start.Add(2*time.Minute)
	must(t, s.PutDrillEvent(ctx, a.Operation.ID, begun))
	got, err := s.DrillEvents(ctx, a.Operation.ID)
	must(t, err)
	begun.StartedAt = start
	same(t, []store.DrillEvent{{
		Position: 0, Name: "probe:active", StartedAt: start, EndedAt: start.Add(time.Second), Result: "passed", Target: "what", Origin: "where", Reason: "why",
	}, begun}, got)
	must(t, s.EndOperation(ctx, a.Operation.ID, drilled(karbor.DrillPassed)))
	if got, err := s.DrillEvents(ctx, a.Operation.ID); err != nil || len(got) > 0 {
		t.Errorf("after its end there are %v, %v", got, err)
	}
}

func testLastDrills(t *testing.T, s *store.Store) {
	ctx := t.Context()
	c, other, bare := available(t, s, "project"), available(t, s, "project"), available(t, s, "project")
	all := []string{c.ID, other.ID, bare.ID}
	if last, err := s.LastDrills(ctx, c.ProviderID, all); err != nil || len(last) != 0 {
		t.Errorf("before any drill there is %v, %v", last, err)
	}
	if last, err := s.LastDrills(ctx, c.ProviderID, nil); err != nil || len(last) != 0 {
		t.Errorf("of no checkpoints there is %v, %v", last, err)
	}
	var ids []string
	for _, one := range []struct {
		of      karbor.Checkpoint
		verdict karbor.DrillVerdict
	}{{other, karbor.DrillPassed}, {c, karbor.DrillPassed}, {c, karbor.DrillFailed}, {c, ""}} {
		a := newDrill(one.of)
		must(t, s.Accept(ctx, a))
		ids = append(ids, a.Operation.ID)
		if one.verdict != "" {
			must(t, s.EndOperation(ctx, a.Operation.ID, drilled(one.verdict)))
		}
	}
	want := func(id string, verdict karbor.DrillVerdict) {
		t.Helper()
		found, err := s.LastDrills(ctx, c.ProviderID, all)
		must(t, err)
		last := found[c.ID]
		if last.DrillID != id || last.Verdict != verdict || last.Resources["OS::Nova::Server#1"].RecoveryMS != 90_000 {
			t.Errorf("the last drill is %+v; want %s", last, id)
		}
		if len(found) != 2 || found[other.ID].DrillID != ids[0] {
			t.Errorf("the last drills are %+v", found)
		}
	}
	want(ids[2], karbor.DrillFailed)
	must(t, s.DeleteDrill(ctx, "project", ids[2]))
	want(ids[1], karbor.DrillPassed)
	if last, err := s.LastDrills(ctx, "another provider", all); err != nil || len(last) != 0 {
		t.Errorf("another provider has %v, %v", last, err)
	}
}

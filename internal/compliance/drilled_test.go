package compliance_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/compliance"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/internal/store/storetest"
)

// drill keeps a drill of a checkpoint, which has found this of its volumes; nil is one that runs.
func (s *site) drill(c karbor.Checkpoint, found map[string]karbor.DrillVerdict) karbor.Drill {
	s.Helper()
	a := storetest.Acceptance(karbor.DrillOperation, c)
	d := karbor.Drill{
		ID: a.Operation.ID, ProjectID: c.ProjectID, ProviderID: c.ProviderID, CheckpointID: c.ID, PlanID: c.Plan.ID,
		Status: karbor.DrillRunning, CreatedAt: today, UpdatedAt: today,
	}
	a.Drill, a.DrillLimit = &d, -1
	s.must(s.store.Accept(s.Context(), a))
	if found == nil {
		return d
	}
	out := &store.Drilled{Status: karbor.DrillFinished, Verdict: karbor.DrillInconclusive, Resources: map[string]karbor.DrilledResource{}}
	for id, verdict := range found {
		out.Resources[vol(id).Key()] = karbor.DrilledResource{Verdict: verdict, RecoveryMS: 1000}
	}
	s.must(s.store.EndOperation(s.Context(), d.ID, store.Outcome{LogStatus: karbor.LogSuccess, Drilled: out}))
	return d
}

func TestADrillOfAPartHidesNoOlderOneOfTheRest(t *testing.T) {
	const passed, failed, unseen = karbor.DrillPassed, karbor.DrillFailed, karbor.DrillInconclusive
	type found = map[string]karbor.DrillVerdict
	s := newSite(t)
	ids := []string{"left-out", "unseen", "now-failed", "now-passed", "never-seen"}
	s.has(ours, karbor.VolumeType, ids...)
	p := s.plan(ours, "all", vol("left-out"), vol("unseen"), vol("now-failed"), vol("now-passed"), vol("never-seen"))
	s.schedule(p, "0 3 * * *")
	c := s.checkpoint(p, time.Hour, p.Resources...)
	s.verified(c, time.Hour)
	clock := today.Add(-5 * time.Hour)
	drill := func(f found) karbor.Drill {
		t.Helper()
		clock = clock.Add(time.Hour)
		s.at(clock)
		return s.drill(c, f)
	}
	first := drill(found{"left-out": passed, "unseen": passed, "now-failed": passed, "now-passed": failed, "never-seen": unseen})
	second := drill(found{"now-failed": failed, "now-passed": passed})
	third := drill(found{"unseen": unseen, "now-failed": unseen, "never-seen": unseen}) // it was cancelled
	drill(nil)
	s.at(today)
	r := s.report(ours, func(q *compliance.Request) { q.DrilledWithin = 24 * time.Hour })
	for id, want := range map[string]string{
		"left-out":   first.ID + " passed [kept]",
		"unseen":     first.ID + " passed [kept]",
		"now-failed": second.ID + " failed [undrilled]",
		"now-passed": second.ID + " passed [kept]",
		"never-seen": third.ID + " inconclusive [undrilled]",
	} {
		row := s.row(r, vol(id))
		if row.Drilled == nil {
			t.Errorf("%s: no drill", id)
		} else if got := fmt.Sprint(row.Drilled.DrillID, " ", row.Drilled.Verdict, " ", row.Findings); got != want {
			t.Errorf("%s: %s, want %s", id, got, want)
		}
	}
	if got := s.row(s.report(ours, func(q *compliance.Request) { q.DrilledWithin = 3 * time.Hour }), vol("unseen")).Findings; got[0] != compliance.Undrilled {
		t.Errorf("one that was seen too long ago is %s", got)
	}
}

func TestDrillsOfOtherProjectsAndDeletedOnesDoNotCount(t *testing.T) {
	s := newSite(t)
	s.has(ours, karbor.VolumeType, "a")
	p, other := s.plan(ours, "all", vol("a")), s.plan(theirs, "all", vol("a"))
	s.drill(s.checkpoint(other, time.Hour, vol("a")), map[string]karbor.DrillVerdict{"a": karbor.DrillPassed})
	d := s.drill(s.checkpoint(p, time.Hour, vol("a")), map[string]karbor.DrillVerdict{"a": karbor.DrillPassed})
	if got := s.row(s.report(ours), vol("a")).Drilled; got == nil || got.DrillID != d.ID {
		t.Errorf("the drill is %+v", got)
	}
	s.must(s.store.DeleteDrill(t.Context(), ours, d.ID))
	if got := s.row(s.report(ours), vol("a")).Drilled; got != nil {
		t.Errorf("once it is deleted, it is %+v", got)
	}
}

package storetest

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
)

// endedDrill makes a drill of a checkpoint that is over.
func endedDrill(t *testing.T, s *store.Store, c karbor.Checkpoint) string {
	t.Helper()
	a := newDrill(c)
	must(t, s.Accept(t.Context(), a))
	must(t, s.EndOperation(t.Context(), a.Operation.ID, drilled(karbor.DrillPassed)))
	return a.Operation.ID
}

func testDrillProofs(t *testing.T, s *store.Store) {
	ctx := t.Context()
	c, other := available(t, s, "project"), available(t, s, "other")
	kept, failed, untried, foreign := endedDrill(t, s, c), endedDrill(t, s, c), endedDrill(t, s, c), endedDrill(t, s, other)
	running := newDrill(c)
	must(t, s.Accept(ctx, running))
	must(t, s.NoteProof(ctx, kept, store.DrillProof{Reason: "the bank does not answer"}))
	must(t, s.NoteProof(ctx, kept, store.DrillProof{Kept: true}))
	must(t, s.NoteProof(ctx, failed, store.DrillProof{Reason: "the bank does not answer"}))
	got, err := s.DrillProofs(ctx, []string{kept, failed, untried})
	must(t, err)
	same(t, map[string]store.DrillProof{kept: {Kept: true}, failed: {Reason: "the bank does not answer"}}, got)

	unkept := func() map[string]string {
		out, behind := map[string]string{}, ""
		for {
			page, err := s.UnkeptProofs(ctx, c.ProviderID, "", behind, 2)
			must(t, err)
			for _, u := range page {
				out[u.ID], behind = u.ProjectID, u.ID
				var record map[string]int
				must(t, json.Unmarshal(u.Evidence, &record))
				if record["a"] != 1 || u.Status != karbor.DrillFinished || u.CheckpointID == "" || u.Probes.Active == nil {
					t.Errorf("%+v", u)
				}
			}
			if len(page) < 2 {
				return out
			}
		}
	}
	all := map[string]string{failed: "project", untried: "project", foreign: "other"}
	same(t, all, unkept())
	if page, err := s.UnkeptProofs(ctx, c.ProviderID, "offsite", "", 9); err != nil || len(page) > 0 {
		t.Errorf("in another bank: %v, %v", page, err)
	}

	must(t, s.DeleteDrill(ctx, "project", kept))
	must(t, s.DeleteDrill(ctx, "project", untried)) // never in the bank
	deleted, err := s.DeletedProofs(ctx, c.ProviderID, "", 9)
	must(t, err)
	if len(deleted) != 1 || deleted[0].ID != kept || deleted[0].ProjectID != "project" || deleted[0].CheckpointID != c.ID {
		t.Errorf("deleted: %+v", deleted)
	}
	delete(all, untried)
	same(t, all, unkept())
	must(t, s.ForgetProof(ctx, kept))
	if deleted, err = s.DeletedProofs(ctx, c.ProviderID, "", 9); err != nil || len(deleted) > 0 {
		t.Errorf("after it was removed: %v, %v", deleted, err)
	}
	// What is noted of a deleted drill goes with it.
	must(t, s.DeleteDrill(ctx, "project", failed))
	_, err = s.PurgeDeleted(ctx, store.Purge{Before: time.Now().Add(1000 * time.Hour)})
	must(t, err)
	if got, err = s.DrillProofs(ctx, []string{failed}); err != nil || len(got) > 0 {
		t.Errorf("after the purge: %v, %v", got, err)
	}
}

func testAdoptDrill(t *testing.T, s *store.Store) {
	ctx := t.Context()
	c := available(t, s, "project")
	known := endedDrill(t, s, c)
	at := nextDate()
	d := karbor.Drill{
		ID: karbor.NewID(), ProjectID: "project", ProviderID: c.ProviderID, CheckpointID: c.ID, PlanID: c.Plan.ID, Status: karbor.DrillError,
		Probes: karbor.DrillProbes{Active: &karbor.ActiveProbe{}}, Mapping: map[string]any{"flavors": map[string]any{"*": "small"}},
		Verdict: karbor.DrillFailed, Reason: "why", Recovery: time.Second, Resources: map[string]karbor.DrilledResource{"OS::Nova::Server#1": {Verdict: karbor.DrillFailed}},
		CreatedAt: at, UpdatedAt: at,
	}
	for _, want := range []bool{true, false} {
		if adopted, err := s.AdoptDrill(ctx, d, json.RawMessage(`{"b":2}`)); err != nil || adopted != want {
			t.Errorf("adopted %v, %v; want %v", adopted, err, want)
		}
	}
	got, err := s.Drill(ctx, "project", d.ID)
	must(t, err)
	same(t, d, got)
	evidence, err := s.DrillEvidence(ctx, "project", d.ID)
	must(t, err)
	var record map[string]int
	must(t, json.Unmarshal(evidence, &record))
	same(t, map[string]int{"b": 2}, record)
	proofs, err := s.DrillProofs(ctx, []string{d.ID})
	must(t, err)
	same(t, map[string]store.DrillProof{d.ID: {Kept: true}}, proofs)

	// What its tenant has deleted does not come back.
	must(t, s.DeleteDrill(ctx, "project", known))
	d.ID = known
	if adopted, err := s.AdoptDrill(ctx, d, json.RawMessage(`{"b":2}`)); err != nil || adopted {
		t.Errorf("a deleted drill: %v, %v", adopted, err)
	}
	for id, want := range map[string]bool{known: true, karbor.NewID(): false} {
		if is, err := s.DrillKnown(ctx, id); err != nil || is != want {
			t.Errorf("%s is known: %v, %v", id, is, err)
		}
	}
}

package storetest

import (
	"encoding/json"
	"slices"
	"sync"
	"sync/atomic"
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
	deleted, err := s.DeletedProofs(ctx, c.ProviderID, "", "", 9)
	must(t, err)
	if len(deleted) != 1 || deleted[0].ID != kept || deleted[0].ProjectID != "project" || deleted[0].CheckpointID != c.ID {
		t.Errorf("deleted: %+v", deleted)
	}
	delete(all, untried)
	same(t, all, unkept())
	must(t, s.ForgetProof(ctx, kept))
	if deleted, err = s.DeletedProofs(ctx, c.ProviderID, "", "", 9); err != nil || len(deleted) > 0 {
		t.Errorf("after it was removed: %v, %v", deleted, err)
	}
}

func testProofsThatMayBeBegun(t *testing.T, s *store.Store) {
	ctx := t.Context()
	c := available(t, s, "project")
	drill, gone := endedDrill(t, s, c), endedDrill(t, s, c)
	must(t, s.DeleteDrill(ctx, "project", gone))
	begins := func(id, bank string, want bool) {
		t.Helper()
		if may, err := s.BeginProof(ctx, id, c.ProviderID, bank); err != nil || may != want {
			t.Errorf("may %v, %v; want %v", may, err, want)
		}
		proofs, err := s.DrillProofs(ctx, []string{id})
		must(t, err)
		if p, noted := proofs[id]; noted != want || p != (store.DrillProof{}) {
			t.Errorf("noted %v as %+v, want %v", noted, p, want)
		}
	}
	begins(gone, "", false)
	begins(karbor.NewID(), "", false)
	begins(drill, "offsite", false)
	begins(drill, "", true)
	must(t, s.ForgetProof(ctx, drill))
	for _, status := range []karbor.CheckpointStatus{karbor.CheckpointDeleting, karbor.CheckpointErrorDeleting, karbor.CheckpointError} {
		must(t, s.SetCheckpointStatus(ctx, "project", c.ProviderID, c.ID, status))
		begins(drill, "", false)
	}
	must(t, s.SetCheckpointStatus(ctx, "project", c.ProviderID, c.ID, karbor.CheckpointAvailable))
	must(t, s.NoteProof(ctx, drill, store.DrillProof{Reason: "the bank does not answer"}))
	begins(drill, "", true)
}

func testDeletedProofs(t *testing.T, s *store.Store) {
	ctx := t.Context()
	c := available(t, s, "project")
	var want []string
	for range 3 {
		id := endedDrill(t, s, c)
		must(t, s.NoteProof(ctx, id, store.DrillProof{Kept: true}))
		must(t, s.DeleteDrill(ctx, "project", id))
		want = append(want, id)
	}
	slices.Sort(want)
	pages := func() (ids []string) {
		for behind := ""; ; {
			page, err := s.DeletedProofs(ctx, c.ProviderID, "", behind, 2)
			must(t, err)
			for _, d := range page {
				ids, behind = append(ids, d.ID), d.ID
			}
			if len(page) < 2 {
				return ids
			}
		}
	}
	same(t, want, pages())

	// The purge forgets none whose record may still lie beside the checkpoint: it would come back from there.
	purge := func() {
		_, err := s.PurgeDeleted(ctx, store.Purge{Before: time.Now().Add(1000 * time.Hour)})
		must(t, err)
	}
	must(t, s.ForgetProof(ctx, want[0]))
	purge()
	same(t, want[1:], pages())
	known := func() (out []bool) {
		for _, id := range want {
			is, err := s.DrillKnown(ctx, id)
			must(t, err)
			out = append(out, is)
		}
		return out
	}
	same(t, []bool{false, true, true}, known())
	c.Status = karbor.CheckpointDeleted
	must(t, s.PutCheckpoint(ctx, c))
	purge()
	same(t, []bool{false, false, false}, known())
	if got, err := s.DrillProofs(ctx, want); err != nil || len(got) > 0 {
		t.Errorf("after the purge: %v, %v", got, err)
	}
}

func testProofsOfADeletedCheckpoint(t *testing.T, s *store.Store) {
	ctx := t.Context()
	c, other := available(t, s, "project"), available(t, s, "project")
	kept, failed, elsewhere := endedDrill(t, s, c), endedDrill(t, s, c), endedDrill(t, s, other)
	for id, p := range map[string]store.DrillProof{kept: {Kept: true}, failed: {Reason: "the bank does not answer"}, elsewhere: {Kept: true}} {
		must(t, s.NoteProof(ctx, id, p))
	}
	c.Status = karbor.CheckpointDeleted
	must(t, s.PutCheckpoint(ctx, c))
	gone := store.DrillProof{Reason: "its checkpoint was deleted"}
	want := map[string]store.DrillProof{kept: gone, failed: gone, elsewhere: {Kept: true}}
	got, err := s.DrillProofs(ctx, []string{kept, failed, elsewhere})
	must(t, err)
	same(t, want, got)
	_, err = s.PurgeDeleted(ctx, store.Purge{Before: time.Now().Add(1000 * time.Hour)})
	must(t, err)
	got, err = s.DrillProofs(ctx, []string{kept, failed, elsewhere})
	must(t, err)
	same(t, want, got)
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

	// Two services that fill one catalogue at once adopt it once, and neither fails.
	d.ID = karbor.NewID()
	var both sync.WaitGroup
	var adopted atomic.Int64
	for range 2 {
		both.Go(func() {
			if is, err := s.AdoptDrill(ctx, d, json.RawMessage(`{"b":2}`)); err != nil {
				t.Error(err)
			} else if is {
				adopted.Add(1)
			}
		})
	}
	both.Wait()
	if n := adopted.Load(); n != 1 {
		t.Errorf("it was adopted %d times", n)
	}

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

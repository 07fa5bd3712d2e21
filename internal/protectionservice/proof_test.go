package protectionservice_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/checkpoint"
	"github.com/karbor/karbor/internal/evidence"
	"github.com/karbor/karbor/internal/store"
)

// drillNow makes a drill, and waits for its end.
func (s *shop) drillNow() karbor.Drill {
	s.t.Helper()
	d, err := s.service.Drill(s.t.Context(), s.caller(), s.request())
	if err != nil {
		s.t.Fatal(err)
	}
	return s.ended(d.ID)
}

// inBank gives the records of drills of the shop's checkpoint that lie in its bank, by the drills.
func (s *shop) inBank() map[string][]byte {
	s.t.Helper()
	c, err := checkpoint.Open(s.t.Context(), s.bank, checkpoint.Options{Now: s.now})
	if err != nil {
		s.t.Fatal(err)
	}
	found, err := c.Proofs(s.t.Context(), projectID, s.checkpoint, func(u checkpoint.UnreadProof) error { return u.Err })
	if err != nil {
		s.t.Fatal(err)
	}
	out := map[string][]byte{}
	for _, p := range found {
		out[p.Signed.Record.DrillID] = p.File
	}
	return out
}

// record gives the file of a drill's record as the database has it.
func (s *shop) record(id string) []byte {
	s.t.Helper()
	text, err := s.store.DrillEvidence(s.t.Context(), projectID, id)
	if err != nil || text == nil {
		s.t.Fatalf("the record of %s: %s, %v", id, text, err)
	}
	file, err := evidence.File(text)
	if err != nil {
		s.t.Fatal(err)
	}
	return file
}

func (s *shop) proofOf(id string) store.DrillProof {
	s.t.Helper()
	found, err := s.store.DrillProofs(s.t.Context(), []string{id})
	if err != nil {
		s.t.Fatal(err)
	}
	return found[id]
}

func TestALostDatabaseLosesNoRecordOfADrill(t *testing.T) {
	s := newDrillShop(t, nil)
	first, second := s.drillNow(), s.drillNow()
	want := map[string][]byte{first.ID: s.record(first.ID), second.ID: s.record(second.ID)}
	if diff := cmp.Diff(want, s.inBank()); diff != "" {
		t.Errorf("the bank has other records than the database: %s", diff)
	}
	if got := s.proofOf(first.ID); !got.Kept {
		t.Errorf("it is not said that the record lies in the bank: %+v", got)
	}
	s.forgetDatabase()
	s.start()
	s.usable()
	for _, d := range []karbor.Drill{first, second} {
		got, err := s.store.Drill(t.Context(), projectID, d.ID)
		if err != nil {
			t.Fatal(err)
		}
		// A record has milliseconds.
		got.CreatedAt, got.UpdatedAt = d.CreatedAt, d.UpdatedAt
		d.Mapping = map[string]any{} // none was asked for
		d.Recovery, got.Recovery = d.Recovery.Truncate(1e6), got.Recovery.Truncate(1e6)
		if diff := cmp.Diff(d, got); diff != "" {
			t.Errorf("the drill has changed: %s", diff)
		}
		if _, err := s.store.Drill(t.Context(), "another", d.ID); karbor.KindOf(err) != karbor.NotFound {
			t.Errorf("another project sees it: %v", err)
		}
		if _, err := evidence.Verify(s.record(d.ID), s.drills.Keys()...); err != nil || !bytes.Equal(s.record(d.ID), want[d.ID]) {
			t.Errorf("the record is not what it was, %v", err)
		}
	}
	last, err := s.store.LastDrills(t.Context(), providerID, []string{s.checkpoint})
	if err != nil || last[s.checkpoint].DrillID != second.ID {
		t.Errorf("the last drill is %+v, %v; want %s", last, err, second.ID)
	}
	// And what its tenant deletes does not come back.
	if err := s.store.DeleteDrill(t.Context(), projectID, first.ID); err != nil {
		t.Fatal(err)
	}
	s.poll(func() bool { return len(s.inBank()) == 1 })
	s.forgetDatabase()
	s.start()
	s.usable()
	if _, err := s.store.Drill(t.Context(), projectID, first.ID); karbor.KindOf(err) != karbor.NotFound {
		t.Errorf("a deleted drill is back: %v", err)
	}
}

func TestARecordThatTheBankDoesNotTakeIsPutThereLater(t *testing.T) {
	s := newDrillShop(t, nil)
	s.full.Store(true)
	d := s.drillNow()
	if got := s.proofOf(d.ID); got.Kept || got.Reason == "" {
		t.Errorf("it is noted as %+v", got)
	}
	if d.Verdict != karbor.DrillInconclusive || len(s.record(d.ID)) == 0 {
		t.Errorf("the drill is %+v", d)
	}
	s.full.Store(false)
	s.poll(func() bool { return s.proofOf(d.ID).Kept })
	if diff := cmp.Diff(map[string][]byte{d.ID: s.record(d.ID)}, s.inBank()); diff != "" {
		t.Error(diff)
	}
}

func TestARecordThatNoKnownKeyHasSignedIsNotBelieved(t *testing.T) {
	s := newDrillShop(t, nil)
	d := s.drillNow()
	s.drills = drills(t) // the key is lost with the database
	s.forgetDatabase()
	s.start()
	s.usable()
	if _, err := s.store.Drill(t.Context(), projectID, d.ID); karbor.KindOf(err) != karbor.NotFound {
		t.Errorf("it is believed: %v", err)
	}
	if cp, err := s.store.Checkpoint(t.Context(), projectID, providerID, s.checkpoint); err != nil || cp.Status != karbor.CheckpointAvailable {
		t.Errorf("its checkpoint is %+v, %v", cp, err)
	}
}

func TestTheRecordsOfACheckpointGoWithIt(t *testing.T) {
	s := newDrillShop(t, nil)
	d := s.drillNow()
	if err := s.service.DeleteCheckpoint(t.Context(), s.caller(), providerID, s.checkpoint); err != nil {
		t.Fatal(err)
	}
	if cp := s.until(s.checkpoint); cp.Status != karbor.CheckpointDeleted {
		t.Fatalf("its delete ends as %s", cp.Status)
	}
	for key := range s.bank.Snapshot() {
		if strings.Contains(key, "/evidence/") {
			t.Errorf("%s is left", key)
		}
	}
	if got, want := s.proofOf(d.ID), (store.DrillProof{Reason: "its checkpoint was deleted"}); got != want {
		t.Errorf("of its record it is said: %+v", got)
	}
}

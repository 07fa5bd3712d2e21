package protectionservice_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/checkpoint"
	"github.com/karbor/karbor/internal/protectionservice"
	"github.com/karbor/karbor/internal/protectionservice/custody"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/protection"
)

// forgetDatabase has the service lose its database at the next start.
func (s *site) forgetDatabase() {
	s.t.Helper()
	s.stop()
	files, err := filepath.Glob(filepath.Join(s.dir, "karbor.db*"))
	if err != nil {
		s.t.Fatal(err)
	}
	for _, f := range files {
		if err := os.Remove(f); err != nil {
			s.t.Fatal(err)
		}
	}
}

// listed gives the number of checkpoints in the catalogue.
func (s *site) listed() int {
	s.t.Helper()
	all, err := s.store.Checkpoints(s.t.Context(), store.CheckpointFilter{}, store.Page{})
	if err != nil {
		s.t.Fatal(err)
	}
	return len(all)
}

func (s *site) attempt(plan string) error {
	_, err := s.service.Protect(s.t.Context(), s.caller(), protectionservice.ProtectRequest{ProviderID: providerID, PlanID: plan})
	return err
}

func TestCatalogueThatWasFilledHalfWayIsFilledToTheEnd(t *testing.T) {
	s := newSite(t)
	plan := s.plan(volume("v1"))
	for range 4 {
		s.until(s.protect(plan))
	}
	s.forgetDatabase()
	s.reads.Store(3) // the bank goes away at the third description
	s.start()
	if n := s.listed(); n == 4 {
		t.Fatal("the catalogue was filled at once")
	}
	plan = s.plan(volume("v1"))
	if err := s.attempt(plan); karbor.KindOf(err) != karbor.Unavailable || !strings.Contains(karbor.Sentence(err), "the bank does not answer") {
		t.Errorf("protect answers %v", err)
	}
	// The process dies there; the next one finishes.
	s.restart()
	s.deaf.Store(false)
	s.poll(func() bool { return s.attempt(plan) == nil })
	if n := s.listed(); n != 5 {
		t.Errorf("%d checkpoints are listed, want 4 and the new one", n)
	}
}

func TestDamagedCheckpointDoesNotKeepTheOthersOutOfTheCatalogue(t *testing.T) {
	s := newSite(t)
	plan := s.plan(volume("v1"))
	ids := []string{s.protect(plan), s.protect(plan), s.protect(plan)}
	for _, id := range ids {
		s.until(id)
	}
	s.forgetDatabase()
	for key := range s.bank.Snapshot() {
		if strings.HasSuffix(key, ids[1]+"/description") {
			if err := s.bank.Put(t.Context(), key, strings.NewReader("{"), 1); err != nil {
				t.Fatal(err)
			}
		}
	}
	s.start()
	s.usable()
	for i, id := range ids {
		_, err := s.store.Checkpoint(t.Context(), projectID, providerID, id)
		if gone := karbor.KindOf(err) == karbor.NotFound && err != nil; gone != (i == 1) {
			t.Errorf("checkpoint %d: %v", i, err)
		}
	}
	if err := s.attempt(s.plan(volume("v1"))); err != nil {
		t.Errorf("the provider is not ready: %v", err)
	}
}

func TestDeadBankRefusesChangesWithTheReasonUntilItAnswers(t *testing.T) {
	s := newSite(t)
	plan := s.plan(volume("v1"))
	id := s.protect(plan)
	s.until(id)
	s.stop()
	s.deaf.Store(true)
	s.start()
	restore := func() error {
		_, err := s.service.Restore(t.Context(), s.caller(), protectionservice.RestoreRequest{ProviderID: providerID, CheckpointID: id})
		return err
	}
	for what, do := range map[string]func() error{
		"protect": func() error { return s.attempt(plan) },
		"delete":  func() error { return s.service.DeleteCheckpoint(t.Context(), s.caller(), providerID, id) },
		"reset": func() error {
			return s.service.ResetCheckpoint(t.Context(), s.caller(), providerID, id, karbor.CheckpointError)
		},
		"restore": restore,
	} {
		err := do()
		if karbor.KindOf(err) != karbor.Unavailable || !karbor.IsTransient(err) || !strings.Contains(karbor.Sentence(err), "provider test") ||
			!strings.Contains(karbor.Sentence(err), "does not answer") {
			t.Errorf("%s answers %v", what, err)
		}
	}
	s.deaf.Store(false)
	s.poll(func() bool { return s.attempt(plan) == nil })
	if err := restore(); err != nil {
		t.Error(err)
	}
}

func TestFullBankStillRestores(t *testing.T) {
	s := newSite(t)
	id := s.protect(s.plan(volume("v1")))
	s.until(id)
	s.stop()
	s.full.Store(true)
	s.start()
	if err := s.attempt(s.plan(volume("v1"))); karbor.KindOf(err) != karbor.Unavailable || !strings.Contains(karbor.Sentence(err), "the bank is full") {
		t.Errorf("protect answers %v", err)
	}
	r, err := s.service.Restore(t.Context(), s.caller(), protectionservice.RestoreRequest{ProviderID: providerID, CheckpointID: id})
	if err != nil {
		t.Fatal(err)
	}
	if got := s.untilRestored(r.ID); got.Status != karbor.RestoreSuccess {
		t.Errorf("the restore is %+v", got)
	}
}

func TestCheckpointsOfADeadServiceAreTakenOver(t *testing.T) {
	s := newSite(t)
	dead, err := checkpoint.Open(t.Context(), s.bank, checkpoint.Options{Owner: "dead", Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	if err := dead.Lease().Acquire(t.Context()); err != nil {
		t.Fatal(err)
	}
	unfinished := func(provider string, states ...karbor.CheckpointStatus) string {
		cp := karbor.Checkpoint{
			ID: karbor.NewID(), ProjectID: projectID, ProviderID: provider, CreatedAt: time.Now(),
			Plan: karbor.PlanRecord{ID: karbor.NewID()},
		}
		if err := dead.Create(t.Context(), cp); err != nil {
			t.Fatal(err)
		}
		for _, state := range states {
			if err := dead.SetState(t.Context(), projectID, cp.ID, state, checkpoint.Change{}); err != nil {
				t.Fatal(err)
			}
		}
		return cp.ID
	}
	protecting := unfinished(providerID)
	deleting := unfinished(providerID, karbor.CheckpointAvailable, karbor.CheckpointDeleting)
	foreign := unfinished(karbor.NewID())
	if err := dead.Lease().Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]karbor.CheckpointStatus{protecting: karbor.CheckpointError, deleting: karbor.CheckpointErrorDeleting} {
		s.poll(func() bool {
			cp, err := s.store.Checkpoint(t.Context(), projectID, providerID, id)
			return err == nil && cp.Status == want && cp.Reasons[""] != ""
		})
		if cp, err := dead.Get(t.Context(), projectID, id); err != nil || cp.Status != want {
			t.Errorf("in the bank it is %s, want %s: %v", cp.Status, want, err)
		}
	}
	if cp, err := dead.Get(t.Context(), projectID, foreign); err != nil || cp.Status != karbor.CheckpointProtecting {
		t.Errorf("that of another provider is %s, %v", cp.Status, err)
	}
}

func TestOldTombstonesGo(t *testing.T) {
	s := newSite(t)
	id := s.protect(s.plan(volume("v1")))
	s.until(id)
	if err := s.service.DeleteCheckpoint(t.Context(), s.caller(), providerID, id); err != nil {
		t.Fatal(err)
	}
	s.until(id)
	holds := func() bool {
		for key := range s.bank.Snapshot() {
			if strings.Contains(key, id) {
				return true
			}
		}
		return false
	}
	if !holds() {
		t.Error("there is no tombstone")
	}
	s.bank.SetNow(func() time.Time { return time.Now().Add(custody.DefaultTombstones + time.Minute) })
	s.poll(func() bool { return !holds() })
}

func TestCheckpointIsResetInTheBankFirst(t *testing.T) {
	s := newSite(t)
	reset := func(id string, to karbor.CheckpointStatus) error {
		return s.service.ResetCheckpoint(t.Context(), s.caller(), providerID, id, to)
	}
	status := func(id string) karbor.CheckpointStatus {
		cp, err := s.store.Checkpoint(t.Context(), projectID, providerID, id)
		if err != nil {
			t.Fatal(err)
		}
		return cp.Status
	}
	absent := karbor.Checkpoint{
		ID: karbor.NewID(), ProjectID: projectID, ProviderID: providerID, Status: karbor.CheckpointError,
		Plan: karbor.PlanRecord{ID: karbor.NewID()}, Graph: &karbor.Graph{},
	}
	if err := s.store.PutCheckpoint(t.Context(), absent); err != nil {
		t.Fatal(err)
	}
	if err := reset(absent.ID, karbor.CheckpointAvailable); karbor.KindOf(err) != karbor.Conflict || status(absent.ID) != karbor.CheckpointError {
		t.Errorf("one that is not in the bank is %s: %v", status(absent.ID), err)
	}
	if err := reset(absent.ID, karbor.CheckpointError); err != nil {
		t.Error(err)
	}

	s.script.set(karbor.Delete, karbor.VolumeType, protection.Hooks{Main: func(context.Context, *protection.Call) error {
		return karbor.Errorf(karbor.Forbidden, "the data is locked")
	}})
	id := s.protect(s.plan(volume("v1")))
	s.until(id)
	for _, to := range []karbor.CheckpointStatus{karbor.CheckpointError, karbor.CheckpointAvailable} {
		if err := reset(id, to); err != nil || status(id) != to {
			t.Errorf("reset to %s it is %s, %v", to, status(id), err)
		}
	}
	if err := s.service.DeleteCheckpoint(t.Context(), s.caller(), providerID, id); err != nil {
		t.Fatal(err)
	}
	if cp := s.until(id); cp.Status != karbor.CheckpointErrorDeleting {
		t.Fatalf("it is %s", cp.Status)
	}
	if err := reset(id, karbor.CheckpointAvailable); karbor.KindOf(err) != karbor.Conflict || status(id) != karbor.CheckpointErrorDeleting {
		t.Errorf("one whose deletion has begun is %s: %v", status(id), err)
	}
	if err := reset(id, karbor.CheckpointError); err != nil || status(id) != karbor.CheckpointError {
		t.Errorf("it is %s: %v", status(id), err)
	}
}

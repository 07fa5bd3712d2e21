package protectionservice_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/checkpoint"
	"github.com/karbor/karbor/protection"
)

// backUp copies the database while the process is down, and gives what brings it back.
func (s *site) backUp() (bringBack func()) {
	s.t.Helper()
	path := filepath.Join(s.dir, "karbor.db")
	text, err := os.ReadFile(path)
	if err != nil {
		s.t.Fatal(err)
	}
	return func() {
		s.forgetDatabase()
		if err := os.WriteFile(path, text, 0o600); err != nil {
			s.t.Fatal(err)
		}
	}
}

func TestACheckpointWhoseOperationWentWithItsDatabaseIsEnded(t *testing.T) {
	s := newSite(t)
	main, begun := blocked()
	s.script.set(karbor.Protect, karbor.VolumeType, protection.Hooks{Main: main})
	plan := s.plan(volume("v1"))
	s.stop()
	bringBack := s.backUp()
	s.start()
	s.usable()
	id := s.protect(plan)
	arrives(t, begun)
	bringBack() // the copy knows nothing of the checkpoint, and its catalogue is filled
	s.start()
	s.poll(func() bool {
		cp, err := s.store.Checkpoint(t.Context(), projectID, providerID, id)
		return err == nil && cp.Status == karbor.CheckpointError
	})
	// The process, which holds the bank's lease still, works on as ever.
	s.script.set(karbor.Protect, karbor.VolumeType, protection.Hooks{})
	if cp := s.until(s.protect(plan)); cp.Status != karbor.CheckpointAvailable {
		t.Errorf("the next one is %s", cp.Status)
	}
	if err := s.service.DeleteCheckpoint(t.Context(), s.caller(), providerID, id); err != nil {
		t.Fatal(err)
	}
	if cp := s.until(id); cp.Status != karbor.CheckpointDeleted {
		t.Errorf("its delete ends as %s: %v", cp.Status, cp.Reasons)
	}
}

func TestTheCatalogueSaysWhatTheBankDoesOfWhatNobodyWorksOn(t *testing.T) {
	s := newSite(t)
	cp := s.until(s.protect(s.plan(volume("v1"))))
	never := cp
	never.ID, never.Status = karbor.NewID(), karbor.CheckpointProtecting
	gone := cp
	gone.ID, gone.Status = karbor.NewID(), karbor.CheckpointDeleting
	cp.Status = karbor.CheckpointDeleting
	for _, c := range []karbor.Checkpoint{cp, never, gone} {
		if err := s.store.PutCheckpoint(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	for id, want := range map[string]karbor.CheckpointStatus{
		cp.ID: karbor.CheckpointAvailable, never.ID: karbor.CheckpointError, gone.ID: karbor.CheckpointDeleted,
	} {
		if got := s.until(id); got.Status != want {
			t.Errorf("it is %s, want %s", got.Status, want)
		}
	}
	if _, err := s.store.Checkpoint(t.Context(), projectID, providerID, gone.ID); err == nil || karbor.KindOf(err) != karbor.NotFound {
		t.Errorf("what has gone from its bank is listed still: %v", err)
	}
	s.wantUsage("2+0", "0+0")
}

func TestWhatAnotherServiceWorksOnIsLeftAlone(t *testing.T) {
	s := newSite(t)
	cp := s.until(s.protect(s.plan(volume("v1"))))
	other, err := checkpoint.Open(t.Context(), s.bank, checkpoint.Options{Owner: "another", Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Lease().Acquire(t.Context()); err != nil {
		t.Fatal(err)
	}
	theirs := cp
	theirs.ID, theirs.Status = karbor.NewID(), karbor.CheckpointProtecting
	if err := other.Create(t.Context(), theirs); err != nil {
		t.Fatal(err)
	}
	if err := s.store.PutCheckpoint(t.Context(), theirs); err != nil {
		t.Fatal(err)
	}
	// Another one that is forsaken shows that there have been looks enough.
	for range 2 {
		gone := cp
		gone.ID, gone.Status = karbor.NewID(), karbor.CheckpointDeleting
		if err := s.store.PutCheckpoint(t.Context(), gone); err != nil {
			t.Fatal(err)
		}
		s.until(gone.ID)
	}
	if got, err := other.Get(t.Context(), projectID, theirs.ID); err != nil || got.Status != karbor.CheckpointProtecting {
		t.Errorf("it is %s, %v", got.Status, err)
	}
}

package protectionservice_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice"
	"github.com/karbor/karbor/internal/repository/format"
	"github.com/karbor/karbor/protection"
)

// seal seals the documents of the bank whose keys have an ending, and gives the
// function that opens them again.
func (s *site) seal(ending string) (open func()) {
	s.t.Helper()
	master := format.NewKey()
	document, err := format.NewDocument(projectID, format.NewRepositoryID(), master, time.Now())
	if err != nil {
		s.t.Fatal(err)
	}
	keys, err := document.Unlock(master)
	if err != nil {
		s.t.Fatal(err)
	}
	plain := map[string]string{}
	put := func(key string, text []byte) {
		if err := s.bank.Put(s.t.Context(), key, bytes.NewReader(text), int64(len(text))); err != nil {
			s.t.Fatal(err)
		}
	}
	for key, text := range s.bank.Snapshot() {
		if !strings.HasSuffix(key, ending) {
			continue
		}
		plain[key] = text
		sealed, err := keys.SealDocument(document, key, []byte(text))
		if err != nil {
			s.t.Fatal(err)
		}
		put(key, sealed)
	}
	return func() {
		for key, text := range plain {
			put(key, []byte(text))
		}
	}
}

func TestCheckpointWhoseKeyIsMissingIsListedUntilTheKeyIsThere(t *testing.T) {
	s := newSite(t)
	s.script.set(karbor.RestoreOperation, karbor.VolumeType, protection.Hooks{Main: s.script.note("restore")})
	plan := s.plan(volume("v1"))
	ids := []string{s.protect(plan), s.protect(plan), s.protect(plan)}
	for _, id := range ids {
		s.until(id)
	}
	s.forgetDatabase()
	open := s.seal("/description")
	s.start()
	s.usable()
	for _, id := range ids {
		cp, err := s.store.Checkpoint(t.Context(), projectID, providerID, id)
		if err != nil || cp.Status != karbor.CheckpointError || cp.Plan.ID != plan || !strings.Contains(cp.Reasons[""], "domain "+projectID) {
			t.Fatalf("%+v, %v", cp, err)
		}
	}
	if err := s.attempt(s.plan(volume("v1"))); err != nil {
		t.Errorf("the provider is not ready: %v", err)
	}
	if err := s.service.ResetCheckpoint(t.Context(), s.caller(), providerID, ids[1], karbor.CheckpointAvailable); err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"only an available one", "nothing is known"} {
		_, err := s.service.Restore(t.Context(), s.caller(), protectionservice.RestoreRequest{ProviderID: providerID, CheckpointID: ids[i]})
		if karbor.KindOf(err) != karbor.Conflict || !strings.Contains(karbor.Sentence(err), want) {
			t.Errorf("the restore of %d is answered by %v", i, err)
		}
	}
	if err := s.service.DeleteCheckpoint(t.Context(), s.caller(), providerID, ids[2]); err != nil {
		t.Fatal(err)
	}
	s.poll(func() bool {
		_, err := s.store.Checkpoint(t.Context(), projectID, providerID, ids[2])
		return karbor.KindOf(err) == karbor.NotFound && err != nil
	})
	for key := range s.bank.Snapshot() {
		if strings.Contains(key, "checkpoints/"+projectID+"/"+ids[2]) {
			t.Errorf("%s is left", key)
		}
	}
	// The key is found.
	open()
	for key := range s.bank.Snapshot() {
		if strings.HasSuffix(key, ids[2]+"/description") {
			if err := s.bank.Delete(t.Context(), key); err != nil {
				t.Fatal(err)
			}
		}
	}
	s.restart()
	for i, id := range ids[:2] {
		cp, err := s.store.Checkpoint(t.Context(), projectID, providerID, id)
		if err != nil || cp.Status != karbor.CheckpointAvailable || len(cp.Graph.Nodes()) != 1 || len(cp.Reasons) != 0 {
			t.Errorf("%d: %+v, %v", i, cp, err)
		}
	}
}

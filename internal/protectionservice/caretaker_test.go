package protectionservice_test

import (
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/karbor/karbor/internal/repository/keyring"
)

// TestDeletedCheckpointHasItsDomainCollected: nobody asks for it.
func TestDeletedCheckpointHasItsDomainCollected(t *testing.T) {
	s := newSite(t)
	s.stop()
	key := filepath.Join(t.TempDir(), "key")
	if err := keyring.WriteKeyFile(key); err != nil {
		t.Fatal(err)
	}
	s.repository = "repository: {keys: [{file: " + key + "}]}\nupkeep: {after: 1s}"
	s.start()
	s.usable()
	id := s.protect(s.plan(volume("v1")))
	s.until(id)
	collected := func() bool {
		for key := range s.bank.Snapshot() {
			if strings.Contains(key, "/collectors/") {
				return true
			}
		}
		return false
	}
	if collected() {
		t.Error("it was collected though nothing was deleted")
	}
	if err := s.service.DeleteCheckpoint(t.Context(), s.caller(), providerID, id); err != nil {
		t.Fatal(err)
	}
	s.poll(collected)
}

func TestABankThatHangsHoldsUpTheCareOfNoOtherOfItsProvider(t *testing.T) {
	s := copies(t, "", true)
	s.repository += "upkeep: {after: 1s}\n"
	s.restart()
	plan := s.plan(volume("v1"))
	id := s.protect(plan)
	s.until(id)
	copied := s.untilCopied(s.copy(plan).ID).Checkpoints[0].CopyID
	hangs, goOn := make(chan struct{}), make(chan struct{})
	t.Cleanup(func() { close(goOn) })
	var once sync.Once
	s.far.set(func(key string) error {
		if strings.Contains(key, "/collectors/") {
			once.Do(func() { close(hangs) })
			<-goOn
		}
		return nil
	}, false)
	for _, one := range []string{copied, id} {
		if err := s.service.DeleteCheckpoint(t.Context(), s.caller(), providerID, one); err != nil {
			t.Fatal(err)
		}
		s.until(one)
		if one == copied {
			arrives(t, hangs) // the target's bank is being looked after, and does not come back
		}
	}
	s.poll(func() bool {
		for key := range s.bank.Snapshot() {
			if strings.Contains(key, "/collectors/") {
				return true
			}
		}
		return false
	})
}

package protectionservice_test

import (
	"path/filepath"
	"strings"
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

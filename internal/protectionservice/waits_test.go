package protectionservice_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/repository/keyring"
	"github.com/karbor/karbor/protection"
)

func TestWhatAHookWaitsForIsShownUntilItGoesOn(t *testing.T) {
	s := newSite(t)
	waits, goOn := make(chan struct{}), make(chan struct{})
	s.script.set(karbor.Protect, karbor.VolumeType, protection.Hooks{Main: func(_ context.Context, call *protection.Call) error {
		call.Waiting("It waits for room.")
		close(waits)
		<-goOn
		call.Waiting("")
		return nil
	}})
	id := s.protect(s.plan(volume("v1")))
	reason := func() string {
		rows, err := s.service.CheckpointProgress(t.Context(), s.checkpointOf(id))
		if err != nil || len(rows) != 1 {
			t.Fatalf("%d rows, %v", len(rows), err)
		}
		return rows[0].Reason
	}
	arrives(t, waits)
	if got := reason(); got != "It waits for room." {
		t.Errorf("it says %q", got)
	}
	close(goOn)
	if cp := s.until(id); cp.Status != karbor.CheckpointAvailable || reason() != "" {
		t.Errorf("the checkpoint is %s, and says %q", cp.Status, reason())
	}
}

// TestDocumentsOfAHookTellWhetherTheyAreSealed keeps what a plug-in asks for before it
// keeps a key.
func TestDocumentsOfAHookTellWhetherTheyAreSealed(t *testing.T) {
	for name, sealed := range map[string]bool{"in the clear": false, "sealed": true} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			if sealed {
				key := filepath.Join(t.TempDir(), "key")
				if err := keyring.WriteKeyFile(key); err != nil {
					t.Fatal(err)
				}
				s.repository = "repository: {keys: [{file: " + key + "}]}\n"
				s.restart()
			}
			var got bool
			s.script.set(karbor.Protect, karbor.VolumeType, protection.Hooks{Main: func(_ context.Context, call *protection.Call) error {
				got = protection.Sealed(call.Documents)
				return nil
			}})
			s.until(s.protect(s.plan(volume("v1"))))
			if got != sealed {
				t.Errorf("sealed: %v, want %v", got, sealed)
			}
		})
	}
}

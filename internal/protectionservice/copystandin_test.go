package protectionservice_test

import (
	"context"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice"
	"github.com/karbor/karbor/protection"
)

// restored restores a checkpoint and gives what each volume's data was.
func (s *site) restored(id string) (karbor.Restore, string) {
	s.t.Helper()
	var mu sync.Mutex
	text := ""
	s.script.set(karbor.RestoreOperation, karbor.VolumeType, protection.Hooks{Main: func(ctx context.Context, c *protection.Call) error {
		r, err := c.Data.Open(ctx, "data")
		if err != nil {
			return err
		}
		defer r.Close()
		all, err := io.ReadAll(r)
		mu.Lock()
		defer mu.Unlock()
		text = string(all)
		return err
	}})
	r, err := s.service.Restore(s.t.Context(), s.caller(), protectionservice.RestoreRequest{ProviderID: providerID, CheckpointID: id})
	if err != nil {
		s.t.Fatal(err)
	}
	r = s.untilRestored(r.ID)
	mu.Lock()
	defer mu.Unlock()
	return r, text
}

func TestACopyStandsInForACheckpointThatCanNotBeUsed(t *testing.T) {
	for name, spoil := range map[string]struct {
		do   func(s *site, id string)
		want string
	}{
		"nothing is wrong": {func(*site, string) {}, ""},
		"it is deleted": {func(s *site, id string) {
			if err := s.service.DeleteCheckpoint(s.t.Context(), s.caller(), providerID, id); err != nil {
				s.t.Fatal(err)
			}
			s.until(id)
		}, "it is not there any more"},
		"it is found damaged": {func(s *site, id string) {
			s.damage(id)
			if v := s.untilVerified(s.verify(id, nil).ID); v.Status != karbor.VerificationError {
				s.t.Fatalf("the damage is not found: %+v", v)
			}
		}, "has found faults"},
		"it is damaged, and nobody knows": {func(s *site, id string) { s.damage(id) }, "the data of volume/v1 is damaged"},
		"its data is gone": {func(s *site, id string) {
			for _, key := range s.objects(id + "/nodes/") {
				if err := s.bank.Delete(s.t.Context(), key); err != nil {
					s.t.Fatal(err)
				}
			}
		}, "the data of volume/v1 is"},
		"its bank has lost it": {func(s *site, id string) {
			for _, key := range s.objects(id) {
				if err := s.bank.Delete(s.t.Context(), key); err != nil {
					s.t.Fatal(err)
				}
			}
		}, "it is not in its bank any more"},
		"its bank is gone": {func(s *site, _ string) {
			s.deaf.Store(true)
			s.restart()
		}, "provider test can't be used now"},
	} {
		t.Run(name, func(t *testing.T) {
			s := copies(t, "", false)
			plan := s.plan(volume("v1"))
			original := s.until(s.protect(plan))
			c := s.untilCopied(s.copy(plan).ID)
			spoil.do(s, original.ID)
			r, text := s.restored(original.ID)
			if r.Status != karbor.RestoreSuccess || text != strings.Repeat("v1", 10_000) || r.CheckpointID != original.ID {
				t.Errorf("restored %d bytes: %+v", len(text), r)
			}
			if spoil.want == "" {
				if r.StandIn != nil {
					t.Errorf("a copy stands in: %+v", r.StandIn)
				}
				return
			}
			if r.StandIn == nil || r.StandIn.CheckpointID != c.Checkpoints[0].CopyID || r.StandIn.Bank != "offsite" || !strings.Contains(r.StandIn.Reason, spoil.want) {
				t.Errorf("the stand-in is %+v", r.StandIn)
			}
		})
	}
}

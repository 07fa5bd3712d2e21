package protectionservice_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/evidence"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/protection"
)

// stuckVolumes has the volumes of a shop stay for a reason.
func (s *shop) stuckVolumes(reason string) {
	s.script.set(karbor.RestoreOperation, karbor.VolumeType, protection.Hooks{
		Main: s.restoreOne, Drill: protection.DrilledAlone,
		Undo: func(context.Context, *protection.Call) error {
			if reason == "" {
				return nil
			}
			return karbor.Errorf(karbor.Forbidden, "%s", reason)
		},
	})
}

func TestReasonOfADrillIsShortAndItsRecordWhole(t *testing.T) {
	s := newDrillShop(t, nil)
	s.stuckVolumes("it may not be deleted " + strings.Repeat("é", 3000))
	d, err := s.service.Drill(t.Context(), s.caller(), s.request())
	if err != nil {
		t.Fatal(err)
	}
	got := s.ended(d.ID)
	if len(got.Reason) > 8<<10 || !strings.Contains(got.Reason, "more in the record") {
		t.Errorf("the reason has %d bytes: …%s", len(got.Reason), got.Reason[max(0, len(got.Reason)-200):])
	}
	if log, err := s.store.OperationLog(t.Context(), projectID, d.ID); err != nil || len(log.ErrorInfo) > 8<<10 {
		t.Errorf("the log's reason has %d bytes, %v", len(log.ErrorInfo), err)
	}
	text, err := s.store.DrillEvidence(t.Context(), projectID, d.ID)
	if err != nil {
		t.Fatal(err)
	}
	var file evidence.Signed
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	if left := fmt.Sprint(file.Record.Left); strings.Count(left, strings.Repeat("é", 3000)) != 3 {
		t.Errorf("the record tells of %d things that are left", len(file.Record.Left))
	}
}

func TestWhatADrillHasLeftIsRemovedWithoutItsCheckpoint(t *testing.T) {
	s := newDrillShop(t, nil)
	s.stuckVolumes("it may not be deleted")
	d, err := s.service.Drill(t.Context(), s.caller(), s.request())
	if err != nil {
		t.Fatal(err)
	}
	s.ended(d.ID)
	if err := s.service.DeleteCheckpoint(t.Context(), s.caller(), providerID, s.checkpoint); err != nil {
		t.Fatal(err)
	}
	s.poll(func() bool {
		_, err := s.store.Checkpoint(t.Context(), projectID, providerID, s.checkpoint)
		return karbor.KindOf(err) == karbor.NotFound && err != nil
	})
	s.stop()
	s.stuckVolumes("")
	s.ahead = 2 * time.Hour
	s.restart()
	s.poll(func() bool {
		left := slices.DeleteFunc(s.leftovers(s.checkpoint), func(l store.Leftover) bool { return !strings.HasPrefix(string(l.Key), "volume/") })
		if slices.ContainsFunc(left, func(l store.Leftover) bool { return l.GivenUp }) {
			t.Fatalf("it is given up: %+v", left)
		}
		return len(left) == 0
	})
}

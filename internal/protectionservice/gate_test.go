package protectionservice_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice"
	"github.com/karbor/karbor/internal/protectionservice/deletion"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/protection"
)

// goodOne makes a checkpoint and has it verified.
func (s *site) goodOne(plan string) string {
	s.t.Helper()
	id := s.protect(plan)
	if cp := s.until(id); cp.Status != karbor.CheckpointAvailable {
		s.t.Fatalf("it is %s: %v", cp.Status, cp.Reasons)
	}
	if v := s.untilVerified(s.verify(id, nil).ID); v.Status != karbor.VerificationSuccess {
		s.t.Fatalf("it is not good: %+v", v)
	}
	return id
}

func (s *site) delete(id string) error {
	s.t.Helper()
	return s.service.DeleteCheckpoint(s.t.Context(), s.caller(), providerID, id)
}

// once gives the answer of a service that has just started as soon as it can use its bank.
func (s *site) once(ask func() error) error {
	s.t.Helper()
	var err error
	s.poll(func() bool {
		err = ask()
		return err == nil || karbor.KindOf(err) != karbor.Unavailable
	})
	return err
}

// wantRefused wants a Conflict that says something, and the checkpoint as it was.
func (s *site) wantRefused(id string, err error, texts ...string) {
	s.t.Helper()
	if karbor.KindOf(err) != karbor.Conflict {
		s.t.Fatalf("it answers %v", err)
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			s.t.Errorf("%q does not say %q", err, text)
		}
	}
	if cp := s.until(id); cp.Status != karbor.CheckpointAvailable {
		s.t.Errorf("it is %s", cp.Status)
	}
}

func (s *site) keeping(id string) karbor.Keeping {
	s.t.Helper()
	found, err := s.store.Keepings(s.t.Context(), providerID, []string{id})
	if err != nil {
		s.t.Fatal(err)
	}
	return found[id]
}

// deletionLog gives what the log of a deletion says of it.
func (s *site) deletionLog(id string) map[string]string {
	s.t.Helper()
	logs, err := s.store.OperationLogs(s.t.Context(), store.OperationLogFilter{ProjectID: projectID, CheckpointID: id}, store.Page{})
	if err != nil {
		s.t.Fatal(err)
	}
	for _, l := range logs {
		if raw := l.ExtraInfo[deletion.Info]; l.OperationType == karbor.Delete && raw != nil {
			var out map[string]string
			if err := json.Unmarshal(raw, &out); err != nil {
				s.t.Fatal(err)
			}
			return out
		}
	}
	return nil
}

func TestNewestVerifiedCheckpointOfAResourceGoesByForceOnly(t *testing.T) {
	s := newSite(t)
	s.keep()
	plan := s.plan(volume("v1"), volume("v2"))
	old := s.goodOne(plan)
	newest := s.goodOne(plan)
	unverified := s.protect(plan)
	s.until(unverified)
	s.wantRefused(newest, s.delete(newest), "the volume v1", "the volume v2", "verify a newer one first", "by force")
	for _, id := range []string{unverified, old} {
		if err := s.delete(id); err != nil {
			t.Fatal(err)
		}
		if cp := s.until(id); cp.Status != karbor.CheckpointDeleted {
			t.Errorf("it is %s: %v", cp.Status, cp.Reasons)
		}
	}
	if err := s.service.ForceDeleteCheckpoint(t.Context(), s.caller(), providerID, newest, " "); karbor.KindOf(err) != karbor.Invalid {
		t.Errorf("without a reason it answers %v", err)
	}
	if err := s.service.ForceDeleteCheckpoint(t.Context(), s.caller(), providerID, newest, "the customer asked for it"); err != nil {
		t.Fatal(err)
	}
	if cp := s.until(newest); cp.Status != karbor.CheckpointDeleted {
		t.Errorf("it is %s", cp.Status)
	}
	want := map[string]string{"by": "force", "user_id": "u", "reason": "the customer asked for it"}
	if diff := cmp.Diff(want, s.deletionLog(newest)); diff != "" {
		t.Error(diff)
	}
	if said := s.deletionLog(old); said != nil {
		t.Errorf("a plain delete says %v", said)
	}
}

func TestLastVerifiedIsWhatTheNewestVerificationFound(t *testing.T) {
	s := newSite(t)
	s.keep()
	id := s.protect(s.plan(volume("v1"), volume("v2")))
	s.until(id)
	if k := s.keeping(id); k != (karbor.Keeping{}) {
		t.Errorf("a new one is kept %+v", k)
	}
	s.untilVerified(s.verify(id, nil).ID)
	k := s.keeping(id)
	if k.LastVerified == nil || k.LastVerified.Depth != "full" || k.LastVerified.Result != karbor.VerificationSuccess || k.LastVerified.At.IsZero() {
		t.Fatalf("it was verified %+v", k.LastVerified)
	}
	first := k.LastVerified.At
	for _, key := range s.objects("/documents/metadata")[:1] {
		if err := s.bank.Delete(t.Context(), key); err != nil {
			t.Fatal(err)
		}
		if err := s.bank.Put(t.Context(), key, strings.NewReader("{"), 1); err != nil {
			t.Fatal(err)
		}
	}
	s.untilVerified(s.verify(id, nil).ID)
	k = s.keeping(id)
	if k.LastVerified.Result != karbor.VerificationError || !k.LastVerified.At.After(first) {
		t.Errorf("damaged, it was verified %+v", k.LastVerified)
	}
	// Of the other volume it still is the newest that is good.
	s.wantRefused(id, s.delete(id), "has found the volume v")
}

func TestResourcesOfWhichNothingIsKeptAreNeverTheNewestVerified(t *testing.T) {
	s := newSite(t)
	id := s.goodOne(s.plan(volume("v1"))) // its plug-in keeps nothing
	if k := s.keeping(id); k.LastVerified == nil || k.LastVerified.Result != karbor.VerificationSuccess {
		t.Errorf("it was verified %+v", k.LastVerified)
	}
	if err := s.delete(id); err != nil {
		t.Error(err)
	}
}

func TestHeldCheckpointIsDeletedByNobody(t *testing.T) {
	s := newSite(t)
	id := s.protect(s.plan(volume("v1")))
	s.until(id)
	ctx := t.Context()
	if _, err := s.service.HoldCheckpoint(ctx, s.caller(), providerID, id, "", time.Time{}); karbor.KindOf(err) != karbor.Invalid {
		t.Errorf("without a reason: %v", err)
	}
	if _, err := s.service.HoldCheckpoint(ctx, s.caller(), providerID, id, "audit", s.now().Add(-time.Second)); karbor.KindOf(err) != karbor.Invalid {
		t.Errorf("until yesterday: %v", err)
	}
	until := s.now().Add(time.Hour)
	k, err := s.service.HoldCheckpoint(ctx, s.caller(), providerID, id, "audit", until)
	if err != nil || k.Hold.UserID != "u" || k.Hold.Reason != "audit" {
		t.Fatalf("%+v, %v", k, err)
	}
	s.wantRefused(id, s.delete(id), "is held until", "audit", "released")
	s.wantRefused(id, s.service.ForceDeleteCheckpoint(ctx, s.caller(), providerID, id, "now"), "is held until")
	s.restart() // a hold outlives the process
	s.wantRefused(id, s.once(func() error { return s.delete(id) }), "is held until")
	if _, err := s.service.ReleaseCheckpoint(ctx, s.caller(), providerID, id); err != nil {
		t.Fatal(err)
	}
	if _, err := s.service.HoldCheckpoint(ctx, s.caller(), providerID, id, "again", until); err != nil {
		t.Fatal(err)
	}
	s.stop()
	s.ahead = 2 * time.Hour // the hold is over
	s.start()
	if err := s.once(func() error { return s.delete(id) }); err != nil {
		t.Fatal(err)
	}
	if cp := s.until(id); cp.Status != karbor.CheckpointDeleted {
		t.Errorf("it is %s", cp.Status)
	}
}

func TestExpiredCheckpointIsDeletedByItselfThroughTheGate(t *testing.T) {
	s := newSite(t)
	s.keep()
	plan := s.plan(volume("v1"))
	ctx, at := t.Context(), s.now().Add(time.Hour)
	cp, err := s.service.Protect(ctx, s.caller(), protectionservice.ProtectRequest{ProviderID: providerID, PlanID: plan, ExpiresAt: at})
	if err != nil {
		t.Fatal(err)
	}
	plain, held := s.protect(plan), s.protect(plan)
	s.until(cp.ID)
	s.until(plain)
	s.until(held)
	verified := s.goodOne(plan)
	for _, id := range []string{held, verified} {
		if k, err := s.service.ExpireCheckpoint(ctx, s.caller(), providerID, id, at); err != nil || !k.ExpiresAt.Equal(at.Truncate(time.Microsecond)) {
			t.Fatalf("%+v, %v", k, err)
		}
	}
	if _, err := s.service.ExpireCheckpoint(ctx, s.caller(), providerID, plain, s.now().Add(-time.Second)); karbor.KindOf(err) != karbor.Invalid {
		t.Errorf("yesterday: %v", err)
	}
	if _, err := s.service.HoldCheckpoint(ctx, s.caller(), providerID, held, "audit", time.Time{}); err != nil {
		t.Fatal(err)
	}
	s.stop()
	s.ahead = 2 * time.Hour
	s.start()
	s.poll(func() bool {
		_, err := s.store.Checkpoint(ctx, projectID, providerID, cp.ID)
		return karbor.KindOf(err) == karbor.NotFound && err != nil
	})
	if said := s.deletionLog(cp.ID); said["by"] != deletion.ByExpiry || said["user_id"] != "u" || !strings.Contains(said["reason"], "expired") {
		t.Errorf("the log says %v", said)
	}
	for _, id := range []string{plain, held, verified} {
		if now := s.until(id); now.Status != karbor.CheckpointAvailable {
			t.Errorf("%s is %s", id, now.Status)
		}
	}
}

func TestExpiryThatNeedsTheCloudNeedsACredential(t *testing.T) {
	s := newSite(t)
	s.script.set(karbor.Delete, karbor.VolumeType, protection.Hooks{Main: s.script.note("delete")})
	plan := s.plan(volume("v1"))
	id := s.protect(plan)
	s.until(id)
	at := s.now().Add(time.Hour)
	_, err := s.service.ExpireCheckpoint(t.Context(), s.caller(), providerID, id, at)
	s.wantRefused(id, err, "register an application credential")
	_, err = s.service.Protect(t.Context(), s.caller(), protectionservice.ProtectRequest{ProviderID: providerID, PlanID: plan, ExpiresAt: at})
	s.wantRefused(id, err, "register an application credential")
}

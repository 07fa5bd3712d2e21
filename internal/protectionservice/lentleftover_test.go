package protectionservice_test

import (
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice"
)

func TestRemovingWhatAScheduledRunLeftDoesNotRevokeItsSchedulesTrust(t *testing.T) {
	s := newSite(t)
	thing := &stubborn{remove: refusal()}
	s.script.set(karbor.Protect, karbor.VolumeType, thing.hooks())
	r := s.scheduled(s.plan(volume("v1")))
	b, err := s.delegations.Borrow(t.Context(), r.ScheduledOperationID, r.Delegation)
	if err != nil {
		t.Fatal(err)
	}
	c := protectionservice.Caller{Identity: b.Identity, Cloud: b.Cloud, Borrowed: &b.Delegation}
	c.Run = &protectionservice.ScheduledRun{Claim: r.Claim, ScheduledOperationID: r.ScheduledOperationID, TriggerID: r.Operation.TriggerID}
	cp, err := s.service.Protect(t.Context(), c, protectionservice.ProtectRequest{ProviderID: providerID, PlanID: r.Operation.Definition.PlanID})
	if err != nil {
		t.Fatal(err)
	}
	s.until(cp.ID)
	if l := s.leftovers(cp.ID); len(l) != 1 {
		t.Fatalf("the ledger holds %+v", l)
	}
	thing.set(nil)
	if err := s.service.DeleteCheckpoint(t.Context(), s.caller(), providerID, cp.ID); err != nil {
		t.Fatal(err)
	}
	s.poll(func() bool { return len(s.leftovers(cp.ID)) == 0 })
	s.revoked(1)
	if err := s.delegations.ReturnLent(t.Context(), r.ScheduledOperationID, r.Delegation); err != nil {
		t.Error(err)
	}
	s.revoked(0)
}

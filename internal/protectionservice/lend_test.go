package protectionservice_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/protection"
)

// scheduled keeps a scheduled operation of a plan that the caller lends their rights to,
// has its run come and claims it.
func (s *site) scheduled(plan string) store.ClaimedRun {
	s.t.Helper()
	ctx := s.t.Context()
	o := karbor.ScheduledOperation{
		ID: karbor.NewID(), ProjectID: projectID, UserID: "u", Name: "o", OperationType: karbor.ScheduledProtect, Enabled: true,
		TriggerID: karbor.NewID(), Definition: karbor.OperationDefinition{PlanID: plan, ProviderID: providerID},
	}
	g := karbor.Trigger{ID: o.TriggerID, ProjectID: projectID, Name: "t", Type: karbor.TimeTrigger,
		Properties: karbor.TriggerProperties{Format: karbor.Crontab, Pattern: "* * * * *", StartTime: time.Now().Add(-time.Hour)}}
	lent, err := s.delegations.Lend(ctx, s.caller().Identity, projectID, o.ID)
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.store.CreateTrigger(ctx, g); err != nil {
		s.t.Fatal(err)
	}
	if err := s.store.CreateSchedule(ctx, o, karbor.OverlapSkip, &lent); err != nil {
		s.t.Fatal(err)
	}
	now := time.Now().Add(time.Minute)
	if _, _, err := s.store.Fire(ctx, now); err != nil {
		s.t.Fatal(err)
	}
	claimed, _, err := s.store.ClaimRuns(ctx, store.Lease{Owner: "me", Now: now, Until: now.Add(time.Minute)}, 10)
	if err != nil || len(claimed) == 0 {
		s.t.Fatalf("claimed are %v, %v", claimed, err)
	}
	return claimed[0]
}

func TestAScheduledRunBorrowsAndGivesNothingBack(t *testing.T) {
	s := newSite(t)
	s.script.set(karbor.Protect, karbor.VolumeType, protection.Hooks{Main: s.script.note("main")})
	r := s.scheduled(s.plan(karbor.Resource{Type: karbor.VolumeType, ID: "v", Name: "v"}))
	b, err := s.delegations.Borrow(t.Context(), r.ScheduledOperationID, r.Delegation)
	if err != nil {
		t.Fatal(err)
	}
	c := protectionservice.Caller{Identity: b.Identity, Cloud: b.Cloud, Borrowed: &b.Delegation}
	c.Run = &protectionservice.ScheduledRun{Claim: r.Claim, ScheduledOperationID: r.ScheduledOperationID, TriggerID: r.Operation.TriggerID}
	request := protectionservice.ProtectRequest{ProviderID: providerID, PlanID: r.Operation.Definition.PlanID}
	cp, err := s.service.Protect(t.Context(), c, request)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.service.Protect(t.Context(), c, request); karbor.KindOf(err) != karbor.Conflict {
		t.Errorf("the same run again: %v", err)
	}
	if cp = s.until(cp.ID); cp.Status != karbor.CheckpointAvailable {
		t.Fatalf("the checkpoint is %s: %v", cp.Status, cp.Reasons)
	}
	for name, want := range map[string]string{"created_by": "operation-engine", "trigger_id": r.Operation.TriggerID, "scheduled_operation_id": r.ScheduledOperationID} {
		if got := string(cp.ExtraInfo[name]); got != `"`+want+`"` {
			t.Errorf("%s is %s", name, got)
		}
	}
	l, err := s.store.OperationLog(t.Context(), projectID, r.ID)
	if err != nil || l.ScheduledOperationID != r.ScheduledOperationID {
		t.Errorf("the log is %+v, %v", l, err)
	}
	if granted, revoked := s.authority.counts(); granted != 1 || revoked != 0 {
		t.Errorf("%d delegations were granted, %d revoked; the one of the schedule stays", granted, revoked)
	}
	if err := s.delegations.ReturnLent(t.Context(), r.ScheduledOperationID, r.Delegation); err != nil {
		t.Error(err)
	}
	s.revoked(0)
}

func TestALentDelegationIsForItsScheduledOperationOnly(t *testing.T) {
	s := newSite(t)
	lent, err := s.delegations.Lend(t.Context(), s.caller().Identity, projectID, "one")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(lent.Sealed), "trust") {
		t.Error("it lies in the clear")
	}
	if _, err := s.delegations.Borrow(t.Context(), "another", lent.Sealed); err == nil {
		t.Error("another scheduled operation can use it")
	}
	if _, err := s.delegations.Lend(t.Context(), s.caller().Identity, "elsewhere", "one"); karbor.KindOf(err) != karbor.Forbidden {
		t.Errorf("lending for another project: %v", err)
	}
}

func TestRolesOfAdministratorsAreNotLent(t *testing.T) {
	s := newSite(t)
	for _, test := range []struct{ has, want []string }{
		{[]string{"admin", "member", "reader"}, []string{"member", "reader"}},
		{[]string{"member"}, []string{"member"}},
		{[]string{"Admin", "member"}, []string{"member"}},
		{[]string{"admin"}, []string{"admin"}},
	} {
		c := s.caller()
		c.Identity.Roles = test.has
		if _, err := s.delegations.Lend(t.Context(), c.Identity, c.Identity.ProjectID, "one"); err != nil {
			t.Fatal(err)
		}
		if got := s.authority.lastRoles(); !slices.Equal(got, test.want) {
			t.Errorf("of %v are lent %v", test.has, got)
		}
	}
}

package protectionservice_test

import (
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/protection"
)

// claimedCaller gives the caller of a run that was claimed.
func (s *site) claimedCaller(r store.ClaimedRun, step *store.RunStep) protectionservice.Caller {
	s.t.Helper()
	b, err := s.delegations.Borrow(s.t.Context(), r.ScheduledOperationID, r.Delegation)
	if err != nil {
		s.t.Fatal(err)
	}
	return protectionservice.Caller{Identity: b.Identity, Cloud: b.Cloud, Borrowed: &b.Delegation, Run: &protectionservice.ScheduledRun{
		Claim: r.Claim, ScheduledOperationID: r.ScheduledOperationID, TriggerID: r.Operation.TriggerID, Step: step,
	}}
}

func TestAScheduledVerificationIsThatOfItsRun(t *testing.T) {
	s := newSite(t)
	s.keep()
	s.restart()
	plan := s.plan(volume("v1"))
	cp := s.until(s.protect(plan))
	r := s.scheduled(plan)
	if err := s.store.PlanRun(t.Context(), r.Claim, []string{cp.ID}); err != nil {
		t.Fatal(err)
	}
	c := s.claimedCaller(r, &store.RunStep{Position: 0, OperationID: r.ID})
	request := protectionservice.VerifyRequest{ProviderID: providerID, CheckpointID: cp.ID}
	v, err := s.service.Verify(t.Context(), c, request)
	if err != nil || v.ID != r.ID {
		t.Fatalf("accepted: %+v, %v", v, err)
	}
	if _, err := s.service.Verify(t.Context(), c, request); karbor.KindOf(err) != karbor.Conflict {
		t.Errorf("the same again: %v", err)
	}
	if v = s.untilVerified(v.ID); v.Status != karbor.VerificationSuccess {
		t.Errorf("it ended as %+v", v)
	}
	if l := s.logOf(r.ID); l.ScheduledOperationID != r.ScheduledOperationID || string(l.ExtraInfo["scheduled_operation_id"]) != `"`+r.ScheduledOperationID+`"` {
		t.Errorf("the log is %+v", l)
	}
	if found, err := s.store.RunOperations(t.Context(), r.ID); err != nil || found[0].OperationID != v.ID {
		t.Errorf("the run has %+v, %v", found, err)
	}
}

func TestAScheduledCopyIsThatOfItsRun(t *testing.T) {
	s := copies(t, "", false)
	plan := s.plan(volume("v1"))
	s.until(s.protect(plan))
	r := s.scheduled(plan)
	request := protectionservice.CopyRequest{ProviderID: providerID, PlanID: plan, Targets: []string{"offsite"}}
	made, err := s.service.Copy(t.Context(), s.claimedCaller(r, nil), request)
	if err != nil || made.ID != r.ID {
		t.Fatalf("accepted: %+v, %v", made, err)
	}
	if done := s.untilCopied(made.ID); done.Status != karbor.CopyFinished {
		t.Errorf("it ended as %+v", done)
	}
}

func TestARunOfAProviderThatIsGoneSaysSo(t *testing.T) {
	s := newSite(t)
	s.script.set(karbor.Protect, karbor.VolumeType, protection.Hooks{Main: s.script.note("main")})
	plan := s.plan(volume("v1"))
	s.none = true
	s.restart()
	r := s.scheduled(plan)
	_, err := s.service.Protect(t.Context(), s.claimedCaller(r, nil), protectionservice.ProtectRequest{ProviderID: providerID, PlanID: plan})
	if karbor.KindOf(err) != karbor.NotFound || karbor.Sentence(err) != "there is no provider "+providerID {
		t.Errorf("a run of a provider whose file is gone: %v", err)
	}
}

func TestWhatAProviderDoesNotOfferIsNoSchedule(t *testing.T) {
	s := copies(t, "", false)
	check := func(kind karbor.ScheduledOperationType, d karbor.OperationDefinition) error {
		if d.ProviderID == "" {
			d.ProviderID = providerID
		}
		return s.service.CheckSchedule(t.Context(), kind, d)
	}
	for name, d := range map[karbor.ScheduledOperationType]karbor.OperationDefinition{
		karbor.ScheduledProtect: {ProviderID: "checked when it is kept"}, karbor.ScheduledVerify: {}, karbor.ScheduledCopy: {Targets: []string{"offsite"}},
	} {
		if err := check(name, d); err != nil {
			t.Errorf("a %s: %v", name, err)
		}
	}
	for name, err := range map[string]error{
		"a provider that there is not": check(karbor.ScheduledVerify, karbor.OperationDefinition{ProviderID: karbor.NewID()}),
		"a depth that there is not":    check(karbor.ScheduledVerify, karbor.OperationDefinition{Depth: "deepest"}),
		"a target that there is not":   check(karbor.ScheduledCopy, karbor.OperationDefinition{Targets: []string{"offsite", "nowhere"}}),
	} {
		if karbor.KindOf(err) != karbor.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

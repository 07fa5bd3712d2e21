package protectionservice_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice"
	"github.com/karbor/karbor/internal/protectionservice/admission"
	"github.com/karbor/karbor/internal/protectionservice/deletion"
	"github.com/karbor/karbor/internal/store"
)

// history puts checkpoints of a plan into the bank and the catalogue that were made by a
// schedule, one a day, and gives their ids, the oldest first.
func (s *site) history(plan string, days int) []string {
	s.t.Helper()
	var ids []string
	for i := range days {
		id := s.protect(plan)
		cp := s.until(id)
		cp.CreatedAt = s.now().AddDate(0, 0, i-days)
		cp.ExtraInfo[admission.CreatedBy] = json.RawMessage(`"` + admission.ScheduledBy + `"`)
		if err := s.store.PutCheckpoint(s.t.Context(), cp); err != nil {
			s.t.Fatal(err)
		}
		ids = append(ids, id)
	}
	return ids
}

func (s *site) retain(r protectionservice.RetentionRequest) protectionservice.RetentionResult {
	s.t.Helper()
	result, err := s.service.ApplyRetention(s.t.Context(), s.caller(), r)
	if err != nil {
		s.t.Fatal(err)
	}
	return result
}

// going gives the ids of those that go.
func going(r protectionservice.RetentionResult) []string {
	var out []string
	for _, v := range r.Verdicts {
		if v.Goes {
			out = append([]string{v.CheckpointID}, out...)
		}
	}
	return out
}

func TestRetentionDeletesWhatTheRulesDoNotKeep(t *testing.T) {
	s := newSite(t)
	s.keep()
	plan, other := s.plan(volume("v1")), s.plan(volume("v2"))
	ids := s.history(plan, 5)
	foreign := s.history(other, 3)
	manual := s.protect(plan)
	s.until(manual)
	if _, err := s.service.HoldCheckpoint(t.Context(), s.caller(), providerID, ids[0], "audit", time.Time{}); err != nil {
		t.Fatal(err)
	}
	s.untilVerified(s.verify(ids[1], nil).ID)
	ask := protectionservice.RetentionRequest{PlanID: plan, Rules: karbor.RetentionRules{MaxBackups: 2}, After: ids[4], DryRun: true}
	tried := s.retain(ask)
	if diff := cmp.Diff([]string{ids[2]}, going(tried)); diff != "" || tried.Refused != "" {
		t.Fatalf("%s%s", tried.Refused, diff)
	}
	if len(tried.Verdicts) != 6 || tried.Verdicts[0].CheckpointID != manual || tried.Verdicts[0].Reasons[0] != "It was made by hand, and not by a schedule." {
		t.Errorf("the verdicts are %+v", tried.Verdicts)
	}
	for i, want := range map[int]string{5: "audit", 4: "the volume v1 was verified"} {
		if got := strings.Join(tried.Verdicts[i].Reasons, " "); !strings.Contains(got, want) {
			t.Errorf("number %d stays because %q", i, got)
		}
	}
	if cp := s.until(ids[2]); cp.Status != karbor.CheckpointAvailable {
		t.Errorf("after a dry run it is %s", cp.Status)
	}
	ask.DryRun = false
	if diff := cmp.Diff([]string{ids[2]}, going(s.retain(ask))); diff != "" {
		t.Error(diff)
	}
	if cp := s.until(ids[2]); cp.Status != karbor.CheckpointDeleted {
		t.Errorf("it is %s: %v", cp.Status, cp.Reasons)
	}
	if said := s.deletionLog(ids[2]); said["by"] != deletion.ByRetention || !strings.Contains(said["reason"], "max_backups is 2") {
		t.Errorf("the log says %v", said)
	}
	for _, id := range append(append(ids[:2:2], ids[3:]...), append(foreign, manual)...) {
		if cp := s.until(id); cp.Status != karbor.CheckpointAvailable {
			t.Errorf("%s is %s", id, cp.Status)
		}
	}
}

func TestDeletionsAfterARunAreOfItsScheduledOperation(t *testing.T) {
	s := newSite(t)
	plan := s.plan(volume("v1"))
	ids := s.history(plan, 2)
	c := s.caller()
	c.Run = &protectionservice.ScheduledRun{ScheduledOperationID: "nightly"}
	ask := protectionservice.RetentionRequest{PlanID: plan, Rules: karbor.RetentionRules{MaxBackups: 1}, After: ids[1]}
	if _, err := s.service.ApplyRetention(t.Context(), c, ask); err != nil {
		t.Fatal(err)
	}
	logs, err := s.store.OperationLogs(t.Context(), store.OperationLogFilter{ProjectID: projectID, CheckpointID: ids[0]}, store.Page{})
	if err != nil {
		t.Fatal(err)
	}
	logs = slices.DeleteFunc(logs, func(l karbor.OperationLog) bool { return l.OperationType != karbor.Delete })
	if len(logs) != 1 || logs[0].ScheduledOperationID != "nightly" || s.deletionLog(ids[0])["scheduled_operation_id"] != "nightly" {
		t.Errorf("the log has %+v", logs)
	}
	s.until(ids[0])
}

func TestNothingGoesAfterARunThatFailed(t *testing.T) {
	s := newSite(t)
	plan := s.plan(volume("v1"))
	ids := s.history(plan, 4)
	ask := protectionservice.RetentionRequest{PlanID: plan, Rules: karbor.RetentionRules{MaxBackups: 1}, After: karbor.NewID()}
	if got := s.retain(ask); len(going(got)) > 0 || !strings.Contains(got.Refused, "failed") {
		t.Errorf("after a run without a checkpoint: %+v", got)
	}
	if err := s.service.ResetCheckpoint(t.Context(), s.caller(), providerID, ids[3], karbor.CheckpointError); err != nil {
		t.Fatal(err)
	}
	for _, after := range []string{"", ids[3]} {
		ask.After = after
		if got := s.retain(ask); len(going(got)) > 0 || !strings.Contains(got.Refused, "failed") {
			t.Errorf("after %q: %+v", after, got)
		}
	}
}

func TestRetentionKeepsWhatIsDamagedOutOfTheCount(t *testing.T) {
	s := newSite(t)
	s.keep()
	plan := s.plan(volume("v1"))
	ids := s.history(plan, 3)
	for _, key := range s.objects(ids[2] + "/nodes/") {
		if !strings.HasSuffix(key, "/documents/metadata") {
			continue
		}
		if err := s.bank.Delete(t.Context(), key); err != nil {
			t.Fatal(err)
		}
		if err := s.bank.Put(t.Context(), key, strings.NewReader("{"), 1); err != nil {
			t.Fatal(err)
		}
	}
	if v := s.untilVerified(s.verify(ids[2], nil).ID); v.Status != karbor.VerificationError {
		t.Fatalf("it is %s", v.Status)
	}
	got := s.retain(protectionservice.RetentionRequest{PlanID: plan, Rules: karbor.RetentionRules{MaxBackups: 1}})
	if diff := cmp.Diff([]string{ids[0]}, going(got)); diff != "" {
		t.Errorf("the last good one must stay: %s", diff)
	}
}

func TestRetentionRefusesRulesThatMeanNothing(t *testing.T) {
	s := newSite(t)
	plan := s.plan(volume("v1"))
	for _, rules := range []karbor.RetentionRules{
		{MaxBackups: -1}, {RetentionDuration: 40_000}, {Keep: karbor.KeepRules{Daily: -1}}, {MaxBackups: 1, Timezone: "Mars/Base"}, {MaxBackups: 1, Timezone: "Local"},
	} {
		if _, err := s.service.ApplyRetention(t.Context(), s.caller(), protectionservice.RetentionRequest{PlanID: plan, Rules: rules}); karbor.KindOf(err) != karbor.Invalid {
			t.Errorf("%+v: %v", rules, err)
		}
	}
	stranger := s.caller()
	stranger.Identity = &karbor.Identity{UserID: "x", ProjectID: otherProject}
	if _, err := s.service.ApplyRetention(t.Context(), stranger, protectionservice.RetentionRequest{PlanID: plan, Rules: karbor.RetentionRules{MaxBackups: 1}}); karbor.KindOf(err) != karbor.NotFound {
		t.Errorf("a stranger gets %v", err)
	}
	if got := s.retain(protectionservice.RetentionRequest{PlanID: plan}); got.Refused == "" {
		t.Error("rules without a limit are applied")
	}
}

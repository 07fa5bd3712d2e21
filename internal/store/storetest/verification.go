package storetest

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
)

func testVerifications(t *testing.T, s *store.Store) {
	ctx := t.Context()
	var made []karbor.Verification
	for i, status := range []karbor.VerificationStatus{karbor.VerificationSuccess, karbor.VerificationError} {
		c := available(t, s, "project")
		now := nextDate()
		v := karbor.Verification{
			ID: karbor.NewID(), ProjectID: "project", ProviderID: c.ProviderID, CheckpointID: c.ID, Status: status,
			Parameters:      karbor.Parameters{"OS::Cinder::Volume": {"deep": true}},
			ResourcesStatus: map[string]karbor.VerificationStatus{"OS::Cinder::Volume#1": status},
			ResourcesReason: map[string]string{"OS::Cinder::Volume#1": "gone"},
			CreatedAt:       now, UpdatedAt: now,
		}
		a := Acceptance(karbor.Verify, c)
		a.Verification = &v
		must(t, s.Accept(ctx, a))
		if i == 0 {
			again := Acceptance(karbor.Verify, c)
			again.Verification = &v
			wantKind(t, s.Accept(ctx, again), karbor.Conflict)
			// Others may read what is being verified, and nobody may delete it.
			must(t, s.Accept(ctx, Acceptance(karbor.RestoreOperation, c)))
			wantKind(t, s.Accept(ctx, Acceptance(karbor.Delete, c)), karbor.Conflict)
			_, err := s.OperationOf(ctx, "project", store.Target{CheckpointID: c.ID})
			wantKind(t, err, karbor.NotFound)
		}
		made = append(made, v)
	}
	got, err := s.Verification(ctx, "project", made[0].ID)
	must(t, err)
	same(t, made[0], got)
	_, err = s.Verification(ctx, "other", made[0].ID)
	wantKind(t, err, karbor.NotFound)
	for _, f := range []store.VerificationFilter{
		{Status: "error"}, {CheckpointID: made[1].CheckpointID}, {Status: "error", ProviderID: "provider"},
	} {
		f.ProjectID = "project"
		list, err := s.Verifications(ctx, f, store.Page{Sort: []store.Sort{{Key: "checkpoint_id"}}})
		must(t, err)
		same(t, made[1:], list)
	}
	for _, f := range []store.VerificationFilter{{ProjectID: "other"}, {ProviderID: "other"}, {Status: "verifying"}} {
		if list, err := s.Verifications(ctx, f, store.Page{}); err != nil || len(list) > 0 {
			t.Errorf("%+v gives %v, %v", f, list, err)
		}
	}
}

func testEndOfAVerification(t *testing.T, s *store.Store) {
	ctx := t.Context()
	c := available(t, s, "project")
	now := nextDate()
	made := karbor.Verification{
		ID: karbor.NewID(), ProjectID: "project", ProviderID: c.ProviderID, CheckpointID: c.ID,
		Status: karbor.VerificationVerifying, Parameters: karbor.Parameters{}, CreatedAt: now, UpdatedAt: now,
	}
	a := Acceptance(karbor.Verify, c)
	a.Operation.ID, a.Log.ID = made.ID, made.ID
	a.Verification = &made
	must(t, s.Accept(ctx, a))
	before, err := s.Checkpoint(ctx, "project", c.ProviderID, c.ID)
	must(t, err)
	o := store.Outcome{
		VerificationStatus: karbor.VerificationError, LogStatus: karbor.LogError, ErrorInfo: "it is damaged",
		ResourcesStatus: map[string]karbor.ResourceState{"OS::Cinder::Volume#1": karbor.ResourceError, "OS::Nova::Server#2": karbor.ResourceVerified},
		ResourcesReason: map[string]string{"OS::Cinder::Volume#1": "it is damaged"},
	}
	must(t, s.EndOperation(ctx, made.ID, o))
	// The first outcome stays.
	must(t, s.EndOperation(ctx, made.ID, store.Outcome{VerificationStatus: karbor.VerificationSuccess, LogStatus: karbor.LogSuccess}))
	got, err := s.Verification(ctx, "project", made.ID)
	must(t, err)
	made.Status, made.ResourcesReason = karbor.VerificationError, o.ResourcesReason
	made.ResourcesStatus = map[string]karbor.VerificationStatus{"OS::Cinder::Volume#1": karbor.VerificationError, "OS::Nova::Server#2": karbor.VerificationSuccess}
	made.UpdatedAt = got.UpdatedAt
	same(t, made, got)
	log, err := s.OperationLog(ctx, "project", made.ID)
	must(t, err)
	if log.Status != karbor.LogError || log.ErrorInfo != "it is damaged" || log.EndedAt.IsZero() {
		t.Errorf("the log is %+v", log)
	}
	// What was verified is as it was, and may be deleted now.
	after, err := s.Checkpoint(ctx, "project", c.ProviderID, c.ID)
	must(t, err)
	if after.Status != before.Status || after.Size != before.Size || !after.UpdatedAt.Equal(before.UpdatedAt) || len(after.Reasons) > 0 {
		t.Errorf("the checkpoint was %+v, and is %+v", before, after)
	}
	must(t, s.Accept(ctx, Acceptance(karbor.Delete, c)))
}

func testCopies(t *testing.T, s *store.Store) {
	ctx := t.Context()
	c := available(t, s, "project")
	now := nextDate()
	made := karbor.Copy{
		ID: karbor.NewID(), ProjectID: "project", ProviderID: c.ProviderID, PlanID: c.Plan.ID, Status: karbor.CopyWaiting,
		Checkpoints: []karbor.CopiedCheckpoint{{ProtectID: c.ID, CopyID: karbor.NewID()}},
		Parameters:  karbor.Parameters{"OS::Cinder::Volume": {}}, CreatedAt: now, UpdatedAt: now,
	}
	a := Acceptance(karbor.CopyOperation, c)
	a.Copy = &made
	must(t, s.Accept(ctx, a))
	wantKind(t, s.Accept(ctx, Acceptance(karbor.Delete, c)), karbor.Conflict)
	got, err := s.Copy(ctx, "project", "provider", made.ID)
	must(t, err)
	same(t, made, got)
	for _, where := range [][2]string{{"other", "provider"}, {"project", "other"}} {
		_, err = s.Copy(ctx, where[0], where[1], made.ID)
		wantKind(t, err, karbor.NotFound)
	}
	for f, want := range map[store.CopyFilter]int{
		{ProjectID: "project", ProviderID: "provider"}: 1, {PlanID: c.Plan.ID}: 1, {Status: "wait_copying"}: 1,
		{ProjectID: "other"}: 0, {ProviderID: "other"}: 0, {PlanID: "other"}: 0, {Status: "finished"}: 0,
	} {
		if list, err := s.Copies(ctx, f, store.Page{}); err != nil || len(list) != want {
			t.Errorf("%+v gives %v, %v", f, list, err)
		}
	}
	_, err = s.Copies(ctx, store.CopyFilter{}, store.Page{Sort: []store.Sort{{Key: "parameters"}}})
	wantKind(t, err, karbor.Invalid)
}

func same[T any](t *testing.T, want, got T) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("it came back changed (-want +got):\n%s", diff)
	}
}

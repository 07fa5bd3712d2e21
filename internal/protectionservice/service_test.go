package protectionservice_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/protectable"
	"github.com/karbor/karbor/protection"
)

func volume(id string) karbor.Resource {
	return karbor.Resource{Type: karbor.VolumeType, ID: id, Name: "v-" + id}
}
func server(id string) karbor.Resource {
	return karbor.Resource{Type: karbor.ServerType, ID: id, Name: "s-" + id}
}

func (s *site) log(t *testing.T, checkpoint string, op karbor.OperationType) karbor.OperationLog {
	t.Helper()
	logs, err := s.store.OperationLogs(t.Context(), store.OperationLogFilter{ProjectID: projectID, CheckpointID: checkpoint}, store.Page{})
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range logs {
		if l.OperationType == op {
			return l
		}
	}
	t.Fatalf("there is no log of %s", op)
	return karbor.OperationLog{}
}

func TestCheckpointOfNothingToDoBecomesAvailableWithoutADelegation(t *testing.T) {
	s := newSite(t)
	id := s.protect(s.plan(volume("v1"), volume("v2")))
	cp := s.until(id)
	if cp.Status != karbor.CheckpointAvailable || len(cp.Graph.Nodes()) != 2 {
		t.Errorf("checkpoint is %s with %d nodes", cp.Status, len(cp.Graph.Nodes()))
	}
	if granted, _ := s.authority.counts(); granted != 0 {
		t.Errorf("%d delegations were made for nothing", granted)
	}
	l := s.log(t, id, karbor.Protect)
	if l.Status != "available" || l.EndedAt.IsZero() {
		t.Errorf("log is %+v", l)
	}
	rows, err := s.service.CheckpointProgress(t.Context(), s.checkpointOf(id))
	if err != nil || len(rows) != 2 || rows[0].State != karbor.ResourceAvailable {
		t.Errorf("progress is %+v, %v", rows, err)
	}
}

func TestProtectFindsDependentsAndRunsHooksInOrder(t *testing.T) {
	s := newSite(t)
	s.finders = []protectable.Plugin{
		finder{karbor.VolumeType, map[string][]protectable.Dependent{"s1": {{Resource: volume("v1")}}}},
		finder{karbor.ImageType, map[string][]protectable.Dependent{"s1": {{Resource: karbor.Resource{Type: karbor.ImageType, ID: "i1"}, Private: true}}}},
	}
	s.restart()
	s.script.set(karbor.Protect, karbor.ServerType, protection.Hooks{PrepareBegin: s.script.note("begin"), PrepareFinish: s.script.note("finish")})
	s.script.set(karbor.Protect, karbor.VolumeType, protection.Hooks{PrepareFinish: s.script.note("finish"), Main: s.script.note("main")})
	cp := s.until(s.protect(s.plan(server("s1"), volume("v1"))))
	if cp.Status != karbor.CheckpointAvailable {
		t.Fatalf("checkpoint is %s: %v", cp.Status, cp.Reasons)
	}
	var keys []string
	for _, n := range cp.Graph.Nodes() {
		keys = append(keys, string(n.Key()))
	}
	if diff := cmp.Diff([]string{"server/s1", "volume/v1", "image/i1@s1"}, keys); diff != "" {
		t.Errorf("nodes (-want +got):\n%s", diff)
	}
	calls := strings.Join(s.script.noted(), ", ")
	order := []string{"begin server/s1", "finish volume/v1", "finish server/s1"}
	at := -1
	for _, c := range order {
		i := strings.Index(calls, c)
		if i <= at {
			t.Errorf("calls are %s; %q is not where it belongs", calls, c)
		}
		at = i
	}
	s.revoked(0)
	if granted, _ := s.authority.counts(); granted != 1 {
		t.Errorf("%d delegations were made, want 1", granted)
	}
}

func TestFailureUndoesWhatHasStartedAndNamesTheResource(t *testing.T) {
	s := newSite(t)
	s.script.set(karbor.Protect, karbor.VolumeType, protection.Hooks{
		PrepareFinish: s.script.note("finish"),
		Main: func(_ context.Context, c *protection.Call) error {
			if c.Node.ID == "v2" {
				return karbor.Errorf(karbor.NotFound, "the volume has gone")
			}
			return nil
		},
		Undo: s.script.note("undo"),
	})
	id := s.protect(s.plan(volume("v1"), volume("v2")))
	cp := s.until(id)
	if cp.Status != karbor.CheckpointError {
		t.Fatalf("checkpoint is %s", cp.Status)
	}
	calls := strings.Join(s.script.noted(), ", ")
	if !strings.Contains(calls, "undo volume/v1") || !strings.Contains(calls, "undo volume/v2") {
		t.Errorf("calls are %s; want both volumes undone", calls)
	}
	want := `volume "v-v2" (v2): the volume has gone`
	if got := cp.Reasons["OS::Cinder::Volume#v2"]; got != want {
		t.Errorf("reason is %q, want %q", got, want)
	}
	l := s.log(t, id, karbor.Protect)
	if l.Status != "error" || !strings.Contains(l.ErrorInfo, want) {
		t.Errorf("log ends %s with %q", l.Status, l.ErrorInfo)
	}
	s.revoked(0)
	if granted, _ := s.authority.counts(); granted != 1 {
		t.Errorf("%d delegations were made, want 1", granted)
	}
}

func TestInternalErrorIsNotShownToTheTenant(t *testing.T) {
	s := newSite(t)
	s.script.set(karbor.Protect, karbor.VolumeType, protection.Hooks{
		Main: func(context.Context, *protection.Call) error { return errors.New("secret-path /etc/karbor") },
	})
	id := s.protect(s.plan(volume("v1")))
	cp := s.until(id)
	if cp.Status != karbor.CheckpointError || strings.Contains(cp.Reasons["OS::Cinder::Volume#v1"], "secret") {
		t.Errorf("checkpoint is %s, reasons %v", cp.Status, cp.Reasons)
	}
}

func TestOperationGoesOnAfterARestart(t *testing.T) {
	s := newSite(t)
	entered := make(chan struct{})
	var runs atomic.Int32
	s.script.set(karbor.Protect, karbor.VolumeType, protection.Hooks{
		PrepareFinish: func(ctx context.Context, c *protection.Call) error {
			s.script.mu.Lock()
			s.script.calls = append(s.script.calls, "finish")
			s.script.mu.Unlock()
			return c.Scratch.Save(ctx, map[string]string{"snapshot": "snapshot-1"})
		},
		Main: func(ctx context.Context, c *protection.Call) error {
			if runs.Add(1) == 1 {
				close(entered)
				<-ctx.Done()
				return ctx.Err()
			}
			var record struct{ Snapshot string }
			if err := c.Scratch.Load(ctx, &record); err != nil || record.Snapshot != "snapshot-1" {
				return errors.New("the scratch record was lost")
			}
			c.Progress(10, 10)
			return nil
		},
	})
	id := s.protect(s.plan(volume("v1")))
	arrives(t, entered)
	s.restart()
	cp := s.until(id)
	if cp.Status != karbor.CheckpointAvailable || cp.Size != 10 {
		t.Errorf("checkpoint is %s of %d bytes: %v", cp.Status, cp.Size, cp.Reasons)
	}
	if n := len(s.script.noted()); n != 1 {
		t.Errorf("the finished hook ran %d times", n)
	}
}

func TestRestoreTellsTheNewIDsAndWhatWasNotKept(t *testing.T) {
	s := newSite(t)
	s.finders = []protectable.Plugin{finder{karbor.VolumeType, map[string][]protectable.Dependent{"s1": {{Resource: volume("v1")}}}}}
	s.restart()
	s.script.set(karbor.RestoreOperation, karbor.VolumeType, protection.Hooks{
		Main: func(ctx context.Context, c *protection.Call) error { return c.NewResources.Set(ctx, "new-"+c.Node.ID) },
	})
	s.script.set(karbor.RestoreOperation, karbor.ServerType, protection.Hooks{
		Complete: func(ctx context.Context, c *protection.Call) error {
			if got := c.NewResources.ID("volume/v1"); got != "new-v1" {
				return karbor.Errorf(karbor.Internal, "the volume's new id is %q", got)
			}
			c.NotKept("the user data")
			return c.NewResources.Set(ctx, "new-s1")
		},
	})
	cp := s.until(s.protect(s.plan(server("s1"))))
	r, err := s.service.Restore(t.Context(), s.caller(), protectionservice.RestoreRequest{ProviderID: providerID, CheckpointID: cp.ID})
	if err != nil {
		t.Fatal(err)
	}
	r = s.untilRestored(r.ID)
	want := map[string]karbor.ResourceState{
		"OS::Nova::Server#new-s1": karbor.ResourceAvailable, "OS::Cinder::Volume#new-v1": karbor.ResourceAvailable,
	}
	if diff := cmp.Diff(want, r.ResourcesStatus); r.Status != karbor.RestoreSuccess || diff != "" {
		t.Errorf("restore is %s, %v (-want +got):\n%s", r.Status, r.ResourcesReason, diff)
	}
	rows, err := s.service.RestoreProgress(t.Context(), s.caller(), r.ID)
	if err != nil || len(rows) != 2 || len(rows[0].NotKept) != 1 {
		t.Errorf("progress is %+v, %v", rows, err)
	}
}

//karbor:tries delete of any
func TestDeleteClearsTheBank(t *testing.T) {
	s := newSite(t)
	s.script.set(karbor.Protect, karbor.VolumeType, protection.Hooks{
		Main: func(ctx context.Context, c *protection.Call) error {
			w, err := c.Data.Create(ctx, "data")
			if err != nil {
				return err
			}
			if _, err := w.Write([]byte("bytes")); err != nil {
				return err
			}
			if _, err := w.Commit(ctx); err != nil {
				return err
			}
			return c.Documents.CreateJSON(ctx, "metadata", map[string]string{"a": "b"})
		},
	})
	id := s.protect(s.plan(volume("v1")))
	s.until(id)
	if err := s.service.DeleteCheckpoint(t.Context(), s.caller(), providerID, id); err != nil {
		t.Fatal(err)
	}
	if cp := s.until(id); cp.Status != karbor.CheckpointDeleted {
		t.Fatalf("checkpoint is %s", cp.Status)
	}
	infos, err := s.bank.List(t.Context(), "", "", 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range infos {
		if strings.Contains(i.Key, "volume/v1") {
			t.Errorf("%s is left", i.Key)
		}
	}
	if l := s.log(t, id, karbor.Delete); l.Status != "deleted" {
		t.Errorf("log ends %s", l.Status)
	}
}

func TestDeleteIsRefusedWhileARestoreReads(t *testing.T) {
	s := newSite(t)
	entered, leave := make(chan struct{}), make(chan struct{})
	s.script.set(karbor.RestoreOperation, karbor.VolumeType, protection.Hooks{
		Main: func(context.Context, *protection.Call) error {
			close(entered)
			<-leave
			return nil
		},
	})
	cp := s.until(s.protect(s.plan(volume("v1"))))
	r, err := s.service.Restore(t.Context(), s.caller(), protectionservice.RestoreRequest{ProviderID: providerID, CheckpointID: cp.ID})
	if err != nil {
		t.Fatal(err)
	}
	arrives(t, entered)
	err = s.service.DeleteCheckpoint(t.Context(), s.caller(), providerID, cp.ID)
	if karbor.KindOf(err) != karbor.Conflict {
		t.Errorf("delete gives %v, want a conflict", err)
	}
	close(leave)
	s.untilRestored(r.ID)
	if err := s.service.DeleteCheckpoint(t.Context(), s.caller(), providerID, cp.ID); err != nil {
		t.Errorf("delete after the restore gives %v", err)
	}
	s.until(cp.ID)
}

func TestRequestsThatCannotStartStoreNothing(t *testing.T) {
	s := newSite(t)
	s.finders = []protectable.Plugin{finder{karbor.VolumeType, nil}}
	s.restart()
	s.script.set(karbor.Protect, karbor.VolumeType, protection.Hooks{Main: s.script.note("main")})
	good := s.plan(volume("v1"))
	cases := map[string]struct {
		plan   string
		refuse error
		kind   karbor.Kind
		want   string
	}{
		"unknown plan":          {plan: karbor.NewID(), kind: karbor.NotFound, want: "there is no plan"},
		"server that is gone":   {plan: s.plan(server("gone")), kind: karbor.Invalid, want: "gone"},
		"no trust can be given": {plan: good, refuse: karbor.Errorf(karbor.Invalid, "Keystone gives no trust"), kind: karbor.Invalid, want: "trust"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			s.authority.refuse = c.refuse
			_, err := s.service.Protect(t.Context(), s.caller(), protectionservice.ProtectRequest{ProviderID: providerID, PlanID: c.plan})
			if karbor.KindOf(err) != c.kind || !strings.Contains(karbor.Sentence(err), c.want) {
				t.Errorf("error is %v (kind %d), want %q", err, karbor.KindOf(err), c.want)
			}
			all, err := s.store.Checkpoints(t.Context(), store.CheckpointFilter{}, store.Page{})
			if err != nil || len(all) != 0 {
				t.Errorf("%d checkpoints are stored, %v", len(all), err)
			}
		})
	}
}

// absent is a finder of a service that does not answer.
type absent struct{ finder }

func (absent) Dependents(context.Context, karbor.Cloud, karbor.Resource) ([]protectable.Dependent, error) {
	return nil, karbor.Errorf(karbor.Unavailable, "the compute service does not answer")
}

func TestProjectIsNotProtectedInPart(t *testing.T) {
	s := newSite(t)
	s.finders = []protectable.Plugin{
		finder{karbor.VolumeType, map[string][]protectable.Dependent{projectID: {{Resource: volume("v1")}}}},
		absent{finder{karbor.ServerType, nil}},
	}
	s.restart()
	plan := s.plan(karbor.Resource{Type: karbor.ProjectType, ID: projectID, Name: "all of it"})
	_, err := s.service.Protect(t.Context(), s.caller(), protectionservice.ProtectRequest{ProviderID: providerID, PlanID: plan})
	if karbor.KindOf(err) != karbor.Unavailable || !strings.Contains(karbor.Sentence(err), "does not answer") {
		t.Errorf("error is %v (kind %d), want that the service does not answer", err, karbor.KindOf(err))
	}
	all, err := s.store.Checkpoints(t.Context(), store.CheckpointFilter{}, store.Page{})
	if err != nil || len(all) != 0 {
		t.Errorf("%d checkpoints are stored, %v", len(all), err)
	}
}

func TestServiceWithANewDatabaseFindsWhatTheBankHolds(t *testing.T) {
	s := newSite(t)
	cp := s.until(s.protect(s.plan(volume("v1"))))
	s.dir = t.TempDir()
	s.restart()
	got, err := s.store.Checkpoint(t.Context(), projectID, providerID, cp.ID)
	if err != nil || got.Status != karbor.CheckpointAvailable || len(got.Graph.Nodes()) != 1 {
		t.Fatalf("checkpoint is %+v, %v", got, err)
	}
	r, err := s.service.Restore(t.Context(), s.caller(), protectionservice.RestoreRequest{ProviderID: providerID, CheckpointID: cp.ID})
	if err != nil {
		t.Fatal(err)
	}
	if r = s.untilRestored(r.ID); r.Status != karbor.RestoreSuccess {
		t.Errorf("restore is %s: %v", r.Status, r.ResourcesReason)
	}
}

func TestRestoreTargetsAreOnlyThoseThatTheOperatorAllows(t *testing.T) {
	s := newSite(t)
	cp := s.until(s.protect(s.plan(volume("v1"))))
	_, err := s.service.Restore(t.Context(), s.caller(), protectionservice.RestoreRequest{
		ProviderID: providerID, CheckpointID: cp.ID, Target: "http://169.254.169.254/v3",
	})
	if karbor.KindOf(err) != karbor.Invalid {
		t.Errorf("restore gives %v, want it refused", err)
	}
}

func TestRegisteredCredentialDoesTheWorkWhereKeystoneGivesNoTrust(t *testing.T) {
	s := newSite(t)
	s.script.set(karbor.Protect, karbor.VolumeType, protection.Hooks{Main: s.script.note("main")})
	s.authority.refuse = karbor.Errorf(karbor.Forbidden, "Keystone gives no trust to this token")
	plan := s.plan(volume("v1"))
	_, err := s.service.Protect(t.Context(), s.caller(), protectionservice.ProtectRequest{ProviderID: providerID, PlanID: plan})
	if karbor.KindOf(err) != karbor.Forbidden {
		t.Fatalf("without a credential the error is %v, want Forbidden", err)
	}
	kept, err := s.delegations.RegisterCredential(t.Context(), s.caller().Identity, "ac", "hunter2")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(kept.Sealed), "hunter2") {
		t.Error("the secret lies open in the database")
	}
	if cp := s.until(s.protect(plan)); cp.Status != karbor.CheckpointAvailable {
		t.Errorf("checkpoint is %s: %v", cp.Status, cp.Reasons)
	}
	if granted, _ := s.authority.counts(); granted != 0 {
		t.Errorf("%d trusts were made", granted)
	}
}

package storetest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
)

func testProtect(t *testing.T, s *store.Store) {
	ctx, c := t.Context(), NewCheckpoint("project")
	a := Acceptance(karbor.Protect, c)
	must(t, s.Accept(ctx, a))
	wantKind(t, s.Accept(ctx, a), karbor.Conflict)
	got, err := s.Operation(ctx, a.Operation.ID)
	must(t, err)
	if diff := cmp.Diff(a.Operation, got, cmp.Comparer(sameGraph)); diff != "" {
		t.Errorf("the operation came back changed (-want +got):\n%s", diff)
	}
	if l, err := s.OperationLog(ctx, "project", a.Log.ID); err != nil || cmp.Diff(a.Log, l) != "" {
		t.Errorf("the log came back changed: %s, %v", cmp.Diff(a.Log, l), err)
	}
	running, err := s.RunningOperations(ctx)
	if err != nil || !slices.Contains(running, a.Operation.ID) {
		t.Errorf("running: %v, %v", running, err)
	}

	end := store.Outcome{CheckpointStatus: karbor.CheckpointAvailable, LogStatus: "available", Size: 4096}
	must(t, s.EndOperation(ctx, a.Operation.ID, end))
	end.CheckpointStatus, end.LogStatus, end.Size = karbor.CheckpointError, "error", 1
	must(t, s.EndOperation(ctx, a.Operation.ID, end))
	done, err := s.Checkpoint(ctx, "project", "provider", c.ID)
	if err != nil || done.Status != karbor.CheckpointAvailable || done.Size != 4096 {
		t.Errorf("got %+v, %v", done, err)
	}
	l, err := s.OperationLog(ctx, "project", a.Log.ID)
	if err != nil || l.Status != "available" || l.EndedAt.IsZero() {
		t.Errorf("got %+v, %v", l, err)
	}
	op, err := s.OperationOf(ctx, "project", store.Target{CheckpointID: c.ID})
	if err != nil || op.ID != a.Operation.ID || op.Delegation != nil || op.EndedAt.IsZero() {
		t.Errorf("got %+v, %v", op, err)
	}
	testForgotten(t, s, a.Operation.ID)
	_, err = s.OperationOf(ctx, "other", store.Target{CheckpointID: c.ID})
	wantKind(t, err, karbor.NotFound)
	wantKind(t, s.EndOperation(ctx, karbor.NewID(), end), karbor.NotFound)
}

// testForgotten: an operation that is over is remembered until that is noted.
func testForgotten(t *testing.T, s *store.Store, id string) {
	t.Helper()
	remembered := func(before time.Time) bool {
		ids, err := s.Rememberable(t.Context(), before, 1000)
		must(t, err)
		return slices.Contains(ids, id)
	}
	later := time.Now().Add(time.Hour)
	if remembered(time.Now().Add(-time.Hour)) || !remembered(later) {
		t.Error("an operation that has just ended is over for an hour, or is not over at all")
	}
	must(t, s.Forgotten(t.Context(), []string{id}))
	if remembered(later) {
		t.Error("what was forgotten is still remembered")
	}
	if op, err := s.Operation(t.Context(), id); err != nil || !op.Dispatched {
		t.Errorf("got %+v, %v", op, err)
	}
}

func testDelete(t *testing.T, s *store.Store) {
	ctx, c := t.Context(), available(t, s, "project")
	first := Acceptance(karbor.Delete, c)
	must(t, s.Accept(ctx, first))
	must(t, s.EndOperation(ctx, first.Operation.ID, store.Outcome{
		CheckpointStatus: karbor.CheckpointErrorDeleting, LogStatus: "error-deleting", ErrorInfo: "the bank is full",
		Reasons: map[string]string{"volume/1": "stuck"}, Figures: map[string]karbor.Figures{"OS::Cinder::Volume#1": {Size: 7}}}))
	got, err := s.Checkpoint(ctx, "project", "provider", c.ID)
	if err != nil || got.Status != karbor.CheckpointErrorDeleting || got.Reasons["volume/1"] != "stuck" || got.Figures["OS::Cinder::Volume#1"].Size != 7 {
		t.Errorf("got %+v, %v", got, err)
	}
	again := Acceptance(karbor.Delete, c)
	must(t, s.Accept(ctx, again))
	must(t, s.EndOperation(ctx, again.Operation.ID, store.Outcome{
		CheckpointStatus: karbor.CheckpointDeleted, LogStatus: "deleted"}))
	_, err = s.Checkpoint(ctx, "project", "provider", c.ID)
	wantKind(t, err, karbor.NotFound)
	wantKind(t, s.Accept(ctx, Acceptance(karbor.Delete, c)), karbor.NotFound)
	if l, err := s.OperationLog(ctx, "project", first.Log.ID); err != nil || l.ErrorInfo != "the bank is full" {
		t.Errorf("got %+v, %v", l, err)
	}
}

func testRestore(t *testing.T, s *store.Store) {
	ctx, c := t.Context(), available(t, s, "project")
	a := Acceptance(karbor.RestoreOperation, c)
	a.Restore.Choices = karbor.RestoreChoices{
		Resources: []string{"OS::Nova::Server#s1"}, Dependents: karbor.DependentsExisting,
		Mapping: map[string]any{"networks": map[string]any{"*": "n1"}}, Stages: []karbor.RestoreStage{{Resources: []string{"OS::Nova::Server#s1"}, Delay: 5}},
	}
	a.Operation.Choices = a.Restore.Choices
	must(t, s.Accept(ctx, a))
	got, err := s.Restore(ctx, "project", a.Restore.ID)
	must(t, err)
	if diff := cmp.Diff(*a.Restore, got); diff != "" {
		t.Errorf("the restore came back changed (-want +got):\n%s", diff)
	}
	_, err = s.Restore(ctx, "other", a.Restore.ID)
	wantKind(t, err, karbor.NotFound)
	status := map[string]karbor.ResourceState{"OS::Nova::Server#new": karbor.ResourceAvailable}
	must(t, s.EndOperation(ctx, a.Operation.ID, store.Outcome{
		RestoreStatus: karbor.RestoreSuccess, LogStatus: karbor.LogSuccess, ResourcesStatus: status}))
	list, err := s.Restores(ctx, store.RestoreFilter{ProjectID: "project", Status: "success"}, store.Page{})
	if err != nil || len(list) != 1 || cmp.Diff(status, list[0].ResourcesStatus) != "" {
		t.Errorf("got %+v, %v", list, err)
	}
	op, err := s.OperationOf(ctx, "project", store.Target{RestoreID: a.Restore.ID})
	if err != nil || op.ID != a.Operation.ID || cmp.Diff(a.Restore.Choices, op.Choices) != "" {
		t.Errorf("got %+v, %v", op, err)
	}
	_, err = s.OperationOf(ctx, "project", store.Target{CheckpointID: c.ID})
	wantKind(t, err, karbor.NotFound)
}

func testConflicts(t *testing.T, s *store.Store) {
	ctx := t.Context()
	making := NewCheckpoint("project")
	must(t, s.Accept(ctx, Acceptance(karbor.Protect, making)))
	deleting := available(t, s, "project")
	must(t, s.Accept(ctx, Acceptance(karbor.Delete, deleting)))
	restoring := available(t, s, "project")
	must(t, s.Accept(ctx, Acceptance(karbor.RestoreOperation, restoring)))
	must(t, s.Accept(ctx, Acceptance(karbor.RestoreOperation, restoring)))
	broken := NewCheckpoint("project")
	broken.Status = karbor.CheckpointError
	must(t, s.PutCheckpoint(ctx, broken))
	foreign := available(t, s, "other")
	foreign.ProjectID = "project"
	tests := []struct {
		name string
		a    store.Acceptance
		want karbor.Kind
	}{
		{"delete while it is made", Acceptance(karbor.Delete, making), karbor.Conflict},
		{"restore while it is made", Acceptance(karbor.RestoreOperation, making), karbor.Conflict},
		{"make it twice", Acceptance(karbor.Protect, making), karbor.Conflict},
		{"delete while it is deleted", Acceptance(karbor.Delete, deleting), karbor.Conflict},
		{"restore while it is deleted", Acceptance(karbor.RestoreOperation, deleting), karbor.Conflict},
		{"delete while it is restored", Acceptance(karbor.Delete, restoring), karbor.Conflict},
		{"restore a broken one", Acceptance(karbor.RestoreOperation, broken), karbor.Conflict},
		{"restore another project's", Acceptance(karbor.RestoreOperation, foreign), karbor.NotFound},
		{"delete an unknown one", Acceptance(karbor.Delete, NewCheckpoint("project")), karbor.NotFound},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { wantKind(t, s.Accept(ctx, test.a), test.want) })
	}
	must(t, s.SetCheckpointStatus(ctx, "project", "provider", broken.ID, karbor.CheckpointAvailable))
	must(t, s.Accept(ctx, Acceptance(karbor.RestoreOperation, broken)))
}

func testAcceptRace(t *testing.T, s *store.Store) {
	c := available(t, s, "project")
	var accepted atomic.Int32
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			err := s.Accept(t.Context(), Acceptance(karbor.Delete, c))
			if err == nil {
				accepted.Add(1)
			} else if karbor.KindOf(err) != karbor.Conflict {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := accepted.Load(); n != 1 {
		t.Errorf("%d deletions were accepted", n)
	}
}

func testAcceptAllOrNothing(t *testing.T, s *store.Store) {
	ctx, first := t.Context(), Acceptance(karbor.Protect, NewCheckpoint("project"))
	must(t, s.Accept(ctx, first))
	second := Acceptance(karbor.Protect, NewCheckpoint("project"))
	second.Operation.ID = first.Operation.ID
	wantKind(t, s.Accept(ctx, second), karbor.Conflict)
	_, err := s.Checkpoint(ctx, "project", "provider", second.Checkpoint.ID)
	wantKind(t, err, karbor.NotFound)
	_, err = s.OperationLog(ctx, "project", second.Log.ID)
	wantKind(t, err, karbor.NotFound)
}

func testOutbox(t *testing.T, s *store.Store) {
	ctx := t.Context()
	var ids []string
	for range 3 {
		a := Acceptance(karbor.Protect, NewCheckpoint("project"))
		must(t, s.Accept(ctx, a))
		ids = append(ids, a.Operation.ID)
	}
	if got, err := s.Undispatched(ctx, 2); err != nil || !slices.Equal(got, ids[:2]) {
		t.Errorf("got %v, %v", got, err)
	}
	must(t, s.Dispatched(ctx, ids[0]))
	must(t, s.Dispatched(ctx, ids[0]))
	must(t, s.EndOperation(ctx, ids[1], store.Outcome{CheckpointStatus: karbor.CheckpointError, LogStatus: "error"}))
	if got, err := s.Undispatched(ctx, 10); err != nil || !slices.Equal(got, ids[2:]) {
		t.Errorf("got %v, %v", got, err)
	}
	if op, err := s.Operation(ctx, ids[0]); err != nil || !op.Dispatched {
		t.Errorf("got %+v, %v", op, err)
	}
}

func testResources(t *testing.T, s *store.Store) {
	ctx, a := t.Context(), Acceptance(karbor.Protect, NewCheckpoint("project"))
	must(t, s.Accept(ctx, a))
	var want []store.ResourceRecord
	for _, n := range a.Operation.Graph.Nodes() {
		want = append(want, store.ResourceRecord{OperationID: a.Operation.ID, Key: n.Key(), State: karbor.ResourcePending})
	}
	want[1] = store.ResourceRecord{
		OperationID: a.Operation.ID, Key: want[1].Key, State: karbor.ResourceError, Phase: "main", Done: 1 << 40, Total: 1 << 41, New: 1 << 39, Stored: 3,
		Reason: "no", NewID: "new", Parts: map[string]string{"a": "b"}, NotKept: []string{"ports"}, Started: true,
	}
	change := func(r *store.ResourceRecord) error { *r = want[1]; return nil }
	must(t, s.UpdateResource(ctx, a.Operation.ID, want[1].Key, change))
	refusal := errors.New("no")
	err := s.UpdateResource(ctx, a.Operation.ID, want[0].Key, func(r *store.ResourceRecord) error { r.Phase = "x"; return refusal })
	if !errors.Is(err, refusal) {
		t.Errorf("got %v", err)
	}
	wantKind(t, s.UpdateResource(ctx, a.Operation.ID, "volume/none", change), karbor.NotFound)
	got, err := s.Resources(ctx, a.Operation.ID)
	must(t, err)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
}

func testScratch(t *testing.T, s *store.Store) {
	ctx, a := t.Context(), Acceptance(karbor.Protect, NewCheckpoint("project"))
	must(t, s.Accept(ctx, a))
	var got map[string]int
	found, err := s.Scratch(ctx, a.Operation.ID, "volume/1", &got)
	if found || err != nil {
		t.Errorf("got %v, %v", found, err)
	}
	must(t, s.SaveScratch(ctx, a.Operation.ID, "volume/1", map[string]int{"a": 1}))
	must(t, s.SaveScratch(ctx, a.Operation.ID, "volume/1", map[string]int{"b": 2}))
	if found, err := s.Scratch(ctx, a.Operation.ID, "volume/1", &got); !found || err != nil || got["b"] != 2 || len(got) != 1 {
		t.Errorf("got %v, %v, %v", got, found, err)
	}
	must(t, s.EndOperation(ctx, a.Operation.ID, store.Outcome{LogStatus: "error"}))
	if found, err := s.Scratch(ctx, a.Operation.ID, "volume/1", &got); found || err != nil {
		t.Errorf("after the end: %v, %v", found, err)
	}
}

func testOperationLogFilters(t *testing.T, s *store.Store) {
	ctx := t.Context()
	protect := Acceptance(karbor.Protect, NewCheckpoint("project"))
	must(t, s.Accept(ctx, protect))
	restore := Acceptance(karbor.RestoreOperation, available(t, s, "project"))
	must(t, s.Accept(ctx, restore))
	tests := []struct {
		filter store.OperationLogFilter
		want   string
	}{
		{store.OperationLogFilter{CheckpointID: protect.Checkpoint.ID}, protect.Log.ID},
		{store.OperationLogFilter{PlanID: protect.Operation.PlanID}, protect.Log.ID},
		{store.OperationLogFilter{RestoreID: restore.Restore.ID}, restore.Log.ID},
		{store.OperationLogFilter{Status: "in_progress"}, restore.Log.ID},
	}
	for _, test := range tests {
		test.filter.ProjectID = "project"
		got, err := s.OperationLogs(ctx, test.filter, store.Page{Sort: []store.Sort{{Key: "ended_at"}}})
		if err != nil || len(got) != 1 || got[0].ID != test.want {
			t.Errorf("%+v: got %v, %v", test.filter, got, err)
		}
	}
	if got, err := s.OperationLogs(ctx, store.OperationLogFilter{ProjectID: "other"}, store.Page{}); err != nil || len(got) != 0 {
		t.Errorf("got %v, %v", got, err)
	}
}

func testCancelledContext(t *testing.T, s *store.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	p := NewPlan("project")
	must(t, s.CreatePlan(ctx, p, -1))
	_, err := s.UpdatePlan(ctx, "project", p.ID, "u", func(p *karbor.Plan) error {
		p.Name = "half-way"
		cancel()
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if err := s.CreatePlan(ctx, NewPlan("project"), -1); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	got, err := s.Plan(t.Context(), "project", p.ID)
	if err != nil || got.Name != p.Name {
		t.Errorf("got %+v, %v", got, err)
	}
	must(t, s.DeletePlan(t.Context(), "project", p.ID))
}

package storetest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
)

func testCheckpointFilters(t *testing.T, s *store.Store) {
	var all []karbor.Checkpoint
	for i := range 4 {
		c := NewCheckpoint("project")
		c.CreatedAt = time.Date(2026, 5, 1+i, 23, 59, 59, 0, time.UTC)
		c.Status = []karbor.CheckpointStatus{karbor.CheckpointAvailable, karbor.CheckpointError}[i%2]
		must(t, s.PutCheckpoint(t.Context(), c))
		all = append(all, c)
	}
	day := func(d int) time.Time { return time.Date(2026, 5, d, 12, 0, 0, 0, time.UTC) }
	base := store.CheckpointFilter{ProjectID: "project", ProviderID: "provider"}
	tests := []struct {
		name   string
		change func(*store.CheckpointFilter)
		want   []int
	}{
		{"none", func(*store.CheckpointFilter) {}, []int{0, 1, 2, 3}},
		{"status", func(f *store.CheckpointFilter) { f.Status = "error" }, []int{1, 3}},
		{"plan", func(f *store.CheckpointFilter) { f.PlanID = all[2].Plan.ID }, []int{2}},
		{"start", func(f *store.CheckpointFilter) { f.StartDate = day(2) }, []int{1, 2, 3}},
		{"end", func(f *store.CheckpointFilter) { f.EndDate = day(2) }, []int{0, 1}},
		{"one day", func(f *store.CheckpointFilter) { f.StartDate, f.EndDate = day(3), day(3) }, []int{2}},
		{"other project", func(f *store.CheckpointFilter) { f.ProjectID = "other" }, nil},
		{"other provider", func(f *store.CheckpointFilter) { f.ProviderID = "other" }, nil},
		{"everywhere", func(f *store.CheckpointFilter) { *f = store.CheckpointFilter{} }, []int{0, 1, 2, 3}},
	}
	for _, test := range tests {
		f := base
		test.change(&f)
		got, err := s.Checkpoints(t.Context(), f, store.Page{Sort: []store.Sort{{Key: "created_at"}}})
		must(t, err)
		var want, ids []string
		for _, i := range test.want {
			want = append(want, all[i].ID)
		}
		for _, c := range got {
			ids = append(ids, c.ID)
		}
		if diff := cmp.Diff(want, ids); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

func testPutCheckpoint(t *testing.T, s *store.Store) {
	c := available(t, s, "project")
	c.Size, c.Reasons = 42, map[string]string{"volume/1": "broken"}
	c.Figures = map[string]karbor.Figures{"OS::Cinder::Volume#1": {Size: 42, New: new(int64(40)), Stored: new(int64(0))}, "OS::Glance::Image#2": {Size: 1}}
	must(t, s.PutCheckpoint(t.Context(), c))
	got, err := s.Checkpoint(t.Context(), "project", "provider", c.ID)
	must(t, err)
	if diff := cmp.Diff(c, got, cmp.Comparer(sameGraph)); diff != "" {
		t.Errorf("the checkpoint came back changed (-want +got):\n%s", diff)
	}
	_, err = s.Checkpoint(t.Context(), "other", "provider", c.ID)
	wantKind(t, err, karbor.NotFound)
	_, err = s.Checkpoint(t.Context(), "project", "other", c.ID)
	wantKind(t, err, karbor.NotFound)

	gone := c
	gone.Status = karbor.CheckpointDeleted
	must(t, s.PutCheckpoint(t.Context(), gone))
	_, err = s.Checkpoint(t.Context(), "project", "provider", c.ID)
	wantKind(t, err, karbor.NotFound)
	must(t, s.PutCheckpoint(t.Context(), c))
	if _, err := s.Checkpoint(t.Context(), "project", "provider", c.ID); err != nil {
		t.Errorf("a checkpoint that the bank has again: %v", err)
	}

	must(t, s.Accept(t.Context(), Acceptance(karbor.Delete, c)))
	must(t, s.PutCheckpoint(t.Context(), c))
	if got, err := s.Checkpoint(t.Context(), "project", "provider", c.ID); err != nil || got.Status != karbor.CheckpointDeleting {
		t.Errorf("a scan changed a checkpoint that is being deleted: %s, %v", got.Status, err)
	}
	wantKind(t, s.SetCheckpointStatus(t.Context(), "project", "provider", c.ID, karbor.CheckpointError), karbor.Conflict)
	wantKind(t, s.SetCheckpointStatus(t.Context(), "other", "provider", c.ID, karbor.CheckpointError), karbor.NotFound)
}

func sameGraph(a, b *karbor.Graph) bool {
	if a == nil || b == nil {
		return a == b
	}
	one, err := a.MarshalText()
	other, err2 := b.MarshalText()
	return err == nil && err2 == nil && string(one) == string(other)
}

func testCheckpointQuota(t *testing.T, s *store.Store) {
	for i := range 3 {
		a := Acceptance(karbor.Protect, NewCheckpoint("project"))
		a.Limits = store.Limits{store.QuotaCheckpoints: 2}
		err := s.Accept(t.Context(), a)
		if i < 2 {
			must(t, err)
		} else {
			wantKind(t, err, karbor.OverLimit)
		}
	}
	if n, err := s.CountCheckpoints(t.Context(), "project"); err != nil || n != 2 {
		t.Errorf("got %d, %v", n, err)
	}
	must(t, s.Accept(t.Context(), Acceptance(karbor.Protect, NewCheckpoint("project"))))
}

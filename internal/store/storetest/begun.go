package storetest

import (
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
)

// testBegun tells which operations may have begun on an engine.
func testBegun(t *testing.T, s *store.Store) {
	ctx := t.Context()
	want := func(id string, want bool) {
		t.Helper()
		if begun, err := s.Begun(ctx, id); err != nil || begun != want {
			t.Errorf("it may have begun: %v, %v; want %v", begun, err, want)
		}
	}
	var ids []string
	for range 2 {
		a := Acceptance(karbor.Protect, NewCheckpoint("project"))
		must(t, s.Accept(ctx, a))
		must(t, s.Dispatched(ctx, a.Operation.ID))
		want(a.Operation.ID, false)
		ids = append(ids, a.Operation.ID)
	}
	must(t, s.Restart(ctx, ids[0]))
	want(ids[0], true)
	want(ids[1], false)
	rows, err := s.Resources(ctx, ids[1])
	must(t, err)
	must(t, s.UpdateResource(ctx, ids[1], rows[0].Key, func(r *store.ResourceRecord) error {
		r.Started = true
		return nil
	}))
	want(ids[1], true)
	_, err = s.Begun(ctx, "unknown")
	wantKind(t, err, karbor.NotFound)
}

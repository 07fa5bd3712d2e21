package storetest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
)

func testApplicationCredential(t *testing.T, s *store.Store) {
	ctx := t.Context()
	mine := store.ApplicationCredential{
		ProjectID: "p1", UserID: "u1", ID: "c1", Sealed: []byte{0, 1, 255}, CreatedAt: time.UnixMicro(1_700_000_000_000_001).UTC(),
	}
	if _, err := s.ApplicationCredential(ctx, "p1", "u1"); karbor.KindOf(err) != karbor.NotFound {
		t.Errorf("before one is kept the error is %v, want NotFound", err)
	}
	other := mine
	other.UserID, other.ID = "u2", "c9"
	later := mine
	later.ID, later.Sealed = "c2", []byte("new")
	for _, c := range []store.ApplicationCredential{mine, other, later} {
		if err := s.PutApplicationCredential(ctx, c); err != nil {
			t.Fatal(err)
		}
	}
	got, err := s.ApplicationCredential(ctx, "p1", "u1")
	if diff := cmp.Diff(later, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	for range 2 { // removing one that is gone is no error
		if err := s.DeleteApplicationCredential(ctx, "p1", "u1"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.ApplicationCredential(ctx, "p1", "u1"); karbor.KindOf(err) != karbor.NotFound {
		t.Errorf("after the delete the error is %v, want NotFound", err)
	}
	if _, err := s.ApplicationCredential(ctx, "p1", "u2"); err != nil {
		t.Errorf("another user's credential gives %v", err)
	}
}

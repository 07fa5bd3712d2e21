package v1_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor/internal/store"
)

func TestACheckpointTellsHowTheBankHasLockedItFrom15On(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, free := w.checkpoint(t, "member"), w.checkpoint(t, "member")
	at := time.Date(2026, 12, 1, 2, 3, 4, 0, time.UTC)
	note := func(l store.BankLock) {
		t.Helper()
		if err := w.store.NoteLock(t.Context(), ours, provider, id, l); err != nil {
			t.Fatal(err)
		}
	}
	show := func(id, version string) any {
		return w.call(t, "reader", "GET", checkpointsPath+"/"+id, "", version).want(t, 200).get("checkpoint.bank_lock")
	}
	if got := show(id, v15); got != nil {
		t.Errorf("before it is locked: %v", got)
	}
	note(store.BankLock{Reason: "the bank does not answer", TriedAt: at})
	want := map[string]any{"until": nil, "objects": 0.0, "reason": "the bank does not answer", "tried_at": "2026-12-01T02:03:04Z"}
	if diff := cmp.Diff(want, show(id, v15)); diff != "" {
		t.Errorf("a lock that failed (-want +got):\n%s", diff)
	}
	note(store.BankLock{Until: at.Add(time.Hour), Objects: 7, TriedAt: at})
	want = map[string]any{"until": "2026-12-01T03:03:04Z", "objects": 7.0, "reason": nil, "tried_at": "2026-12-01T02:03:04Z"}
	if diff := cmp.Diff(want, show(id, v15)); diff != "" {
		t.Errorf("a lock (-want +got):\n%s", diff)
	}
	if got := show(id, v14); got != nil {
		t.Errorf("1.4 shows %v", got)
	}
	if got := show(free, v15); got != nil {
		t.Errorf("another checkpoint shows %v", got)
	}
	w.call(t, "stranger", "GET", checkpointsPath+"/"+id, "", v15).want(t, 404)
}

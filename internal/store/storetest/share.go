package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/internal/workflow"
	"github.com/karbor/karbor/internal/workflow/local"
)

// testShares: the journal tells what waits by whose it is.
func testShares(t *testing.T, s *store.Store) {
	ctx, j, at := t.Context(), s.Journal(), time.Now().UTC().Truncate(time.Microsecond)
	op := func(id, share string, age int) local.OperationRecord {
		return local.OperationRecord{ID: id, Share: share, State: workflow.Pending, CreatedAt: at.Add(time.Duration(-age) * time.Second)}
	}
	for _, o := range []local.OperationRecord{op("new", "mine", 0), op("same", "mine", 1), op("old", "mine", 1), op("theirs", "Mine", 9), op("none", "", 9)} {
		created, err := j.Create(ctx, local.Unfenced, o, nil)
		must(t, err)
		if !created {
			t.Fatalf("%s is there already", o.ID)
		}
	}
	shares, err := j.Shares(ctx)
	must(t, err)
	if shares["mine"] != 3 || shares["Mine"] != 1 || shares[""] != 1 {
		t.Errorf("the shares are %v", shares)
	}
	list := func(found []local.OperationRecord, err error) string {
		t.Helper()
		must(t, err)
		var out []string
		for _, o := range found {
			out = append(out, o.Share+"/"+o.ID)
		}
		return fmt.Sprint(out)
	}
	if got := list(j.Unfinished(ctx, "mine", 2)); got != "[mine/old mine/same]" {
		t.Errorf("the oldest are %s", got)
	}
	before := func(o local.OperationRecord, want int) {
		t.Helper()
		n, err := j.Before(ctx, o)
		must(t, err)
		if n != want {
			t.Errorf("before %s are %d, want %d", o.ID, n, want)
		}
	}
	before(op("new", "mine", 0), 2)
	before(op("same", "mine", 1), 1)
	before(op("theirs", "Mine", 9), 0)
	must(t, j.RequestCancel(ctx, "old", "enough"))
	before(op("new", "mine", 0), 1)
	if got := list(j.Requested(ctx, 10)); got != "[mine/old]" {
		t.Errorf("to be cancelled are %s", got)
	}
	ended := op("old", "mine", 1)
	ended.State, ended.EndedAt = workflow.Cancelled, at
	must(t, j.Record(ctx, local.Unfenced, local.Batch{Operations: []local.OperationRecord{ended}}))
	if got := list(j.Requested(ctx, 10)) + list(j.Unfinished(ctx, "mine", 9)); got != "[][mine/same mine/new]" {
		t.Errorf("after its end they are %s", got)
	}
}

// testLease: the lease goes by the database's clock.
func testLease(t *testing.T, s *store.Store) {
	ctx, j := t.Context(), s.Journal()
	token, _, err := j.Acquire(ctx, "one", time.Hour)
	must(t, err)
	if _, left, err := j.Acquire(ctx, "two", time.Hour); err == nil || left <= 50*time.Minute || left > time.Hour {
		t.Errorf("beside who holds it, another hears %v, and that %s are left", err, left)
	}
	must(t, j.Renew(ctx, token, -time.Second))
	next, _, err := j.Acquire(ctx, "two", time.Hour)
	must(t, err)
	if err := j.Renew(ctx, token, time.Hour); err == nil || next <= token {
		t.Errorf("who lost it keeps it: %v", err)
	}
	again, _, err := j.Acquire(ctx, "two", time.Hour)
	must(t, err)
	must(t, j.Release(ctx, again))
}

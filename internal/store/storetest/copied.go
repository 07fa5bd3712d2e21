package storetest

import (
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
)

// copying makes what accepting a request for copies of the plan of a checkpoint keeps.
func copying(c karbor.Checkpoint, targets ...store.CopyTarget) (store.Acceptance, *karbor.Copy) {
	a := Acceptance(karbor.CopyOperation, c)
	a.Operation.CheckpointID, a.Log.CheckpointID, a.Operation.Graph = "", "", &karbor.Graph{}
	made := &karbor.Copy{
		ID: a.Operation.ID, ProjectID: c.ProjectID, ProviderID: c.ProviderID, PlanID: c.Plan.ID, Status: karbor.CopyWaiting,
		CreatedAt: a.Operation.CreatedAt, UpdatedAt: a.Operation.CreatedAt,
	}
	a.Copy = made
	a.Copying = store.Copying{Targets: targets, Most: 100, Make: func(o karbor.Checkpoint, target string) (karbor.Checkpoint, string) {
		o.CopyOf, o.ID, o.Bank, o.Status = o.ID, karbor.NewID(), target, karbor.CheckpointWaitCopying
		return o, ""
	}}
	return a, made
}

// series makes available checkpoints of one plan, of a size each.
func series(t *testing.T, s *store.Store, n int, size int64) []karbor.Checkpoint {
	t.Helper()
	var out []karbor.Checkpoint
	plan := karbor.NewID()
	for range n {
		c := NewCheckpoint("project")
		c.Plan.ID, c.Status, c.Size = plan, karbor.CheckpointAvailable, size
		must(t, s.PutCheckpoint(t.Context(), c))
		out = append(out, c)
	}
	return out
}

const gibibyte = 1 << 30

func usages(t *testing.T, s *store.Store) (checkpoints, gigabytes store.Usage) {
	t.Helper()
	u, err := s.Usages(t.Context(), "project")
	must(t, err)
	return u[store.QuotaCheckpoints], u[store.QuotaGigabytes]
}

func testCopied(t *testing.T, s *store.Store) {
	ctx := t.Context()
	all := series(t, s, 2, gibibyte+1)
	a, made := copying(all[0], store.CopyTarget{Name: "far"}, store.CopyTarget{Name: "tape", Newest: 1})
	must(t, s.Accept(ctx, a))
	var pairs []string
	items, err := s.Copied(ctx, made.ID)
	must(t, err)
	for i, item := range items {
		pairs = append(pairs, item.CheckpointID+" "+item.Bank)
		if item.CopyID != made.Checkpoints[i].CopyID || item.Status != karbor.CopyWaiting || item.Total != gibibyte+1 {
			t.Errorf("item %d is %+v", i, item)
		}
	}
	same(t, []string{all[0].ID + " far", all[1].ID + " far", all[1].ID + " tape"}, pairs)
	number, bytes := usages(t, s)
	same(t, store.Usage{InUse: 2, Reserved: 3}, number)
	same(t, store.Usage{InUse: 4, Reserved: 6}, bytes)
	for _, id := range []string{all[0].ID, items[0].CopyID} {
		wantKind(t, s.CheckpointIdle(ctx, "provider", id), karbor.Conflict)
	}
	again, _ := copying(all[0], store.CopyTarget{Name: "far"})
	wantKind(t, s.Accept(ctx, again), karbor.Conflict)

	op := a.Operation
	must(t, s.BeginCopied(ctx, made.ID, 0))
	must(t, s.MoveCopied(ctx, made.ID, 0, 5, 10, 7))
	must(t, s.MoveCopied(ctx, made.ID, 0, 6, 10, 1))
	must(t, s.FailCopied(ctx, made.ID, 0, "the bank is off"))
	items, err = s.Copied(ctx, made.ID)
	must(t, err)
	want := store.Copied{Attempts: 1, CopyProgress: karbor.CopyProgress{CheckpointID: all[0].ID, CopyID: made.Checkpoints[0].CopyID, Bank: "far",
		Status: karbor.CopyCopying, Reason: "the bank is off", Done: 6, Total: 10, Stored: 8}}
	same(t, want, items[0])
	c, err := s.Checkpoint(ctx, "project", "provider", items[0].CopyID)
	must(t, err)
	if c.Status != karbor.CheckpointCopying || c.CopyOf != all[0].ID || c.Bank != "far" {
		t.Errorf("the copy at work is %+v", c)
	}
	for i, outcome := range []store.CopiedOutcome{{Size: gibibyte}, {Reason: "full"}, {Size: 1}} {
		must(t, s.EndCopied(ctx, op, i, outcome))
		must(t, s.EndCopied(ctx, op, i, store.CopiedOutcome{Reason: "a repeat"}))
	}
	must(t, s.EndOperation(ctx, op.ID, store.Outcome{CopyStatus: karbor.CopyError, LogStatus: karbor.LogError}))
	number, bytes = usages(t, s)
	same(t, store.Usage{InUse: 5}, number)
	same(t, store.Usage{InUse: 6}, bytes)
	got, err := s.Copy(ctx, "project", "provider", made.ID)
	must(t, err)
	same(t, karbor.CopyError, got.Status)
	must(t, s.CheckpointIdle(ctx, "provider", all[0].ID))
	copies, err := s.CopiesOf(ctx, "project", "provider", all[1].ID)
	must(t, err)
	if len(copies) != 2 {
		t.Errorf("%d copies of the second one", len(copies))
	}
	for f, want := range map[store.CheckpointFilter]int{
		{Bank: "far"}: 2, {Bank: "tape"}: 1, {Bank: store.MainBank}: 2, {CopyOf: all[0].ID}: 1, {}: 5,
	} {
		f.ProjectID, f.ProviderID, f.PlanID = "project", "provider", all[0].Plan.ID
		if list, err := s.Checkpoints(ctx, f, store.Page{}); err != nil || len(list) != want {
			t.Errorf("%+v gives %d, %v", f, len(list), err)
		}
	}
	// What failed is copied once more, and nothing else.
	next, nextMade := copying(all[0], store.CopyTarget{Name: "far"}, store.CopyTarget{Name: "tape", Newest: 1})
	must(t, s.Accept(ctx, next))
	if len(nextMade.Checkpoints) != 1 || nextMade.Checkpoints[0].ProtectID != all[1].ID {
		t.Errorf("the next request copies %+v", nextMade.Checkpoints)
	}
}

func testCopiedRefusals(t *testing.T, s *store.Store) {
	ctx := t.Context()
	all := series(t, s, 3, 1)
	a, _ := copying(all[0], store.CopyTarget{Name: "far"})
	a.Limits = store.Limits{store.QuotaCheckpoints: 5}
	wantKind(t, s.Accept(ctx, a), karbor.OverLimit)
	a, _ = copying(all[0], store.CopyTarget{Name: "far", Since: all[2].CreatedAt.Add(time.Second)})
	wantKind(t, s.Accept(ctx, a), karbor.Conflict)
	a, made := copying(all[0], store.CopyTarget{Name: "far"})
	a.Copying.Checkpoints = []string{all[1].ID}
	inner := a.Copying.Make
	a.Copying.Make = func(c karbor.Checkpoint, target string) (karbor.Checkpoint, string) {
		if c.ID == all[1].ID {
			return karbor.Checkpoint{}, "it is bound"
		}
		return inner(c, target)
	}
	wantKind(t, s.Accept(ctx, a), karbor.Conflict)
	a.Copying.Checkpoints = idsOf(all)
	must(t, s.Accept(ctx, a))
	items, err := s.Copied(ctx, made.ID)
	must(t, err)
	if len(made.Checkpoints) != 2 || len(items) != 3 || items[1].Status != karbor.CopyError || items[1].Reason != "it is bound" || items[1].CopyID != "" || items[1].EndedAt.IsZero() {
		t.Errorf("%+v: %+v", made.Checkpoints, items)
	}
}

func idsOf(all []karbor.Checkpoint) (ids []string) {
	for _, c := range all {
		ids = append(ids, c.ID)
	}
	return ids
}

func testCopiedRace(t *testing.T, s *store.Store) {
	all := series(t, s, 3, 1)
	var group sync.WaitGroup
	var mu sync.Mutex
	seen := map[string]int{}
	for range 6 {
		group.Go(func() {
			a, made := copying(all[0], store.CopyTarget{Name: "far"})
			err := s.Accept(t.Context(), a)
			if err != nil && karbor.KindOf(err) != karbor.Conflict {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			for _, one := range made.Checkpoints {
				if err == nil {
					seen[one.ProtectID]++
				}
			}
		})
	}
	group.Wait()
	same(t, map[string]int{all[0].ID: 1, all[1].ID: 1, all[2].ID: 1}, seen)
}

func testStandIn(t *testing.T, s *store.Store) {
	ctx := t.Context()
	original := available(t, s, "project")
	other := original
	other.ID, other.CopyOf, other.Bank = karbor.NewID(), original.ID, "far"
	must(t, s.PutCheckpoint(ctx, other))
	a := Acceptance(karbor.RestoreOperation, original)
	must(t, s.Accept(ctx, a))
	in := karbor.StandIn{CheckpointID: other.ID, Bank: "far", Reason: "it is gone"}
	wantKind(t, s.StandIn(ctx, a.Operation.ID, karbor.StandIn{CheckpointID: karbor.NewID()}), karbor.NotFound)
	must(t, s.StandIn(ctx, a.Operation.ID, in))
	must(t, s.SayStandIn(ctx, a.Operation.ID, karbor.StandIn{CheckpointID: other.ID, Bank: "far", Reason: "another reason"}))
	o, err := s.Operation(ctx, a.Operation.ID)
	must(t, err)
	if o.CheckpointID != other.ID || o.Bank != "far" {
		t.Errorf("the operation is %+v", o)
	}
	must(t, s.CheckpointIdle(ctx, "provider", original.ID))
	wantKind(t, s.CheckpointIdle(ctx, "provider", other.ID), karbor.Conflict)
	r, err := s.Restore(ctx, "project", a.Operation.RestoreID)
	must(t, err)
	if diff := cmp.Diff(&in, r.StandIn); diff != "" || r.CheckpointID != original.ID {
		t.Errorf("the restore of %s: %s", r.CheckpointID, diff)
	}
	log, err := s.OperationLog(ctx, "project", a.Log.ID)
	must(t, err)
	if len(log.ExtraInfo["stand_in"]) == 0 {
		t.Errorf("the log says %v", log.ExtraInfo)
	}
}

func testTargetCatalogues(t *testing.T, s *store.Store) {
	ctx := t.Context()
	must(t, s.FillCatalogue(ctx, "provider", "far"))
	must(t, s.FillCatalogue(ctx, "provider", "far"))
	for target, want := range map[string]bool{"far": true, "": false, "tape": false} {
		if got, err := s.CatalogueFilled(ctx, "provider", target); err != nil || got != want {
			t.Errorf("that of %q is filled: %t, %v", target, got, err)
		}
	}
}

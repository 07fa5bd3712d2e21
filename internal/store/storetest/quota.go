package storetest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
)

const gib = 1 << 30

// background is for what no test's end ends.
var background = context.Background()

// Usages gives what a project has of each resource: in use, and what is reserved
// behind a +.
func Usages(t interface{ Fatal(...any) }, s *store.Store, project string) string {
	found, err := s.Usages(background, project)
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	for _, r := range store.QuotaResources() {
		texts = append(texts, fmt.Sprintf("%s %d+%d", r, found[r].InUse, found[r].Reserved))
	}
	return strings.Join(texts, " ")
}

func wantUsages(t *testing.T, s *store.Store, project, want string) {
	t.Helper()
	if got := Usages(t, s, project); got != want {
		t.Errorf("the usages of %s are %s, want %s", project, got, want)
	}
}

func testLimits(t *testing.T, s *store.Store) {
	ctx := t.Context()
	configured := store.Limits{store.QuotaPlans: 2, store.QuotaCheckpoints: 7}
	want := func(project string, plans, checkpoints, gigabytes int64) {
		t.Helper()
		l, err := s.Limits(ctx, project, configured)
		must(t, err)
		got := []int64{l.Of(store.QuotaPlans), l.Of(store.QuotaCheckpoints), l.Of(store.QuotaGigabytes)}
		if diff := cmp.Diff([]int64{plans, checkpoints, gigabytes}, got); diff != "" {
			t.Errorf("the limits of %q (-want +got):\n%s", project, diff)
		}
	}
	want("p", 2, 7, -1)
	must(t, s.SetClassLimits(ctx, "gold", store.Limits{store.QuotaPlans: 99}))
	want("p", 2, 7, -1)
	must(t, s.SetClassLimits(ctx, store.DefaultQuotaClass, store.Limits{store.QuotaPlans: 3, store.QuotaGigabytes: 5}))
	want("p", 3, 7, 5)
	want("", 3, 7, 5)
	must(t, s.SetLimits(ctx, "p", store.Limits{store.QuotaPlans: 1, store.QuotaGigabytes: -1}))
	must(t, s.SetLimits(ctx, "p", store.Limits{store.QuotaCheckpoints: 0}))
	want("p", 1, 0, -1)
	want("other", 3, 7, 5)
	must(t, s.CreatePlan(ctx, NewPlan("p"), 2))
	wantKind(t, s.CreatePlan(ctx, NewPlan("p"), 2), karbor.OverLimit)
	must(t, s.DeleteLimits(ctx, "p"))
	must(t, s.DeleteLimits(ctx, "p"))
	want("p", 3, 7, 5)
	must(t, s.SetLimits(ctx, "p", store.Limits{store.QuotaPlans: 4}))
	want("p", 4, 7, 5)
	wantKind(t, s.SetLimits(ctx, "p", store.Limits{store.QuotaPlans: -2}), karbor.Invalid)
	gold, err := s.ClassLimits(ctx, "gold", configured)
	must(t, err)
	if gold[store.QuotaPlans] != 99 || gold[store.QuotaCheckpoints] != 7 {
		t.Errorf("the class has %v", gold)
	}
}

func testQuotaRace(t *testing.T, s *store.Store) {
	const limit, tries = 9, 64
	var accepted atomic.Int64
	var wg sync.WaitGroup
	for range tries {
		wg.Go(func() {
			a := Acceptance(karbor.Protect, NewCheckpoint("project"))
			a.Limits, a.Gigabytes = store.Limits{store.QuotaCheckpoints: limit + 5, store.QuotaGigabytes: 2*limit + 1}, 2
			switch err := s.Accept(t.Context(), a); {
			case err == nil:
				accepted.Add(1)
			case karbor.KindOf(err) != karbor.OverLimit:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if accepted.Load() != limit {
		t.Errorf("%d were accepted, want %d", accepted.Load(), limit)
	}
	wantUsages(t, s, "project", "plans 0+0 checkpoints 0+9 gigabytes 0+18")
}

func testQuotaOfDelete(t *testing.T, s *store.Store) {
	ctx := t.Context()
	c := NewCheckpoint("project")
	protect := Acceptance(karbor.Protect, c)
	must(t, s.Accept(ctx, protect))
	wantUsages(t, s, "project", "plans 0+0 checkpoints 0+1 gigabytes 0+0")
	must(t, s.EndOperation(ctx, protect.Operation.ID, store.Outcome{CheckpointStatus: karbor.CheckpointAvailable, Size: 3*gib + 1}))
	const full = "plans 0+0 checkpoints 1+0 gigabytes 4+0"
	wantUsages(t, s, "project", full)
	limited := func() store.Acceptance {
		a := Acceptance(karbor.Protect, NewCheckpoint("project"))
		a.Limits = store.Limits{store.QuotaCheckpoints: 1}
		return a
	}
	for _, end := range []karbor.CheckpointStatus{karbor.CheckpointErrorDeleting, karbor.CheckpointDeleted} {
		wantKind(t, s.Accept(ctx, limited()), karbor.OverLimit)
		remove := Acceptance(karbor.Delete, c)
		must(t, s.Accept(ctx, remove))
		wantUsages(t, s, "project", full)
		wantKind(t, s.Accept(ctx, limited()), karbor.OverLimit)
		must(t, s.EndOperation(ctx, remove.Operation.ID, store.Outcome{CheckpointStatus: end}))
		must(t, s.EndOperation(ctx, remove.Operation.ID, store.Outcome{CheckpointStatus: end}))
	}
	wantUsages(t, s, "project", "plans 0+0 checkpoints 0+0 gigabytes 0+0")
	must(t, s.Accept(ctx, limited()))
}

func testGigabytes(t *testing.T, s *store.Store) {
	ctx := t.Context()
	accept := func(estimate int64) (string, error) {
		a := Acceptance(karbor.Protect, NewCheckpoint("project"))
		a.Limits, a.Gigabytes = store.Limits{store.QuotaGigabytes: 10}, estimate
		return a.Operation.ID, s.Accept(ctx, a)
	}
	first, err := accept(6)
	must(t, err)
	_, err = accept(5)
	wantKind(t, err, karbor.OverLimit)
	const says = "the quota of gigabytes does not suffice: the limit is 10, 0 are in use, 6 are reserved, and 5 more are asked for"
	if karbor.Sentence(err) != says {
		t.Errorf("it says %q", karbor.Sentence(err))
	}
	second, err := accept(4)
	must(t, err)
	wantUsages(t, s, "project", "plans 0+0 checkpoints 0+2 gigabytes 0+10")
	must(t, s.EndOperation(ctx, second, store.Outcome{CheckpointStatus: karbor.CheckpointError}))
	wantUsages(t, s, "project", "plans 0+0 checkpoints 1+1 gigabytes 0+6")
	// More than was thought: what is there counts, and nothing more is let in.
	must(t, s.EndOperation(ctx, first, store.Outcome{CheckpointStatus: karbor.CheckpointAvailable, Size: 11 * gib}))
	wantUsages(t, s, "project", "plans 0+0 checkpoints 2+0 gigabytes 11+0")
	_, err = accept(0)
	wantKind(t, err, karbor.OverLimit)
}

// testUsagesProperty does what a service does in any order, and compares the usages
// with a model and with what a count of the rows gives.
func testUsagesProperty(t *testing.T, s *store.Store) {
	rapid.Check(t, func(rt *rapid.T) {
		w := &quotaWorld{s: s, project: karbor.NewID()}
		actions := []func(*rapid.T){
			w.createPlan, w.deletePlan, w.protect, w.endProtect, w.remove, w.endRemove, w.scanFinds, w.scanMisses,
		}
		for range rapid.IntRange(1, 12).Draw(rt, "actions") {
			actions[rapid.IntRange(0, len(actions)-1).Draw(rt, "action")](rt)
			w.check(rt)
		}
		wrong, err := s.SyncUsages(background)
		if err != nil || len(wrong) > 0 {
			rt.Fatalf("a count finds other usages: %v, %v", wrong, err)
		}
	})
}

// quotaWorld is the model of one project.
type quotaWorld struct {
	s        *store.Store
	project  string
	plans    []string
	making   []modelled
	there    []modelled
	removing []modelled
}

// modelled is a checkpoint of the model. size is in bytes, estimate in GiB.
type modelled struct {
	checkpoint     karbor.Checkpoint
	operation      string
	size, estimate int64
}

func (w *quotaWorld) check(t *rapid.T) {
	var reserved, used int64
	for _, m := range w.making {
		reserved += m.estimate
	}
	for _, m := range append(append([]modelled{}, w.there...), w.removing...) {
		used += (m.size + gib - 1) / gib
	}
	want := fmt.Sprintf("plans %d+0 checkpoints %d+%d gigabytes %d+%d",
		len(w.plans), len(w.there)+len(w.removing), len(w.making), used, reserved)
	if got := Usages(t, w.s, w.project); got != want {
		t.Fatalf("the usages are %s, want %s", got, want)
	}
}

func ok(t *rapid.T, err error) {
	if err != nil {
		t.Fatal(err)
	}
}

// take draws one of a list and takes it out, if there is one.
func take[T any](t *rapid.T, list *[]T) (v T, there bool) {
	if len(*list) == 0 {
		return v, false
	}
	i := rapid.IntRange(0, len(*list)-1).Draw(t, "which")
	v = (*list)[i]
	*list = slices.Delete(*list, i, i+1)
	return v, true
}

func (w *quotaWorld) createPlan(t *rapid.T) {
	p := NewPlan(w.project)
	ok(t, w.s.CreatePlan(background, p, -1))
	w.plans = append(w.plans, p.ID)
}

func (w *quotaWorld) deletePlan(t *rapid.T) {
	if id, there := take(t, &w.plans); there {
		ok(t, w.s.DeletePlan(background, "", id))
	}
}

func (w *quotaWorld) protect(t *rapid.T) {
	c := NewCheckpoint(w.project)
	a := Acceptance(karbor.Protect, c)
	a.Gigabytes = rapid.Int64Range(0, 20).Draw(t, "estimate")
	ok(t, w.s.Accept(background, a))
	w.making = append(w.making, modelled{c, a.Operation.ID, 0, a.Gigabytes})
}

func (w *quotaWorld) endProtect(t *rapid.T) {
	m, there := take(t, &w.making)
	if !there {
		return
	}
	o := store.Outcome{CheckpointStatus: karbor.CheckpointError}
	if rapid.Bool().Draw(t, "success") {
		m.size = rapid.Int64Range(0, 5*gib).Draw(t, "size")
		o = store.Outcome{CheckpointStatus: karbor.CheckpointAvailable, Size: m.size}
	}
	ok(t, w.s.EndOperation(background, m.operation, o))
	w.there = append(w.there, m)
}

func (w *quotaWorld) remove(t *rapid.T) {
	m, there := take(t, &w.there)
	if !there {
		return
	}
	a := Acceptance(karbor.Delete, m.checkpoint)
	ok(t, w.s.Accept(background, a))
	m.operation = a.Operation.ID
	w.removing = append(w.removing, m)
}

func (w *quotaWorld) endRemove(t *rapid.T) {
	m, there := take(t, &w.removing)
	if !there {
		return
	}
	if rapid.Bool().Draw(t, "success") {
		ok(t, w.s.EndOperation(background, m.operation, store.Outcome{CheckpointStatus: karbor.CheckpointDeleted}))
		return
	}
	ok(t, w.s.EndOperation(background, m.operation, store.Outcome{CheckpointStatus: karbor.CheckpointErrorDeleting}))
	w.there = append(w.there, m)
}

func (w *quotaWorld) scanFinds(t *rapid.T) {
	m := modelled{checkpoint: NewCheckpoint(w.project)}
	if again, there := take(t, &w.there); there {
		m = again
	}
	m.size = rapid.Int64Range(0, 5*gib).Draw(t, "size")
	m.checkpoint.Status, m.checkpoint.Size = karbor.CheckpointAvailable, m.size
	ok(t, w.s.PutCheckpoint(background, m.checkpoint))
	w.there = append(w.there, m)
}

func (w *quotaWorld) scanMisses(t *rapid.T) {
	m, there := take(t, &w.there)
	if !there {
		return
	}
	m.checkpoint.Status = karbor.CheckpointDeleted
	ok(t, w.s.PutCheckpoint(background, m.checkpoint))
}

// testLimitsOfCheckpoints: a project's own limit goes over that of the default class, and that
// over the configured one, before and after there is a row of what the project uses.
func testLimitsOfCheckpoints(t *testing.T, s *store.Store) {
	ctx := t.Context()
	accept := func(configured int64) error {
		a := Acceptance(karbor.Protect, NewCheckpoint("project"))
		a.Limits = store.Limits{store.QuotaCheckpoints: configured}
		return s.Accept(ctx, a)
	}
	wantKind(t, accept(0), karbor.OverLimit)
	must(t, accept(1))
	wantKind(t, accept(1), karbor.OverLimit)
	must(t, s.SetClassLimits(ctx, store.DefaultQuotaClass, store.Limits{store.QuotaCheckpoints: 2}))
	must(t, accept(1))
	wantKind(t, accept(9), karbor.OverLimit)
	must(t, s.SetLimits(ctx, "project", store.Limits{store.QuotaCheckpoints: 3}))
	must(t, accept(1))
	wantKind(t, accept(9), karbor.OverLimit)
	must(t, s.DeleteLimits(ctx, "project"))
	must(t, s.SetClassLimits(ctx, store.DefaultQuotaClass, store.Limits{store.QuotaCheckpoints: store.Unlimited}))
	must(t, accept(1))
	wantUsages(t, s, "project", "plans 0+0 checkpoints 0+4 gigabytes 0+0")
}

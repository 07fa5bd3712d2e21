package checkpoint

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/bank/banktest"
)

func TestListGivesWhatTheFilterChoosesInPages(t *testing.T) {
	const otherPlan, otherProvider = volumeID, imageID
	c := newClock()
	cs := open(t, memory(c), c, "a")
	var all []karbor.Checkpoint
	for i := range 24 {
		cp := other(fmt.Sprintf("%08d-0000-4000-8000-000000000000", 99-i), time.Duration(i/2)*7*time.Hour)
		if i%2 == 0 {
			cp.Plan.ID = otherPlan
		}
		if i%3 == 0 {
			cp.ProviderID = otherProvider
		}
		must(t, cs.Create(t.Context(), cp))
		all = append(all, cp)
	}
	foreign := other("00000000-0000-4000-8000-000000000000", 0)
	foreign.ProjectID = "another"
	must(t, cs.Create(t.Context(), foreign))
	slices.SortFunc(all, func(a, b karbor.Checkpoint) int {
		if d := a.CreatedAt.Compare(b.CreatedAt); d != 0 {
			return d
		}
		if a.ID < b.ID {
			return -1
		}
		return 1
	})
	rapid.Check(t, func(r *rapid.T) {
		f := Filter{
			PlanID:     rapid.SampledFrom([]string{"", plan, otherPlan, cpID}).Draw(r, "plan"),
			ProviderID: rapid.SampledFrom([]string{"", provider, otherProvider}).Draw(r, "provider"),
		}
		if rapid.Bool().Draw(r, "start") {
			f.StartDate = start.Add(time.Duration(rapid.IntRange(-1, 90).Draw(r, "from")) * time.Hour)
		}
		if rapid.Bool().Draw(r, "end") {
			f.EndDate = start.Add(time.Duration(rapid.IntRange(-1, 90).Draw(r, "to")) * time.Hour)
		}
		want := []string{}
		for _, cp := range all {
			if f.chooses(&found{Checkpoint: cp}) && (f.StartDate.IsZero() || !cp.CreatedAt.Before(f.StartDate)) && (f.EndDate.IsZero() || cp.CreatedAt.Before(f.EndDate)) {
				want = append(want, cp.ID)
			}
		}
		limit := rapid.IntRange(1, 30).Draw(r, "limit")
		got := []string{}
		for marker := ""; ; {
			page, err := cs.List(t.Context(), project, f, marker, limit)
			if err != nil || len(page.Checkpoints) > limit || page.Next != "" && len(page.Checkpoints) < limit {
				r.Fatalf("%d checkpoints, next %q, error %v", len(page.Checkpoints), page.Next, err)
			}
			for _, cp := range page.Checkpoints {
				got = append(got, cp.ID)
			}
			if marker = page.Next; marker == "" {
				break
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			r.Fatal(diff)
		}
	})
}

func TestAPageOfAnyIndexCostsOneListing(t *testing.T) {
	c := newClock()
	f := banktest.NewFaulty(memory(c))
	cs := open(t, f, c, "a")
	for i := range 30 {
		must(t, cs.Create(t.Context(), other(fmt.Sprintf("%08d-0000-4000-8000-000000000000", i), time.Duration(i)*time.Hour)))
	}
	for _, filter := range []Filter{{}, {PlanID: plan}, {ProviderID: provider}, {StartDate: start.Add(5 * time.Hour)}} {
		before := len(f.Calls())
		page, err := cs.List(t.Context(), project, filter, "", 10)
		must(t, err)
		listings := 0
		for _, call := range f.Calls()[before:] {
			if call.Method == banktest.List && len(call.Key) > len(indicesRoot) && call.Key[:len(indicesRoot)] == indicesRoot {
				listings++
			}
		}
		if listings != 1 || len(page.Checkpoints) != 10 {
			t.Errorf("%+v: %d listings for %d checkpoints", filter, listings, len(page.Checkpoints))
		}
	}
}

func TestListRefusesBadMarkersAndLimits(t *testing.T) {
	c := newClock()
	cs := open(t, memory(c), c, "a")
	for _, marker := range []string{"x", cpID, "../x", "20240301T120000.000000Z@x"} {
		_, err := cs.List(t.Context(), project, Filter{}, marker, 1)
		wantKind(t, err, karbor.Invalid)
	}
	_, err := cs.List(t.Context(), project, Filter{}, "", bank.MaxList+1)
	wantKind(t, err, karbor.Invalid)
	page, err := cs.List(t.Context(), "../x", Filter{PlanID: "/"}, "", 1)
	if err != nil || len(page.Checkpoints) != 0 {
		t.Errorf("%v, %v", page, err)
	}
}

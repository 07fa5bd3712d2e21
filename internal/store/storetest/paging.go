package storetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
)

// drawnPlans makes plans of which many agree in their names, states and dates.
func drawnPlans(t *rapid.T, projectID string) []karbor.Plan {
	n := rapid.IntRange(0, 25).Draw(t, "plans")
	plans := make([]karbor.Plan, n)
	for i := range plans {
		p := NewPlan(projectID)
		p.Name = rapid.SampledFrom([]string{"a", "b", "B", "ü"}).Draw(t, "name")
		p.Status = rapid.SampledFrom([]karbor.PlanStatus{karbor.PlanSuspended, karbor.PlanStarted}).Draw(t, "status")
		p.CreatedAt = start.Add(time.Duration(rapid.IntRange(0, 2).Draw(t, "date")) * time.Hour)
		p.UpdatedAt = p.CreatedAt.Add(time.Duration(rapid.IntRange(0, 1).Draw(t, "change")) * time.Hour)
		plans[i] = p
	}
	return plans
}

// comparePlans is the order that the store must keep.
func comparePlans(sort []store.Sort) func(a, b karbor.Plan) int {
	if len(sort) == 0 {
		sort = []store.Sort{{Key: "created_at", Desc: true}}
	}
	value := func(p karbor.Plan, key string) string {
		return map[string]string{
			"id": p.ID, "name": p.Name, "status": string(p.Status),
			"created_at": p.CreatedAt.Format(time.RFC3339), "updated_at": p.UpdatedAt.Format(time.RFC3339),
		}[key]
	}
	// A key that comes again counts for nothing.
	var keys []store.Sort
	for _, s := range sort {
		if !slices.ContainsFunc(keys, func(k store.Sort) bool { return k.Key == s.Key }) {
			keys = append(keys, s)
		}
	}
	keys = append(keys, store.Sort{Key: "id", Desc: keys[len(keys)-1].Desc})
	return func(a, b karbor.Plan) int {
		for _, s := range keys {
			c := strings.Compare(value(a, s.Key), value(b, s.Key))
			if s.Desc {
				c = -c
			}
			if c != 0 {
				return c
			}
		}
		return 0
	}
}

func testPagesComplete(t *testing.T, s *store.Store) {
	project := 0
	rapid.Check(t, func(rt *rapid.T) {
		project++
		projectID := fmt.Sprint("project", project)
		plans := drawnPlans(rt, projectID)
		for _, p := range plans {
			if err := s.CreatePlan(t.Context(), p, -1); err != nil {
				rt.Fatal(err)
			}
		}
		keys := rapid.SliceOfN(rapid.SampledFrom([]string{"name", "status", "created_at", "updated_at", "id"}), 0, 3).Draw(rt, "keys")
		var sort []store.Sort
		for _, k := range keys {
			sort = append(sort, store.Sort{Key: k, Desc: rapid.Bool().Draw(rt, "desc")})
		}
		page := store.Page{Limit: rapid.IntRange(1, 7).Draw(rt, "limit"), Sort: sort}
		var got []string
		for {
			list, err := s.Plans(t.Context(), store.PlanFilter{ProjectID: projectID}, page)
			if err != nil {
				rt.Fatal(err)
			}
			for _, p := range list {
				got = append(got, p.ID)
			}
			if len(list) < page.Limit {
				break
			}
			page.Marker = got[len(got)-1]
		}
		slices.SortFunc(plans, comparePlans(sort))
		var want []string
		for _, p := range plans {
			want = append(want, p.ID)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			rt.Fatalf("sorted by %+v (-want +got):\n%s", sort, diff)
		}
	})
}

func testDeletedMarker(t *testing.T, s *store.Store) {
	var ids []string
	for range 4 {
		p := NewPlan("project")
		must(t, s.CreatePlan(t.Context(), p, -1))
		ids = append(ids, p.ID)
	}
	must(t, s.DeletePlan(t.Context(), "project", ids[2]))
	list, err := s.Plans(t.Context(), store.PlanFilter{ProjectID: "project"}, store.Page{Marker: ids[2], Limit: 1, Offset: 1})
	must(t, err)
	if len(list) != 1 || list[0].ID != ids[0] {
		t.Errorf("got %v, want the plan %s", list, ids[0])
	}
}

func testBadPages(t *testing.T, s *store.Store) {
	p := NewPlan("other")
	must(t, s.CreatePlan(t.Context(), p, -1))
	tests := []struct {
		page  store.Page
		named string
	}{
		{store.Page{Sort: []store.Sort{{Key: "parameters"}}}, "parameters"},
		{store.Page{Sort: []store.Sort{{Key: "id; DROP TABLE plans"}}}, "DROP TABLE"},
		{store.Page{Marker: "nowhere"}, "nowhere"},
		{store.Page{Marker: p.ID}, p.ID},
		{store.Page{Limit: -1}, "limit"},
		{store.Page{Offset: -1}, "offset"},
	}
	for _, test := range tests {
		_, err := s.Plans(t.Context(), store.PlanFilter{ProjectID: "project"}, test.page)
		wantKind(t, err, karbor.Invalid)
		if !strings.Contains(karbor.Sentence(err), test.named) {
			t.Errorf("%q does not name %q", karbor.Sentence(err), test.named)
		}
	}
}

package storetest

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
)

func testPlanRoundTrip(t *testing.T, s *store.Store) {
	p := NewPlan("project")
	must(t, s.CreatePlan(t.Context(), p, -1))
	got, err := s.Plan(t.Context(), "project", p.ID)
	must(t, err)
	if diff := cmp.Diff(p, got); diff != "" {
		t.Errorf("the plan came back changed (-want +got):\n%s", diff)
	}
	if _, err := s.Plan(t.Context(), "", p.ID); err != nil {
		t.Errorf("any project: %v", err)
	}
	_, err = s.Plan(t.Context(), "other", p.ID)
	wantKind(t, err, karbor.NotFound)
	wantKind(t, s.CreatePlan(t.Context(), p, -1), karbor.Conflict)
}

func testPlanUpdate(t *testing.T, s *store.Store) {
	p := NewPlan("project")
	must(t, s.CreatePlan(t.Context(), p, -1))
	changed, err := s.UpdatePlan(t.Context(), "project", p.ID, "u", func(p *karbor.Plan) error {
		p.Name, p.ID, p.ProjectID = "new name", "stolen", "stolen"
		p.Resources = p.Resources[:1]
		return nil
	})
	must(t, err)
	got, err := s.Plan(t.Context(), "project", p.ID)
	must(t, err)
	if diff := cmp.Diff(changed, got); diff != "" {
		t.Errorf("what UpdatePlan gave is not what it kept (-gave +kept):\n%s", diff)
	}
	if got.Name != "new name" || len(got.Resources) != 1 || !got.CreatedAt.Equal(p.CreatedAt) {
		t.Errorf("got %+v", got)
	}
	refusal := errors.New("no")
	_, err = s.UpdatePlan(t.Context(), "project", p.ID, "u", func(p *karbor.Plan) error { p.Name = "lost"; return refusal })
	if !errors.Is(err, refusal) {
		t.Errorf("got %v, want the refusal", err)
	}
	if again, err := s.Plan(t.Context(), "project", p.ID); err != nil || again.Name != "new name" {
		t.Errorf("a refused change was kept: %+v, %v", again, err)
	}
	_, err = s.UpdatePlan(t.Context(), "other", p.ID, "u", func(*karbor.Plan) error { return nil })
	wantKind(t, err, karbor.NotFound)
}

func testPlanDelete(t *testing.T, s *store.Store) {
	p := NewPlan("project")
	must(t, s.CreatePlan(t.Context(), p, -1))
	wantKind(t, s.DeletePlan(t.Context(), "other", p.ID), karbor.NotFound)
	must(t, s.DeletePlan(t.Context(), "project", p.ID))
	wantKind(t, s.DeletePlan(t.Context(), "project", p.ID), karbor.NotFound)
	_, err := s.Plan(t.Context(), "project", p.ID)
	wantKind(t, err, karbor.NotFound)
	list, err := s.Plans(t.Context(), store.PlanFilter{}, store.Page{})
	if err != nil || len(list) != 0 {
		t.Errorf("a deleted plan is listed: %v, %v", list, err)
	}
	must(t, s.CreatePlan(t.Context(), NewPlan("project"), 1))
}

func testPlanFilters(t *testing.T, s *store.Store) {
	names := []string{"Web 100%", "web_shop", "Database"}
	for _, name := range names {
		p := NewPlan("project")
		p.Name, p.Description = name, "the "+name
		if name == "Database" {
			p.Status = karbor.PlanStarted
		}
		must(t, s.CreatePlan(t.Context(), p, -1))
	}
	must(t, s.CreatePlan(t.Context(), NewPlan("other"), -1))
	tests := []struct {
		filter store.PlanFilter
		want   []string
	}{
		{store.PlanFilter{ProjectID: "project"}, names},
		{store.PlanFilter{ProjectID: "project", Name: "web"}, names[:2]},
		{store.PlanFilter{ProjectID: "project", Name: "%"}, names[:1]},
		{store.PlanFilter{ProjectID: "project", Name: "_"}, names[1:2]},
		{store.PlanFilter{ProjectID: "project", Description: "the d"}, names[2:]},
		{store.PlanFilter{ProjectID: "project", Status: "started"}, names[2:]},
		{store.PlanFilter{ProjectID: "project", Name: "!"}, nil},
	}
	for _, test := range tests {
		list, err := s.Plans(t.Context(), test.filter, store.Page{Sort: []store.Sort{{Key: "created_at"}}})
		must(t, err)
		var got []string
		for _, p := range list {
			got = append(got, p.Name)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", test.filter, diff)
		}
	}
}

func testPlanQuota(t *testing.T, s *store.Store) {
	const limit, tries = 5, 24
	var made, refused atomic.Int32
	var wg sync.WaitGroup
	for range tries {
		wg.Go(func() {
			switch err := s.CreatePlan(t.Context(), NewPlan("project"), limit); {
			case err == nil:
				made.Add(1)
			case karbor.KindOf(err) == karbor.OverLimit:
				refused.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	n, err := s.CountPlans(t.Context(), "project")
	must(t, err)
	if got := fmt.Sprint(made.Load(), refused.Load(), n); got != fmt.Sprint(limit, tries-limit, limit) {
		t.Errorf("made, refused and kept: %s", got)
	}
	wantKind(t, s.CreatePlan(t.Context(), NewPlan("none"), 0), karbor.OverLimit)
	must(t, s.CreatePlan(t.Context(), NewPlan("other"), limit))
}

package storetest

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
)

// testMappingProfiles makes, lists and removes mapping profiles of two projects.
func testMappingProfiles(t *testing.T, s *store.Store) {
	ctx := t.Context()
	keep := func(project, name string, limit int) (karbor.MappingProfile, error) {
		p := karbor.MappingProfile{ID: karbor.NewID(), ProjectID: project, Name: name, Description: "for the day", Mapping: map[string]any{
			"power": "stopped", "flavors": map[string]any{"*": "small"}}}
		return p, s.CreateMappingProfile(ctx, p, limit)
	}
	first, err := keep("p", "east", 2)
	must(t, err)
	if _, err := keep("p", "east", 2); karbor.KindOf(err) != karbor.Conflict {
		t.Errorf("a second one of the name is %v", err)
	}
	_, err = keep("q", "east", 2)
	must(t, err)
	second, err := keep("p", "west", 2)
	must(t, err)
	if _, err := keep("p", "north", 2); karbor.KindOf(err) != karbor.OverLimit {
		t.Errorf("one beyond the limit is %v", err)
	}
	got, err := s.MappingProfile(ctx, "p", first.ID)
	must(t, err)
	if got.CreatedAt.IsZero() || got.Name != "east" || got.Description != "for the day" {
		t.Errorf("it comes back as %+v", got)
	}
	if diff := cmp.Diff(first.Mapping, got.Mapping); diff != "" {
		t.Errorf("its mapping (-want +got):\n%s", diff)
	}
	for filter, want := range map[store.MappingProfileFilter]int{{ProjectID: "p"}: 2, {ProjectID: "p", Name: "west"}: 1, {}: 3, {Name: "east"}: 2} {
		list, err := s.MappingProfiles(ctx, filter, store.Page{})
		must(t, err)
		if len(list) != want {
			t.Errorf("%+v lists %d, want %d", filter, len(list), want)
		}
	}
	if _, err := s.MappingProfile(ctx, "q", first.ID); karbor.KindOf(err) != karbor.NotFound {
		t.Errorf("another project sees it: %v", err)
	}
	if err := s.DeleteMappingProfile(ctx, "q", first.ID); karbor.KindOf(err) != karbor.NotFound {
		t.Errorf("another project deletes it: %v", err)
	}
	manyAtOnce(t, s)
	must(t, s.DeleteMappingProfile(ctx, "p", first.ID))
	if err := s.DeleteMappingProfile(ctx, "p", first.ID); karbor.KindOf(err) != karbor.NotFound {
		t.Errorf("it is deleted twice: %v", err)
	}
	list, err := s.MappingProfiles(ctx, store.MappingProfileFilter{ProjectID: "p"}, store.Page{})
	must(t, err)
	if len(list) != 1 || list[0].ID != second.ID {
		t.Errorf("left is %+v", list)
	}
}

// manyAtOnce makes more mapping profiles at once than a project may have.
func manyAtOnce(t *testing.T, s *store.Store) {
	t.Helper()
	const limit, asked = 3, 12
	results := make(chan error, asked)
	for range asked {
		go func() {
			p := karbor.MappingProfile{ID: karbor.NewID(), ProjectID: "crowd", Name: karbor.NewID(), Mapping: map[string]any{}}
			results <- s.CreateMappingProfile(t.Context(), p, limit)
		}()
	}
	made := 0
	for range asked {
		switch err := <-results; {
		case err == nil:
			made++
		case karbor.KindOf(err) != karbor.OverLimit:
			t.Errorf("one of many at once is %v", err)
		}
	}
	if made != limit {
		t.Errorf("%d were made at once, and the limit is %d", made, limit)
	}
	p := karbor.MappingProfile{ID: karbor.NewID(), ProjectID: "crowd", Name: "one more", Mapping: map[string]any{}}
	must(t, s.CreateMappingProfile(t.Context(), p, -1))
	must(t, s.DeleteMappingProfile(t.Context(), "crowd", p.ID))
	list, err := s.MappingProfiles(t.Context(), store.MappingProfileFilter{ProjectID: "crowd"}, store.Page{})
	must(t, err)
	for _, p := range list {
		must(t, s.DeleteMappingProfile(t.Context(), "crowd", p.ID))
	}
}

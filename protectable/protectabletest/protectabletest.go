// Package protectabletest is the suite that every protectable plug-in passes. A
// plug-in's own test fills a cloud, says in a Case what is in it, and calls Run.
package protectabletest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protectable"
)

// Case is a plug-in, and a cloud whose content is known.
type Case struct {
	Plugin protectable.Plugin
	// Cloud is the session of a tenant, Other one of another project. Admin, which
	// may be nil, is one of a third project whose user is an administrator and so
	// sees across projects.
	Cloud, Other, Admin karbor.Cloud
	// Listed are all the instances that the tenant can protect, in the order of
	// List. Names count; extra information is not compared.
	Listed []karbor.Resource
	// Unfit are ids of resources of the tenant that can't be protected, deleted
	// or in error.
	Unfit []string
	// Foreign are instances of Other's project, all of them.
	Foreign []karbor.Resource
	// Families are parents of the tenant with what they depend on.
	Families []Family
	// NewType says that no program serves the plug-in's type yet. Any other must be one of
	// karbor.ResourceTypes.
	NewType bool
}

// Family is a parent with the resources of the plug-in's type that it depends on,
// in their order.
type Family struct {
	Parent     karbor.Resource
	Dependents []protectable.Dependent
}

// Run runs the suite.
func Run(t *testing.T, c Case) {
	for _, part := range []struct {
		name string
		run  func(*testing.T, Case)
	}{
		{"TypeAndParentsAreKnown", typeAndParents},
		{"ListGivesExactlyTheProjectsOwn", listsOwn},
		{"ShowAgreesWithList", showAgrees},
		{"PagesNeitherSkipNorRepeat", pages},
		{"MarkerThatIsUnknownIsInvalid", unknownMarker},
		{"UnfitResourcesAreNeitherListedNorShown", unfit},
		{"UnknownIDIsNotFound", unknownID},
		{"OtherProjectsResourceIsNotFound", foreign},
		{"AdministratorSeesOnlyTheOwnProject", administrator},
		{"DependentsAreThoseOfTheParent", dependents},
		{"DependentsOfAnotherTypeAreNone", foreignType},
		{"DependentsOfAnUnknownParentAreNotFound", unknownParent},
		{"CancelledContextEndsEveryCall", cancelled},
		{"ConcurrentCallsAgree", concurrent},
	} {
		t.Run(part.name, func(t *testing.T) { part.run(t, c) })
	}
}

// bare compares resources without their extra information.
var bare = cmp.Options{
	cmpopts.IgnoreFields(karbor.Resource{}, "ExtraInfo"), cmpopts.EquateEmpty(),
}

func list(t *testing.T, c Case, cloud karbor.Cloud, q protectable.Query) []karbor.Resource {
	t.Helper()
	out, err := c.Plugin.List(t.Context(), cloud, q)
	if err != nil {
		t.Fatalf("listing %+v: %v", q, err)
	}
	return out
}

func typeAndParents(t *testing.T, c Case) {
	if c.Plugin.Type().Known() == c.NewType {
		t.Errorf("type %q is known: %v", c.Plugin.Type(), !c.NewType)
	}
	seen := map[karbor.ResourceType]bool{c.Plugin.Type(): true}
	for _, p := range c.Plugin.Parents() {
		if !p.Known() || seen[p] {
			t.Errorf("parent %q is unknown, the type itself, or there twice", p)
		}
		seen[p] = true
	}
}

func listsOwn(t *testing.T, c Case) {
	first := list(t, c, c.Cloud, protectable.Query{})
	if d := cmp.Diff(c.Listed, first, bare); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(first, list(t, c, c.Cloud, protectable.Query{})); d != "" {
		t.Errorf("a second list differs: %s", d)
	}
	if d := cmp.Diff(c.Foreign, list(t, c, c.Other, protectable.Query{}), bare); d != "" {
		t.Errorf("the other project: %s", d)
	}
}

func showAgrees(t *testing.T, c Case) {
	for _, r := range list(t, c, c.Cloud, protectable.Query{}) {
		got, err := c.Plugin.Show(t.Context(), c.Cloud, r.ID, nil)
		if d := cmp.Diff(r, got); err != nil || d != "" {
			t.Errorf("showing %s: %v %s", r.Key(), err, d)
		}
		if r.Type != c.Plugin.Type() || !karbor.IsResourceID(r.ID) {
			t.Errorf("%s has another type, or an id that is none", r.Key())
		}
	}
}

func pages(t *testing.T, c Case) {
	whole := list(t, c, c.Cloud, protectable.Query{})
	for limit := range len(whole) + 2 {
		if limit == 0 {
			continue
		}
		var got []karbor.Resource
		marker := ""
		for {
			page := list(t, c, c.Cloud, protectable.Query{Limit: limit, Marker: marker})
			if len(page) > limit {
				t.Fatalf("a page of %d, though %d was the limit", len(page), limit)
			}
			if len(page) < limit && len(got)+len(page) < len(whole) {
				t.Fatalf("a page of %d in the middle, though %d was the limit", len(page), limit)
			}
			if len(page) == 0 {
				break
			}
			if got = append(got, page...); len(got) > len(whole) {
				break
			}
			marker = page[len(page)-1].ID
		}
		if d := cmp.Diff(whole, got, cmpopts.EquateEmpty()); d != "" {
			t.Errorf("pages of %d: %s", limit, d)
		}
	}
}

func unknownMarker(t *testing.T, c Case) {
	_, err := c.Plugin.List(t.Context(), c.Cloud, protectable.Query{Marker: karbor.NewID()})
	if err == nil || karbor.KindOf(err) != karbor.Invalid {
		t.Errorf("got %v", err)
	}
}

func unfit(t *testing.T, c Case) {
	all := list(t, c, c.Cloud, protectable.Query{})
	for _, id := range c.Unfit {
		if slices.ContainsFunc(all, func(r karbor.Resource) bool { return r.ID == id }) {
			t.Errorf("%s is listed", id)
		}
		_, err := c.Plugin.Show(t.Context(), c.Cloud, id, nil)
		if kind := karbor.KindOf(err); err == nil || kind != karbor.NotFound && kind != karbor.Conflict {
			t.Errorf("showing %s: %v", id, err)
		}
	}
}

func unknownID(t *testing.T, c Case) {
	for _, id := range []string{karbor.NewID(), strings.Repeat("0", 32), "no-such", "", "../" + c.Cloud.ProjectID(), "detail?x=", "a/b"} {
		if _, err := c.Plugin.Show(t.Context(), c.Cloud, id, nil); err == nil || karbor.KindOf(err) != karbor.NotFound {
			t.Errorf("showing %q: %v", id, err)
		}
	}
}

func foreign(t *testing.T, c Case) {
	if len(c.Foreign) == 0 {
		t.Fatal("the case has nothing in the other project")
	}
	for _, r := range c.Foreign {
		if _, err := c.Plugin.Show(t.Context(), c.Other, r.ID, nil); err != nil {
			t.Errorf("its owner can't see %s: %v", r.Key(), err)
		}
		_, err := c.Plugin.Show(t.Context(), c.Cloud, r.ID, nil)
		if err == nil || karbor.KindOf(err) != karbor.NotFound {
			t.Errorf("showing %s: %v", r.Key(), err)
		}
		if err != nil && r.Name != "" && strings.Contains(err.Error(), r.Name) {
			t.Errorf("the error tells the other project's name: %v", err)
		}
	}
}

func administrator(t *testing.T, c Case) {
	if c.Admin == nil {
		t.Skip("the case has no administrator's session")
	}
	own := list(t, c, c.Admin, protectable.Query{})
	for _, r := range c.Listed {
		if slices.ContainsFunc(own, func(o karbor.Resource) bool { return o.ID == r.ID }) {
			t.Errorf("%s is listed", r.Key())
		}
		if _, err := c.Plugin.Show(t.Context(), c.Admin, r.ID, nil); err == nil || karbor.KindOf(err) != karbor.NotFound {
			t.Errorf("showing %s: %v", r.Key(), err)
		}
	}
	for _, f := range c.Families {
		if got, err := c.Plugin.Dependents(t.Context(), c.Admin, f.Parent); err == nil || karbor.KindOf(err) != karbor.NotFound {
			t.Errorf("dependents of %s: %v, %v", f.Parent.Key(), got, err)
		}
	}
}

func dependents(t *testing.T, c Case) {
	for _, f := range c.Families {
		got, err := c.Plugin.Dependents(t.Context(), c.Cloud, f.Parent)
		if d := cmp.Diff(f.Dependents, got, bare); err != nil || d != "" {
			t.Errorf("of %s: %v %s", f.Parent.Key(), err, d)
		}
		for _, dep := range got {
			if dep.Private {
				continue
			}
			// A shared node must be the same, however it was found.
			shown, err := c.Plugin.Show(t.Context(), c.Cloud, dep.ID, nil)
			if d := cmp.Diff(shown, dep.Resource); err != nil || d != "" {
				t.Errorf("%s of %s is not what Show gives: %v %s", dep.Key(), f.Parent.Key(), err, d)
			}
		}
	}
}

func foreignType(t *testing.T, c Case) {
	parents := c.Plugin.Parents()
	for _, typ := range karbor.ResourceTypes() {
		if slices.Contains(parents, typ) {
			continue
		}
		got, err := c.Plugin.Dependents(t.Context(), c.Cloud, karbor.Resource{Type: typ, ID: karbor.NewID()})
		if err != nil || len(got) != 0 {
			t.Errorf("of a %s: %v, %v", typ, got, err)
		}
	}
}

func unknownParent(t *testing.T, c Case) {
	check := func(cloud karbor.Cloud, parent karbor.Resource) {
		got, err := c.Plugin.Dependents(t.Context(), cloud, parent)
		if err == nil || karbor.KindOf(err) != karbor.NotFound {
			t.Errorf("of %s: %v, %v", parent.Key(), got, err)
		}
	}
	for _, typ := range c.Plugin.Parents() {
		if !slices.ContainsFunc(c.Families, func(f Family) bool { return f.Parent.Type == typ }) {
			t.Errorf("the case has no %s with dependents", typ)
		}
		check(c.Cloud, karbor.Resource{Type: typ, ID: karbor.NewID()})
		check(c.Cloud, karbor.Resource{Type: typ, ID: "../x"})
	}
	for _, f := range c.Families {
		check(c.Other, f.Parent)
	}
}

func cancelled(t *testing.T, c Case) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	check := func(what string, err error) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", what, err)
		}
	}
	_, err := c.Plugin.List(ctx, c.Cloud, protectable.Query{})
	check("List", err)
	_, err = c.Plugin.Show(ctx, c.Cloud, c.Listed[0].ID, nil)
	check("Show", err)
	for _, f := range c.Families {
		_, err = c.Plugin.Dependents(ctx, c.Cloud, f.Parent)
		check("Dependents of "+f.Parent.Key(), err)
	}
}

func concurrent(t *testing.T, c Case) {
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			got, err := c.Plugin.List(t.Context(), c.Cloud, protectable.Query{})
			if d := cmp.Diff(c.Listed, got, bare); err != nil || d != "" {
				t.Error(err, d)
			}
		})
		for _, f := range c.Families {
			wg.Go(func() {
				got, err := c.Plugin.Dependents(t.Context(), c.Cloud, f.Parent)
				if d := cmp.Diff(f.Dependents, got, bare); err != nil || d != "" {
					t.Error(err, d)
				}
			})
		}
	}
	wg.Wait()
}

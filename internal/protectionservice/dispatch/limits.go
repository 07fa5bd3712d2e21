package dispatch

import (
	"cmp"
	"fmt"
	"maps"

	"github.com/karbor/karbor/internal/store"
)

// Limits are the most operations that may be at work at a time, of those that are counted (see
// store.Counted); 0 is no limit.
type Limits struct {
	// Service is that of all operations, Project that of those of each project.
	Service, Project int
	// Providers has those of the operations with a provider, by its id.
	Providers map[string]int
}

// none reports whether there is no limit at all.
func (l Limits) none() bool {
	most := max(l.Service, l.Project)
	for n := range maps.Values(l.Providers) {
		most = max(most, n)
	}
	return most == 0
}

// tally counts operations that have a place.
type tally struct {
	all                 int
	projects, providers map[string]int
}

func newTally() *tally { return &tally{projects: map[string]int{}, providers: map[string]int{}} }

func (t *tally) add(project, provider string, n int) {
	t.all += n
	t.projects[project] += n
	t.providers[provider] += n
}

// join adds another tally, and remove takes one off.
func (t *tally) join(other *tally)   { t.change(other, 1) }
func (t *tally) remove(other *tally) { t.change(other, -1) }

func (t *tally) change(other *tally, sign int) {
	change := func(counts map[string]int, id string, n int) {
		if counts[id] += sign * n; counts[id] == 0 {
			delete(counts, id)
		}
	}
	t.all += sign * other.all
	for id, n := range other.projects {
		change(t.projects, id, n)
	}
	for id, n := range other.providers {
		change(t.providers, id, n)
	}
}

// countWorking counts those of groups that are at work.
func countWorking(groups []store.OperationGroup) *tally {
	t := newTally()
	for _, g := range groups {
		t.add(g.ProjectID, g.ProviderID, g.Working)
	}
	return t
}

// full says which limit keeps another operation from its place, in words; "" if none does.
func (l Limits) full(t *tally, project, provider string) string {
	reached := func(limit, used int, which string) string {
		switch {
		case limit <= 0 || used < limit:
			return ""
		case limit == 1:
			return "the one operation " + which + " is at work"
		default:
			return fmt.Sprintf("the %d operations %s are at work", limit, which)
		}
	}
	return cmp.Or(
		reached(l.Project, t.projects[project], "of the project that may run at a time"),
		reached(l.Providers[provider], t.providers[provider], "that may run at a time with its provider"),
		reached(l.Service, t.all, "that the service runs at a time"),
	)
}

// mostGiven is the most places that are given out in one transaction.
const mostGiven = 1000

// share gives out places: how many operations of each group get one. The project with the fewest
// at work is next, of several the one that waits the longest, and the providers of a project take
// turns. ahead are operations that get a place meanwhile.
func (l Limits) share(groups []store.OperationGroup, ahead *tally) []int {
	working := countWorking(groups)
	working.join(ahead)
	given := make([]int, len(groups))
	before := func(a, b int) bool {
		of, other := groups[a], groups[b]
		return cmp.Or(
			cmp.Compare(working.projects[of.ProjectID], working.projects[other.ProjectID]),
			cmp.Compare(given[a], given[b]),
			of.Oldest.Compare(other.Oldest),
		) < 0
	}
	for range mostGiven {
		next := -1
		for i, g := range groups {
			if given[i] < g.Waiting && l.full(working, g.ProjectID, g.ProviderID) == "" && (next < 0 || before(i, next)) {
				next = i
			}
		}
		if next < 0 {
			break
		}
		given[next]++
		working.add(groups[next].ProjectID, groups[next].ProviderID, 1)
	}
	return given
}

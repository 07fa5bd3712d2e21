package dispatch

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/karbor/karbor/internal/store"
)

func group(project, provider string, working, waiting int, waited time.Duration) store.OperationGroup {
	return store.OperationGroup{
		ProjectID: project, ProviderID: provider, Working: working, Waiting: waiting, Oldest: time.Unix(1000, 0).Add(-waited),
	}
}

func TestPlacesAreSharedAsTheLimitsSay(t *testing.T) {
	for name, tt := range map[string]struct {
		limits Limits
		groups []store.OperationGroup
		want   []int
	}{
		"no limit": {Limits{}, []store.OperationGroup{group("a", "p", 9, 5, 0), group("b", "p", 0, 0, 0)}, []int{5, 0}},
		"of a project": {
			Limits{Project: 10}, []store.OperationGroup{group("a", "p", 9, 5, 0), group("b", "p", 0, 20, 0)}, []int{1, 10},
		},
		"of a project, over its providers": {
			Limits{Project: 10}, []store.OperationGroup{group("a", "p", 2, 50, 0), group("a", "q", 4, 50, 0)}, []int{2, 2},
		},
		"more are at work than a limit that was lowered": {
			Limits{Project: 10}, []store.OperationGroup{group("a", "p", 25, 5, 0)}, []int{0},
		},
		"of a provider": {
			Limits{Providers: map[string]int{"p": 3}}, []store.OperationGroup{group("a", "p", 1, 5, 0), group("a", "q", 1, 5, 0)}, []int{2, 5},
		},
		"a full provider keeps nothing of the same project with another": {
			Limits{Project: 4, Providers: map[string]int{"p": 1}}, []store.OperationGroup{group("a", "p", 1, 5, 9), group("a", "q", 0, 5, 0)}, []int{0, 3},
		},
		"of the service: who has the fewest is next": {
			Limits{Service: 10}, []store.OperationGroup{group("a", "p", 6, 50, 9), group("b", "p", 1, 50, 0)}, []int{0, 3},
		},
		"of the service: projects in turn": {
			Limits{Service: 10}, []store.OperationGroup{group("a", "p", 0, 50, 9), group("b", "p", 0, 2, 0), group("c", "p", 0, 50, 5)}, []int{4, 2, 4},
		},
		"of the service: the longest waiting first": {
			Limits{Service: 1}, []store.OperationGroup{group("a", "p", 0, 1, 0), group("b", "p", 0, 1, time.Second)}, []int{0, 1},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := tt.limits.share(tt.groups, newTally()); !slices.Equal(got, tt.want) {
				t.Errorf("%v, want %v", got, tt.want)
			}
		})
	}
}

func TestPlacesThatAreSharedKeepAllLimitsAndLeaveNoneFree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		some := rapid.IntRange(0, 8)
		l := Limits{Service: some.Draw(t, "service"), Project: some.Draw(t, "project"), Providers: map[string]int{"p": some.Draw(t, "p"), "q": some.Draw(t, "q")}}
		var groups []store.OperationGroup
		for _, project := range []string{"a", "b", "c"} {
			for _, provider := range []string{"p", "q"} {
				groups = append(groups, group(project, provider, some.Draw(t, "working"), some.Draw(t, "waiting"), time.Duration(some.Draw(t, "waited"))))
			}
		}
		given := l.share(groups, newTally())
		before, after := countWorking(groups), countWorking(groups)
		for i, g := range groups {
			after.add(g.ProjectID, g.ProviderID, given[i])
		}
		kept := func(what string, limit, had, has int) {
			if limit > 0 && has > max(limit, had) {
				t.Fatalf("%s: %d are at work, %d before, the limit is %d", what, has, had, limit)
			}
		}
		kept("service", l.Service, before.all, after.all)
		for id := range after.projects {
			kept(id, l.Project, before.projects[id], after.projects[id])
		}
		for id := range after.providers {
			kept(id, l.Providers[id], before.providers[id], after.providers[id])
		}
		for i, g := range groups {
			if given[i] < g.Waiting && l.full(after, g.ProjectID, g.ProviderID) == "" {
				t.Fatalf("%+v got %d places, and no limit is reached", g, given[i])
			}
		}
	})
}

func TestAWaitSaysWhichLimitIsReached(t *testing.T) {
	l := Limits{Service: 9, Project: 3, Providers: map[string]int{"p": 1}}
	used := newTally()
	used.add("a", "q", 3)
	used.add("b", "p", 1)
	for _, tt := range []struct{ project, provider, want string }{
		{"a", "p", "the 3 operations of the project that may run at a time are at work"},
		{"c", "p", "the one operation that may run at a time with its provider is at work"},
		{"c", "q", ""},
	} {
		if got := l.full(used, tt.project, tt.provider); got != tt.want {
			t.Errorf("%s, %s: %q, want %q", tt.project, tt.provider, got, tt.want)
		}
	}
	used.add("d", "q", 5)
	if got := l.full(used, "c", "q"); got != "the 9 operations that the service runs at a time are at work" {
		t.Errorf("%q", got)
	}
}

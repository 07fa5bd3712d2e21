package flow

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/workflow"
	"github.com/karbor/karbor/protection"
)

func nothing(context.Context, *protection.Call) error { return nil }

// drawGraph draws a graph of up to 14 resources whose types decide which hooks
// they have, and those hooks.
func drawGraph(t *rapid.T) (*karbor.Graph, map[karbor.ResourceType]protection.Hooks) {
	types := karbor.ResourceTypes()
	hooks := map[karbor.ResourceType]protection.Hooks{}
	for _, rt := range types {
		var h protection.Hooks
		for i, slot := range []*protection.Hook{&h.PrepareBegin, &h.PrepareFinish, &h.Main, &h.Complete, &h.Undo} {
			if rapid.Bool().Draw(t, fmt.Sprintf("%s has hook %d", rt, i)) {
				*slot = nothing
			}
		}
		hooks[rt] = h
	}
	g := &karbor.Graph{}
	n := rapid.IntRange(1, 14).Draw(t, "nodes")
	for i := range n {
		rt := rapid.SampledFrom(types).Draw(t, "type")
		g.Add(karbor.Resource{Type: rt, ID: fmt.Sprintf("r%d", i), Name: "n"}, "")
	}
	for i := range n {
		for j := i + 1; j < n; j++ {
			if rapid.IntRange(0, 3).Draw(t, "edge") == 0 {
				// Either way round within the list: the order of the nodes says nothing.
				g.Connect(g.Nodes()[n-1-i], g.Nodes()[n-1-j])
			}
		}
	}
	return g, hooks
}

// before gives, for each step, the steps that are surely over when it starts.
func before(t *rapid.T, steps workflow.Steps) map[string]map[string]bool {
	out := map[string]map[string]bool{}
	for _, s := range steps {
		all := map[string]bool{}
		for _, a := range s.After {
			if out[a] == nil {
				t.Fatalf("step %s waits for %s, which does not come before it", s.ID, a)
			}
			all[a] = true
			for k := range out[a] {
				all[k] = true
			}
		}
		if out[s.ID] != nil {
			t.Fatalf("step %s is there twice", s.ID)
		}
		out[s.ID] = all
	}
	return out
}

func TestFlowKeepsTheOrderOfHooks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g, hooks := drawGraph(t)
		steps := Steps("p", g, func(rt karbor.ResourceType) protection.Hooks { return hooks[rt] })
		over := before(t, steps)
		step := func(hook string, n *karbor.Node) string { return stepID(hook, g, slices.Index(g.Nodes(), n)) }
		must := func(first phase, a *karbor.Node, then phase, b *karbor.Node) {
			if hookOf(hooks[a.Type], first) == nil || hookOf(hooks[b.Type], then) == nil {
				return
			}
			from, to := step(phaseNames[first], a), step(phaseNames[then], b)
			if !over[to][from] {
				t.Fatalf("%s may start before %s is over", to, from)
			}
		}
		for _, n := range g.Nodes() {
			must(prepareBegin, n, prepareFinish, n)
			must(prepareFinish, n, mainPhase, n)
			must(mainPhase, n, complete, n)
			for _, c := range g.Children(n) {
				must(prepareBegin, n, prepareBegin, c)
				must(prepareFinish, c, prepareFinish, n)
				must(complete, c, complete, n)
			}
			for p := range phases {
				id := step(phaseNames[p], n)
				if hookOf(hooks[n.Type], p) != nil && (!over[id][Begin] || !over[End][id]) {
					t.Fatalf("%s is not between begin and end", id)
				}
			}
		}
	})
}

func TestFlowRunsEachHookOnceAndNoMissingOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g, hooks := drawGraph(t)
		got := map[string]int{}
		for _, s := range Steps("p", g, func(rt karbor.ResourceType) protection.Hooks { return hooks[rt] }) {
			if s.Action != "" {
				got[s.ID]++
			}
		}
		want := map[string]int{Begin: 1, End: 1, Fail: 1}
		for i, n := range g.Nodes() {
			for p := range phases {
				if hookOf(hooks[n.Type], p) != nil {
					want[stepID(phaseNames[p], g, i)] = 1
				}
			}
			if hooks[n.Type].Undo != nil {
				want[stepID(Undo, g, i)] = 1
			}
		}
		if !slices.ContainsFunc(g.Nodes(), func(n *karbor.Node) bool {
			h := hooks[n.Type]
			return h.PrepareBegin != nil || h.PrepareFinish != nil || h.Main != nil || h.Complete != nil
		}) {
			delete(want, Begin) // end does its work
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("steps are %v, want %v", got, want)
		}
	})
}

func TestFlowOfManyChildrenStaysSmall(t *testing.T) {
	const volumes = 2000
	g := &karbor.Graph{}
	project := g.Add(karbor.Resource{Type: karbor.ProjectType, ID: "p"}, "")
	for i := range volumes {
		g.Connect(project, g.Add(karbor.Resource{Type: karbor.VolumeType, ID: fmt.Sprintf("v%d", i)}, ""))
	}
	steps := Steps("p", g, func(rt karbor.ResourceType) protection.Hooks {
		if rt == karbor.VolumeType {
			return protection.Hooks{PrepareFinish: nothing, Main: nothing, Complete: nothing}
		}
		return protection.Hooks{}
	})
	edges := 0
	for _, s := range steps {
		edges += len(s.After)
	}
	if limit := 6 * volumes; edges > limit {
		t.Errorf("%d edges for %d volumes, want at most %d", edges, volumes, limit)
	}
}

func TestStepsOfLongKeysAreNamedByTheirPlace(t *testing.T) {
	g := &karbor.Graph{}
	long := strings.Repeat("a", 255)
	g.Add(karbor.Resource{Type: karbor.VolumeType, ID: "v"}, "")
	g.Add(karbor.Resource{Type: karbor.ImageType, ID: long}, long)
	steps := Steps("p", g, func(karbor.ResourceType) protection.Hooks {
		return protection.Hooks{PrepareBegin: nothing, Main: nothing, Undo: nothing}
	})
	named := map[karbor.NodeKey]int{}
	for _, s := range steps {
		if len(s.ID) > 255 {
			t.Errorf("the step %s has an id of %d bytes", s.ID, len(s.ID))
		}
		if _, n := NodeOf(g, s.ID); n != nil {
			named[n.Key()]++
		}
	}
	for _, n := range g.Nodes() {
		if named[n.Key()] != 3 {
			t.Errorf("%d steps are of %s, want 3", named[n.Key()], n.Key())
		}
	}
	for _, id := range []string{"main:#2", "main:#-1", "main:#x", "main:volume/w", "begin"} {
		if _, n := NodeOf(g, id); n != nil {
			t.Errorf("%q is of %s", id, n.Key())
		}
	}
}

package model

import (
	"flag"
	"strings"
	"testing"
)

// explore walks through all states that can be reached, breadth first, and gives the
// shortest way to one that must not be.
func explore(t *testing.T, r rules, z size, bad func(*state) bool) (states int, way []string) {
	t.Helper()
	type origin struct {
		from int
		name string
	}
	seen := map[state]struct{}{z.start(): {}}
	queue, origins := []state{z.start()}, []origin{{-1, ""}}
	for at := 0; at < len(queue); at++ {
		if bad(&queue[at]) {
			for i := at; i > 0; i = origins[i].from {
				way = append([]string{origins[i].name}, way...)
			}
			return len(seen), way
		}
		r.next(queue[at], func(name string, to state) {
			if _, there := seen[to]; !there {
				seen[to] = struct{}{}
				queue, origins = append(queue, to), append(origins, origin{at, name})
			}
		})
	}
	return len(seen), nil
}

// sizes are explored one after the other.
var sizes = []size{
	{sessions: [writers]uint8{1, 0}, epochs: 2, crashes: 1},
	{sessions: [writers]uint8{2, 0}, epochs: 2, crashes: 0},
	{sessions: [writers]uint8{1, 1}, epochs: 2, crashes: 0},
}

// whole is explored by make model; it takes minutes.
var whole = []size{
	{sessions: [writers]uint8{1, 0}, epochs: 3, crashes: 1},
	{sessions: [writers]uint8{2, 0}, epochs: 3, crashes: 1},
	{sessions: [writers]uint8{1, 1}, epochs: 2, crashes: 1},
	{sessions: [writers]uint8{2, 1}, epochs: 2, crashes: 0},
	{sessions: [writers]uint8{1, 1}, epochs: 3, crashes: 0},
}

var exploreWhole = flag.Bool("whole", false, "explore more, for minutes")

func TestNoPublishedStreamEverLosesAPack(t *testing.T) {
	all, explored := sizes, 0
	if *exploreWhole {
		all = append(all, whole...)
	}
	for _, z := range all {
		states, way := explore(t, allRules(), z, (*state).lost)
		if way != nil {
			t.Errorf("a published stream loses its pack:\n%s", strings.Join(way, "\n"))
		}
		t.Logf("%+v: %d states", z, states)
		explored += states
	}
	t.Logf("%d states in all", explored)
}

func TestGarbageIsCollectedInTheEnd(t *testing.T) {
	_, way := explore(t, allRules(), sizes[0], func(s *state) bool {
		return s.packs == 0 && s.newest == 1 && !s.oldStream
	})
	if way == nil {
		t.Error("the old pack is never deleted")
	}
}

// TestModelSeesEachPlantedBug leaves out one rule after the other.
func TestModelSeesEachPlantedBug(t *testing.T) {
	for name, plant := range map[string]func(*rules){
		"a writer looks for the epoch before its session shows": func(r *rules) { r.lookAgain = false },
		"a writer publishes without a lease":                    func(r *rules) { r.lease = false },
		"a stream is published before its data":                 func(r *rules) { r.dataFirst = false },
		"the collector does not wait for sessions":              func(r *rules) { r.wait = false },
		"the collector does not mark again":                     func(r *rules) { r.remark = false },
		"the collector reads keeps after it has marked":         func(r *rules) { r.keepsFirst = false },
		"a writer keeps nothing":                                func(r *rules) { r.keep = false },
		"a writer keeps until it has published only":            func(r *rules) { r.keepLong = false },
		"a writer refers to condemned packs":                    func(r *rules) { r.absent = false },
		"an epoch forgets what the last one deleted":            func(r *rules) { r.goneToo = false },
		"a lapsed writer goes on with what it refers to":        func(r *rules) { r.recheck = false },
		"the collector does not wait for listings":              func(r *rules) { r.settle = false },
		"the collector forgets the dead at once":                func(r *rules) { r.mourn = false },
		"a record goes before the one in its place shows":       func(r *rules) { r.stays = false },
	} {
		t.Run(name, func(t *testing.T) {
			r := allRules()
			plant(&r)
			all := 0
			for _, z := range sizes {
				states, way := explore(t, r, z, (*state).lost)
				all += states
				if way != nil {
					t.Logf("%d states; lost by:\n%s", all, strings.Join(way, "\n"))
					return
				}
			}
			t.Errorf("nothing is lost in %d states", all)
		})
	}
}

// TestModelSeesWhatAnOldIndexTells: these bugs need more epochs, until what is gone is in no
// list any more.
func TestModelSeesWhatAnOldIndexTells(t *testing.T) {
	for name, bug := range map[string]struct {
		plant func(*rules)
		size  size
	}{
		"a dead writer tells of its pack in the index": {
			func(r *rules) { r.segment = false }, size{sessions: [writers]uint8{1, 1}, epochs: 3, crashes: 0}},
		"who collects after a crash does not clean the index": {
			func(r *rules) { r.clean = false }, size{sessions: [writers]uint8{1, 0}, epochs: 3, crashes: 2}},
	} {
		t.Run(name, func(t *testing.T) {
			r := allRules()
			bug.plant(&r)
			states, way := explore(t, r, bug.size, (*state).lost)
			if way == nil {
				t.Errorf("nothing is lost in %d states", states)
			}
			t.Logf("%d states; lost by:\n%s", states, strings.Join(way, "\n"))
			if bug.size.crashes > 0 || *exploreWhole {
				if states, way = explore(t, allRules(), bug.size, (*state).lost); way != nil {
					t.Errorf("lost in %d states without the bug by:\n%s", states, strings.Join(way, "\n"))
				}
			}
		})
	}
}

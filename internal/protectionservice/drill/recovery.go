package drill

import (
	"strings"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
)

// moment is when a node was ready, and how much later that was than it would have been had
// nothing waited for probes.
type moment struct {
	ready, probed time.Time
	late          time.Duration
}

// measure gives, by the place of each node, how long it took from the start until it was ready:
// the end of its last hook, without the time for which its last hook waited for nothing but
// the probes of what it needs. 0 stands for one that never was ready.
func measure(c Course) []time.Duration {
	nodes := c.Graph.Nodes()
	at := make(map[karbor.NodeKey]int, len(nodes))
	for i, n := range nodes {
		at[n.Key()] = i
	}
	hooks := make([]map[string]store.DrillEvent, len(nodes))
	probed := make([]time.Time, len(nodes))
	for _, e := range c.Events {
		switch {
		case e.Position < 0 || e.Position >= len(nodes) || e.Name == RemovalEvent:
		case strings.HasPrefix(e.Name, ProbeEvent):
			if e.EndedAt.After(probed[e.Position]) {
				probed[e.Position] = e.EndedAt
			}
		default:
			if hooks[e.Position] == nil {
				hooks[e.Position] = map[string]store.DrillEvent{}
			}
			hooks[e.Position][e.Name] = e
		}
	}
	rows := make(map[karbor.NodeKey]bool, len(c.Rows))
	for _, r := range c.Rows {
		rows[r.Key] = r.State == karbor.ResourceAvailable
	}
	moments := make([]*moment, len(nodes))
	var of func(i int) *moment
	of = func(i int) *moment {
		if moments[i] == nil {
			moments[i] = &moment{}
			*moments[i] = momentOf(c, nodes[i], hooks[i], probed[i], func(k karbor.NodeKey) *moment { return of(at[k]) })
		}
		return moments[i]
	}
	out := make([]time.Duration, len(nodes))
	for i, n := range nodes {
		m := of(i)
		if rows[n.Key()] && !m.ready.IsZero() {
			out[i] = max(m.ready.Sub(c.Drill.CreatedAt)-m.late, time.Millisecond)
		}
	}
	return out
}

// momentOf finds out when a node was ready.
func momentOf(c Course, n *karbor.Node, hooks map[string]store.DrillEvent, probed time.Time, child func(karbor.NodeKey) *moment) moment {
	m := moment{probed: probed}
	before := c.Drill.CreatedAt // the end of the node's own hooks before the last
	for name, e := range hooks {
		if e.EndedAt.IsZero() {
			return moment{probed: probed}
		}
		if e.EndedAt.After(m.ready) {
			m.ready = e.EndedAt
		}
		if name != completeHook && e.EndedAt.After(before) {
			before = e.EndedAt
		}
	}
	if _, waits := hooks[completeHook]; !waits {
		return m
	}
	with, without := before, before
	for _, k := range n.Children {
		needed := child(k)
		if needed.ready.IsZero() {
			continue
		}
		if nominal := needed.ready.Add(-needed.late); nominal.After(without) {
			without = nominal
		}
		for _, t := range []time.Time{needed.ready, needed.probed} {
			if t.After(with) {
				with = t
			}
		}
	}
	m.late = with.Sub(without)
	return m
}

// completeHook is the hook that waits for what a node needs.
const completeHook = "complete"

package drill

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/evidence"
	"github.com/karbor/karbor/internal/store"
)

// The names of events and phases.
const (
	// ProbeEvent goes before the name of a probe.
	ProbeEvent = "probe:"
	// RemovalEvent is the removal of a resource.
	RemovalEvent = "removal"
	// OverLimit is the result of a hook that a quota of the cloud's has stopped.
	OverLimit = "over_limit"
)

// Course is what a drill was, and how it went.
type Course struct {
	Drill      karbor.Drill
	Checkpoint karbor.Checkpoint
	// Graph is that of the operation.
	Graph  *karbor.Graph
	Events []store.DrillEvent
	Rows   []store.ResourceRecord
	// Excluded gives, for a node of the checkpoint that is not in the graph, why.
	Excluded func(*karbor.Node) string
	// Cancelled says why it was cancelled, Failed why its restore did not come to its end; ""
	// for not at all. Left is what could not be removed, by node.
	Cancelled, Failed string
	Left              map[karbor.NodeKey]string
	EndedAt           time.Time
	Service, Bank     string
}

// key names a node in a record: TYPE#id, and the role for a part of another resource.
func key(n *karbor.Node) string {
	if n.Role != "" {
		return n.Resource.Key() + "@" + n.Role
	}
	return n.Resource.Key()
}

// Report writes the record of a drill.
func Report(c Course) evidence.Record {
	r := evidence.Record{
		DrillID: c.Drill.ID, ProjectID: c.Drill.ProjectID, ProviderID: c.Drill.ProviderID, Bank: c.Bank, Service: c.Service,
		Checkpoint: evidence.Checkpoint{
			ID: c.Checkpoint.ID, CreatedAt: stamp(c.Checkpoint.CreatedAt), PlanID: c.Checkpoint.Plan.ID, PlanName: c.Checkpoint.Plan.Name,
		},
		StartedAt: stamp(c.Drill.CreatedAt), EndedAt: stamp(c.EndedAt),
		Reasons: []string{}, Phases: phases(c), Resources: []evidence.Resource{}, LeftOut: []evidence.LeftOut{}, Left: []string{},
	}
	times := measure(c)
	whole := true
	for i, n := range c.Graph.Nodes() {
		if reason := c.Left[n.Key()]; reason != "" {
			r.Left = append(r.Left, fmt.Sprintf("%s: %s", key(n), reason))
		}
		if IsSite(n) {
			continue
		}
		one := resource(c, i, n, times[i])
		whole = whole && one.ReadyMS > 0
		r.RecoveryMS = max(r.RecoveryMS, one.ReadyMS)
		r.Resources = append(r.Resources, one)
	}
	if !whole {
		r.RecoveryMS = 0
	}
	for _, n := range c.Checkpoint.Graph.Nodes() {
		if c.Graph.Node(n.Key()) == nil {
			r.LeftOut = append(r.LeftOut, evidence.LeftOut{Resource: key(n), Name: n.Name, Reason: c.Excluded(n)})
		}
	}
	r.Removed = len(r.Left) == 0
	r.Verdict, r.Reasons = verdict(c, r)
	return r
}

// verdict judges the whole: failed if something was seen to be wrong, or the restore did not come
// to its end; passed if of each server and volume, and of one resource at the least, something was
// seen to be right.
func verdict(c Course, r evidence.Record) (karbor.DrillVerdict, []string) {
	reasons, failed, open := []string{}, false, false
	for i, one := range r.Resources {
		typ := nodeAt(c.Graph, i).Type
		needed := typ == karbor.ServerType || typ == karbor.VolumeType
		switch {
		case one.Verdict == karbor.DrillFailed:
			failed = true
			reasons = append(reasons, fmt.Sprintf("%s: %s", called(one), why(one, evidence.Failed)))
		case one.Verdict == karbor.DrillInconclusive && needed && c.Failed == "" && c.Cancelled == "":
			open = true
			reasons = append(reasons, fmt.Sprintf("Nothing could be seen of %s: %s", called(one), why(one, evidence.Impossible)))
		}
	}
	limited := slices.ContainsFunc(c.Events, func(e store.DrillEvent) bool { return e.Result == OverLimit })
	switch {
	case c.Cancelled != "":
		open = true
		reasons = append([]string{"It was cancelled: " + c.Cancelled}, reasons...)
	case c.Failed != "" && limited:
		open = true
		reasons = append([]string{"The quota of the cloud does not suffice for a drill: " + c.Failed}, reasons...)
	case c.Failed != "":
		failed = true
		reasons = append([]string{"The restore did not come to its end: " + c.Failed}, reasons...)
	case len(r.Resources) == 0:
		open = true
		reasons = append(reasons, "Nothing of the checkpoint can be drilled.")
	case !failed && !slices.ContainsFunc(r.Resources, func(one evidence.Resource) bool { return one.Verdict == karbor.DrillPassed }):
		open = true
		reasons = append(reasons, "No probe has seen anything of what was restored.")
	}
	switch {
	case failed:
		return karbor.DrillFailed, reasons
	case open:
		return karbor.DrillInconclusive, reasons
	default:
		return karbor.DrillPassed, reasons
	}
}

// nodeAt gives the i-th node of a graph but for the drill's own.
func nodeAt(g *karbor.Graph, i int) *karbor.Node {
	nodes := slices.DeleteFunc(slices.Clone(g.Nodes()), IsSite)
	return nodes[i]
}

func called(r evidence.Resource) string {
	if r.Name != "" {
		return fmt.Sprintf("%q (%s)", r.Name, r.Resource)
	}
	return r.Resource
}

// why gives what the probes with a result have seen.
func why(r evidence.Resource, result evidence.Result) string {
	var parts []string
	for _, p := range r.Probes {
		if p.Result == result {
			parts = append(parts, p.Probe+": "+p.Reason)
		}
	}
	if len(parts) == 0 {
		return "no probe was made of it."
	}
	return strings.Join(parts, " ")
}

// resource tells of one resource.
func resource(c Course, i int, n *karbor.Node, ready time.Duration) evidence.Resource {
	r := evidence.Resource{
		Resource: key(n), Name: n.Name, ReadyMS: ready.Milliseconds(), NotKept: []string{}, Mapped: []string{},
		Phases: []evidence.Phase{}, Probes: []evidence.Probe{},
	}
	if ready > 0 {
		r.ReadyMS = max(r.ReadyMS, 1)
	}
	for _, row := range c.Rows {
		if row.Key == n.Key() {
			r.NewID, r.Reason = row.NewID, row.Reason
			r.NotKept, r.Mapped = append(r.NotKept, row.NotKept...), append(r.Mapped, row.Mapped...)
		}
	}
	for _, e := range c.Events {
		if e.Position != i {
			continue
		}
		if probe, ok := strings.CutPrefix(e.Name, ProbeEvent); ok {
			r.Probes = append(r.Probes, probeOf(probe, e))
			continue
		}
		r.Phases = append(r.Phases, evidence.Phase{Name: e.Name, StartedAt: stamp(e.StartedAt), EndedAt: stamp(e.EndedAt)})
	}
	r.Verdict = evidence.Judge(r.Probes)
	return r
}

// probeOf gives the record of a probe; one that was cut off shows nothing.
func probeOf(name string, e store.DrillEvent) evidence.Probe {
	p := evidence.Probe{
		Probe: name, Target: e.Target, Origin: e.Origin, At: stamp(e.EndedAt), Result: evidence.Result(e.Result), Reason: e.Reason,
	}
	if e.EndedAt.IsZero() {
		p.At, p.Origin, p.Result, p.Reason = stamp(e.StartedAt), "karbord", evidence.Impossible, "It was cut off."
	}
	return p
}

func stamp(t time.Time) evidence.Time {
	if t.IsZero() {
		return evidence.Time{}
	}
	return evidence.Time{Time: t.UTC().Truncate(time.Millisecond)}
}

// phases gives the parts of a drill as a whole.
func phases(c Course) []evidence.Phase {
	isolation := func(e store.DrillEvent) bool {
		return e.Name != RemovalEvent && !strings.HasPrefix(e.Name, ProbeEvent) && IsSite(c.Graph.Nodes()[e.Position])
	}
	probes := func(e store.DrillEvent) bool { return strings.HasPrefix(e.Name, ProbeEvent) }
	removal := func(e store.DrillEvent) bool { return e.Name == RemovalEvent }
	out := []evidence.Phase{}
	for _, p := range []struct {
		name string
		is   func(store.DrillEvent) bool
	}{
		{"isolation", isolation},
		{"restore", func(e store.DrillEvent) bool { return !isolation(e) && !probes(e) && !removal(e) }},
		{"probes", probes}, {"removal", removal},
	} {
		var first, last time.Time
		open := false
		for _, e := range c.Events {
			if !p.is(e) {
				continue
			}
			if first.IsZero() || e.StartedAt.Before(first) {
				first = e.StartedAt
			}
			if e.EndedAt.After(last) {
				last = e.EndedAt
			}
			open = open || e.EndedAt.IsZero()
		}
		if open {
			last = time.Time{}
		}
		if !first.IsZero() {
			out = append(out, evidence.Phase{Name: p.name, StartedAt: stamp(first), EndedAt: stamp(last)})
		}
	}
	return out
}

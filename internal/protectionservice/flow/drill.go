package flow

import (
	"cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/workflow"
	"github.com/karbor/karbor/protection"
)

const (
	// Probe makes the probes of the resource in its input, once all its hooks are over; what
	// needs the resource waits for them.
	Probe = "probe"
	// Conclude ends a drill, however it went, after everything was removed.
	Conclude = "conclude"
)

// Drill writes the steps of a drill: begin, the hooks of a restore, the probes of each node that
// probed is true of, and then, whatever came of that, undo and the conclusion.
func Drill(project string, g *karbor.Graph, hooks func(karbor.ResourceType) protection.Hooks, probed func(*karbor.Node) bool) workflow.Steps {
	b := newBuilder(g, hooks)
	b.probed = probed
	b.steps = workflow.Steps{{ID: Begin, Action: Begin, Timeout: timeoutSteps, Quick: true}}
	b.normal()
	normal := len(b.steps)
	b.closing()
	for i := range b.steps {
		s := &b.steps[i]
		if i >= normal {
			s.When = workflow.Always
		}
		if s.Action == Fail {
			s.ID, s.Action = Conclude, Conclude
		}
		if s.Action != "" {
			s.Limit = cmp.Or(s.Limit, poolSteps) + "/" + project
		}
	}
	return b.steps
}

// probe appends the step of a node's probes behind its last hook: what waits for the node
// then waits for that.
func (b *builder) probe(e event) {
	if b.probed == nil || e.phase != complete || !b.probed(b.graph.Nodes()[e.node]) {
		return
	}
	id := stepID(Probe, b.graph, e.node)
	b.steps = append(b.steps, workflow.Step{ID: id, Action: Probe, Input: id, After: b.waits[e], Limit: poolMain, Timeout: timeoutMain})
	b.waits[e] = []string{id}
}

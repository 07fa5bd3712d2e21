// Package flow writes the flows of operations: which steps there are, what each waits for,
// in which pool it takes its place, how long it may take and how it is tried again. What
// the actions of the steps do is the service's. All of it is pure: what comes out depends
// on the arguments only, so that every process writes the same flow of an operation.
package flow

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/workflow"
	"github.com/karbor/karbor/protection"
)

// The actions that steps name.
const (
	// Begin comes before all hooks, and End after them. An End whose input is Begin does
	// the work of both.
	Begin = "begin"
	End   = "end"
	// Hook runs the hook that the step's input names; NodeOf takes that apart.
	Hook = "hook"
	// Undo removes what the hooks of the resource in its input made, and Fail comes after
	// that: both run only when something has failed.
	Undo = "undo"
	Fail = "fail"
	// Resume is the word of the steps of a restore in place, of action Undo, that come after
	// the undo of all resources, and before Fail.
	Resume = "resume"
	// Pause waits between two stages of a restore, for as many seconds as its input says.
	Pause = "pause"
	// Copy is the work of a lane: all copies of one request to the target in its input, one
	// after the other, since each finds there what the one before has brought.
	Copy = "copy"
)

// Pools of places. Each project has its own: a step that waits for its cloud, or for a
// bank that hangs, holds up nobody else's. Within one, the hooks that may take hours
// never hold up the short ones, and no hooks the beginnings and ends. What moves data
// takes places of another kind besides, which all share (package transfer). Who waits
// between two stages takes no place from who works.
const (
	poolMain  = "main"
	poolHooks = "hooks"
	poolSteps = "steps"
	poolPause = "pause"
)

// shortHooks is how many short hooks of a project may run at a time.
const shortHooks = 64

// Limits gives the numbers of places in the pools, by their words, that have others than the
// rest.
func Limits() map[string]int { return map[string]int{poolHooks: shortHooks} }

// Time limits of one attempt. That of hooks is a last resort: they are ended when they get no
// further, whatever they may take while they do (package deadline).
const (
	timeoutMain  = 30 * 24 * time.Hour
	timeoutHook  = 24 * time.Hour
	timeoutSteps = 10 * time.Minute
)

// joinAbove is the number of predecessors from which a missing hook becomes a
// join of its own. Below, what waits for it waits for its predecessors directly.
const joinAbove = 8

// Steps writes the steps of an operation: begin, the hooks in the order that the
// contract promises, end, which begins too if there are no hooks; and, should anything
// fail, undo and fail, in the pools of a project. hooks gives the hooks of a type. The result depends on its arguments only.
// The stages are those of a restore.
func Steps(project string, g *karbor.Graph, hooks func(karbor.ResourceType) protection.Hooks, stages ...karbor.RestoreStage) workflow.Steps {
	b := newBuilder(g, hooks)
	b.stages = stages
	return b.plain(project)
}

// plain writes the steps of an operation that has no others than Steps tells of, but Count.
func (b *builder) plain(project string) workflow.Steps {
	b.steps = workflow.Steps{{ID: Begin, Action: Begin, Timeout: timeoutSteps, Quick: true}}
	if b.first == Count {
		b.steps = append(b.steps, workflow.Step{ID: Count, Action: Count, After: []string{Begin}, Timeout: timeoutSteps})
	}
	end := workflow.Step{ID: End, Action: End, After: b.normal(), Timeout: timeoutSteps, Retry: endless(), Quick: true}
	if len(b.steps) == 1 {
		// Nothing lies between begin and end, which so are one step.
		b.steps, end.After, end.Input = nil, nil, Begin
	}
	b.steps = append(b.steps, end)
	b.closing()
	for i := range b.steps {
		if s := &b.steps[i]; s.Action != "" {
			s.Limit = cmp.Or(s.Limit, poolSteps) + "/" + project
		}
	}
	return b.steps
}

// Patience is how often it is tried what must succeed in the end: for about an hour, or two where
// each attempt waits for a minute itself.
const Patience = 65

// patient is the retry of such steps.
func patient() workflow.Retry {
	return workflow.Retry{Attempts: Patience, First: time.Second, Max: time.Minute}
}

// endless is the retry of the steps that record how an operation has ended: of one that can't, nobody
// would know. What else they need they give up by themselves, after Patience.
func endless() workflow.Retry {
	return workflow.Retry{Attempts: math.MaxInt32, First: time.Second, Max: time.Minute}
}

type builder struct {
	graph *karbor.Graph
	index map[karbor.NodeKey]int
	hooks []protection.Hooks
	steps workflow.Steps
	// waits holds, for each event seen, the steps to wait for in its stead.
	waits map[event][]string
	// parents are the positions of each node's parents.
	parents [][]int
	stages  []karbor.RestoreStage
	// first is the step before all hooks; together keeps the phases of all nodes apart, by
	// way of barrier, the step between them.
	first    string
	together bool
	barrier  string
	// probed says of which nodes a drill makes probes; nil for none.
	probed func(*karbor.Node) bool
}

func newBuilder(g *karbor.Graph, hooks func(karbor.ResourceType) protection.Hooks) *builder {
	b := &builder{first: Begin, graph: g, index: make(map[karbor.NodeKey]int, len(g.Nodes()))}
	for i, n := range g.Nodes() {
		b.index[n.Key()] = i
		b.hooks = append(b.hooks, hooks(n.Type))
	}
	b.parents = make([][]int, len(b.hooks))
	for i, n := range g.Nodes() {
		for _, c := range n.Children {
			b.parents[b.index[c]] = append(b.parents[b.index[c]], i)
		}
	}
	return b
}

// event is one hook of one node, there or not.
type event struct {
	node  int
	phase phase
}

// normal appends the steps of the hooks and gives those that end waits for.
func (b *builder) normal() []string {
	b.waits = make(map[event][]string, len(b.hooks)*int(phases))
	var last []string
	for i, e := range b.order() {
		if b.together && i%len(b.hooks) == 0 && e.phase >= mainPhase {
			b.gather(e.phase)
		}
		b.add(e)
	}
	last = b.stage(b.stages)
	covered := map[string]bool{}
	for _, s := range b.steps {
		for _, after := range s.After {
			covered[after] = true
		}
	}
	for i := range b.hooks {
		for _, id := range b.waits[event{i, complete}] {
			if !covered[id] && !slices.Contains(last, id) {
				last = append(last, id)
			}
		}
	}
	last = slices.DeleteFunc(last, func(id string) bool { return covered[id] })
	if len(last) == 0 {
		last = []string{b.first}
	}
	return last
}

func (b *builder) add(e event) {
	id := stepID(phaseNames[e.phase], b.graph, e.node)
	after := b.after(e)
	switch {
	case hookOf(b.hooks[e.node], e.phase) != nil:
		step := workflow.Step{
			ID: id, Action: Hook, Input: id, After: after, Limit: poolHooks, Timeout: timeoutHook,
		}
		if e.phase == mainPhase {
			step.Limit, step.Timeout = poolMain, timeoutMain
		}
		b.steps = append(b.steps, step)
		b.waits[e] = []string{id}
	case len(after) > joinAbove:
		b.steps = append(b.steps, workflow.Step{ID: id, After: after})
		b.waits[e] = []string{id}
	default:
		b.waits[e] = after
	}
	b.probe(e)
}

// after gives the steps that the steps of event e wait for.
func (b *builder) after(e event) []string {
	var after []string
	seen := map[string]bool{}
	for _, p := range b.before(e) {
		for _, id := range b.waits[p] {
			if !seen[id] {
				seen[id] = true
				after = append(after, id)
			}
		}
	}
	if b.barrier != "" && e.phase >= mainPhase && !seen[b.barrier] {
		after = append(after, b.barrier)
	}
	if len(after) == 0 {
		return []string{b.first}
	}
	return after
}

// before gives the events that the contract puts directly before e.
func (b *builder) before(e event) []event {
	node := b.graph.Nodes()[e.node]
	var out []event
	if e.phase > prepareBegin {
		out = append(out, event{e.node, e.phase - 1})
	}
	switch e.phase {
	case prepareBegin:
		for _, p := range b.parents[e.node] {
			out = append(out, event{p, prepareBegin})
		}
	case prepareFinish, complete:
		for _, c := range node.Children {
			out = append(out, event{b.index[c], e.phase})
		}
	default: // the main phase waits for no other resource
	}
	return out
}

// order gives every event after all that come before it.
func (b *builder) order() []event {
	top := b.topological()
	out := make([]event, 0, len(top)*int(phases))
	for _, i := range top {
		out = append(out, event{i, prepareBegin})
	}
	for _, p := range []phase{prepareFinish, mainPhase, complete} {
		for _, i := range slices.Backward(top) {
			out = append(out, event{i, p})
		}
	}
	return out
}

// topological gives the positions of the nodes, parents before children.
func (b *builder) topological() []int {
	open := make([]int, len(b.parents))
	var ready, out []int
	for i, parents := range b.parents {
		if open[i] = len(parents); open[i] == 0 {
			ready = append(ready, i)
		}
	}
	for len(ready) > 0 {
		i := ready[0]
		ready = ready[1:]
		out = append(out, i)
		for _, c := range b.graph.Nodes()[i].Children {
			j := b.index[c]
			if open[j]--; open[j] == 0 {
				ready = append(ready, j)
			}
		}
	}
	return out
}

// closing appends what runs when something failed: undo each resource, parents
// before children (a server goes before its volumes), then fail.
func (b *builder) closing() {
	undo := map[int]string{}
	var all []string
	for _, i := range b.topological() {
		if b.hooks[i].Undo == nil {
			continue
		}
		id := stepID(Undo, b.graph, i)
		var after []string
		for _, p := range b.parents[i] {
			if undo[p] != "" {
				after = append(after, undo[p])
			}
		}
		undo[i] = id
		all = append(all, id)
		b.steps = append(b.steps, workflow.Step{
			ID: id, Action: Undo, Input: id, After: after,
			When: workflow.OnFailure, Limit: poolHooks, Timeout: timeoutHook, Retry: patient(),
		})
	}
	b.steps = append(b.steps, workflow.Step{
		ID: Fail, Action: Fail, After: b.resumed(all), When: workflow.OnFailure, Timeout: timeoutSteps, Retry: endless(),
	})
}

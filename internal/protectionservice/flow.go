package protectionservice

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/workflow"
	"github.com/karbor/karbor/protection"
)

// The actions that steps name.
const (
	actionBegin = "begin"
	actionHook  = "hook"
	actionUndo  = "undo"
	actionEnd   = "end"
	actionFail  = "fail"
)

// Pools of places. Each project has its own: a step that waits for its cloud, or for a
// bank that hangs, holds up nobody else's. Within one, the hooks that may take hours
// never hold up the short ones, and no hooks the beginnings and ends. What moves data
// takes places of another kind besides, which all share (transfers).
const (
	poolMain  = "main"
	poolHooks = "hooks"
	poolSteps = "steps"
)

// Time limits of one attempt. Main may move terabytes; the others are short, but
// wait for clouds.
const (
	timeoutMain  = 24 * time.Hour
	timeoutHook  = time.Hour
	timeoutSteps = 10 * time.Minute
)

// phase is one of the four hooks, in their order.
type phase int

const (
	prepareBegin phase = iota
	prepareFinish
	mainPhase
	complete
	phases
)

// phaseNames are the words of steps, logs and progress.
var phaseNames = [phases]string{"prepare_begin", "prepare_finish", "main", "complete"}

func hookOf(h protection.Hooks, p phase) protection.Hook {
	return [phases]protection.Hook{h.PrepareBegin, h.PrepareFinish, h.Main, h.Complete}[p]
}

// joinAbove is the number of predecessors from which a missing hook becomes a
// join of its own. Below, what waits for it waits for its predecessors directly.
const joinAbove = 8

// flow writes the steps of an operation: begin, the hooks in the order that the
// contract promises, end, which begins too if there are no hooks; and, should anything
// fail, undo and fail, in the pools of a project. hooks gives the hooks of a type. The result depends on its arguments only.
// The stages are those of a restore.
func flow(project string, g *karbor.Graph, hooks func(karbor.ResourceType) protection.Hooks, stages ...karbor.RestoreStage) workflow.Steps {
	b := flowBuilder{graph: g, stages: stages, index: make(map[karbor.NodeKey]int, len(g.Nodes()))}
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
	b.steps = workflow.Steps{{ID: actionBegin, Action: actionBegin, Timeout: timeoutSteps, Quick: true}}
	end := workflow.Step{ID: actionEnd, Action: actionEnd, After: b.normal(), Timeout: timeoutSteps, Retry: patient(), Quick: true}
	if len(b.steps) == 1 {
		// Nothing lies between begin and end, which so are one step.
		b.steps, end.After, end.Input = nil, nil, actionBegin
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

// patient is the retry of steps that must succeed in the end: for about an hour, or
// two where each attempt waits for undoPatience.
func patient() workflow.Retry {
	return workflow.Retry{Attempts: 65, First: time.Second, Max: time.Minute}
}

// undoPatience is how long an undo takes errors that may pass before its attempt is
// over: it will be tried again, and the operation must come to an end.
const undoPatience = time.Minute

// endless is the retry of the step without which an operation never ends.
func endless() workflow.Retry {
	return workflow.Retry{Attempts: math.MaxInt32, First: time.Second, Max: time.Minute}
}

type flowBuilder struct {
	graph *karbor.Graph
	index map[karbor.NodeKey]int
	hooks []protection.Hooks
	steps workflow.Steps
	// waits holds, for each event seen, the steps to wait for in its stead.
	waits map[event][]string
	// parents are the positions of each node's parents.
	parents [][]int
	stages  []karbor.RestoreStage
}

// event is one hook of one node, there or not.
type event struct {
	node  int
	phase phase
}

// normal appends the steps of the hooks and gives those that end waits for.
func (b *flowBuilder) normal() []string {
	b.waits = make(map[event][]string, len(b.hooks)*int(phases))
	var last []string
	for _, e := range b.order() {
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
		last = []string{actionBegin}
	}
	return last
}

func (b *flowBuilder) add(e event) {
	id := stepID(phaseNames[e.phase], b.graph, e.node)
	after := b.after(e)
	switch {
	case hookOf(b.hooks[e.node], e.phase) != nil:
		step := workflow.Step{
			ID: id, Action: actionHook, Input: id, After: after, Limit: poolHooks, Timeout: timeoutHook,
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
}

// after gives the steps that the steps of event e wait for.
func (b *flowBuilder) after(e event) []string {
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
	if len(after) == 0 {
		return []string{actionBegin}
	}
	return after
}

// before gives the events that the contract puts directly before e.
func (b *flowBuilder) before(e event) []event {
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
func (b *flowBuilder) order() []event {
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
func (b *flowBuilder) topological() []int {
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
func (b *flowBuilder) closing() {
	undo := map[int]string{}
	var all []string
	for _, i := range b.topological() {
		if b.hooks[i].Undo == nil {
			continue
		}
		id := stepID(actionUndo, b.graph, i)
		var after []string
		for _, p := range b.parents[i] {
			if undo[p] != "" {
				after = append(after, undo[p])
			}
		}
		undo[i] = id
		all = append(all, id)
		b.steps = append(b.steps, workflow.Step{
			ID: id, Action: actionUndo, Input: id, After: after,
			When: workflow.OnFailure, Limit: poolHooks, Timeout: timeoutHook, Retry: patient(),
		})
	}
	b.steps = append(b.steps, workflow.Step{
		ID: actionFail, Action: actionFail, After: all, When: workflow.OnFailure, Timeout: timeoutSteps, Retry: endless(),
	})
}

// maxStepID is the longest id of a step, in bytes (see workflow.Step).
const maxStepID = 255

// stepID names the step of a hook of the i-th node of a graph; nodeOf takes it
// apart. It holds the node's key, for who reads the log, or its place where the key
// is too long.
func stepID(hook string, g *karbor.Graph, i int) string {
	id := hook + ":" + string(g.Nodes()[i].Key())
	if len(id) > maxStepID {
		id = hook + ":#" + strconv.Itoa(i)
	}
	return id
}

// nodeOf gives the hook and the node of a step's id; a nil node if it is of none.
func nodeOf(g *karbor.Graph, id string) (hook string, node *karbor.Node) {
	hook, key, _ := strings.Cut(id, ":")
	if place, found := strings.CutPrefix(key, "#"); found {
		if i, err := strconv.Atoi(place); err == nil && i >= 0 && i < len(g.Nodes()) {
			return hook, g.Nodes()[i]
		}
		return hook, nil
	}
	return hook, g.Node(karbor.NodeKey(key))
}

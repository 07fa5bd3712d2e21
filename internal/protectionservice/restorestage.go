package protectionservice

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/workflow"
)

// actionPause is the action between two stages of a restore, and poolPause its pool: who
// waits takes no place from who works.
const (
	actionPause = "pause"
	poolPause   = "pause"
)

// checkStages checks the stages of a restore of a graph. The error is karbor.Invalid.
func checkStages(g *karbor.Graph, stages []karbor.RestoreStage) error {
	if len(stages) > karbor.MaxStages {
		return karbor.Errorf(karbor.Invalid, "stages: there are %d, which is more than %d", len(stages), karbor.MaxStages)
	}
	stageOf, nodesOf := map[karbor.NodeKey]int{}, nodesByResource(g)
	for i, stage := range stages {
		if stage.Delay < 0 || stage.Delay > int64(karbor.MaxStageDelay/time.Second) {
			return karbor.Errorf(karbor.Invalid, "stages[%d].delay: %d is not between 0 and %d seconds", i, stage.Delay, int64(karbor.MaxStageDelay/time.Second))
		}
		for j, key := range stage.Resources {
			nodes := nodesOf[key]
			if len(nodes) == 0 {
				return karbor.Errorf(karbor.Invalid, "stages[%d].resources[%d]: there is no resource %q in the restore", i, j, key)
			}
			for _, n := range nodes {
				if _, twice := stageOf[n.Key()]; twice {
					return karbor.Errorf(karbor.Invalid, "stages[%d].resources[%d]: %q is there twice", i, j, key)
				}
				stageOf[n.Key()] = i
			}
		}
	}
	latest := latestBelow(g, stageOf)
	for _, n := range g.Nodes() {
		i, staged := stageOf[n.Key()]
		if last := latest[n.Key()]; staged && last != nil && stageOf[last.Key()] > i {
			return karbor.Errorf(karbor.Invalid, "stages: %q depends on %q, which is in a later stage", n.Resource.Key(), last.Resource.Key())
		}
	}
	return nil
}

// latestBelow gives, for each node, the one of the latest stage among those that it
// depends on, directly or not; nil where none of them is in a stage.
func latestBelow(g *karbor.Graph, stageOf map[karbor.NodeKey]int) map[karbor.NodeKey]*karbor.Node {
	latest := make(map[karbor.NodeKey]*karbor.Node, len(g.Nodes()))
	var visit func(n *karbor.Node) *karbor.Node
	visit = func(n *karbor.Node) *karbor.Node {
		key := n.Key()
		if found, seen := latest[key]; seen {
			return found
		}
		latest[key] = nil
		var last *karbor.Node
		for _, c := range g.Children(n) {
			for _, candidate := range []*karbor.Node{c, visit(c)} {
				if candidate == nil {
					continue
				}
				stage, staged := stageOf[candidate.Key()]
				if staged && (last == nil || stage > stageOf[last.Key()]) {
					last = candidate
				}
			}
		}
		latest[key] = last
		return last
	}
	for _, n := range g.Nodes() {
		visit(n)
	}
	return latest
}

// nodesByResource gives the nodes of each resource, in whatever role, by its key.
func nodesByResource(g *karbor.Graph) map[string][]*karbor.Node {
	out := make(map[string][]*karbor.Node, len(g.Nodes()))
	for _, n := range g.Nodes() {
		key := n.Resource.Key()
		out[key] = append(out[key], n)
	}
	return out
}

// stage has the Complete hooks of each stage wait until those of the one before are
// over, and the pause is. It gives the pauses that nobody waits for.
func (b *flowBuilder) stage(stages []karbor.RestoreStage) (last []string) {
	if len(stages) < 2 {
		return nil
	}
	nodes := b.stageNodes(stages)
	at := make(map[string]int, len(b.steps))
	for i, s := range b.steps {
		at[s.ID] = i
	}
	for i := 1; i < len(stages); i++ {
		pause := actionPause + ":" + strconv.Itoa(i)
		after, there := slices.Clone(last), map[string]bool{}
		for _, n := range nodes[i-1] {
			for _, id := range b.waits[event{n, complete}] {
				if !there[id] {
					there[id] = true
					after = append(after, id)
				}
			}
		}
		if len(after) == 0 {
			after = []string{actionBegin}
		}
		b.steps = append(b.steps, workflow.Step{
			ID: pause, Action: actionPause, Input: strconv.FormatInt(stages[i].Delay, 10), After: after,
			Limit: poolPause, Timeout: time.Duration(stages[i].Delay)*time.Second + timeoutSteps,
		})
		last = []string{pause}
		for _, n := range nodes[i] {
			if s, found := at[stepID(phaseNames[complete], b.graph, n)]; found {
				b.steps[s].After = append(slices.Clone(b.steps[s].After), pause)
			}
		}
	}
	b.steps = ordered(b.steps)
	return last
}

// stageNodes gives the positions of the nodes of each stage.
func (b *flowBuilder) stageNodes(stages []karbor.RestoreStage) [][]int {
	nodesOf := nodesByResource(b.graph)
	out := make([][]int, len(stages))
	for i, stage := range stages {
		for _, key := range stage.Resources {
			for _, n := range nodesOf[key] {
				out[i] = append(out[i], b.index[n.Key()])
			}
		}
	}
	return out
}

// ordered gives steps such that each comes after those that it waits for, and else as
// they were.
func ordered(steps workflow.Steps) workflow.Steps {
	byID := make(map[string]workflow.Step, len(steps))
	for _, s := range steps {
		byID[s.ID] = s
	}
	out := make(workflow.Steps, 0, len(steps))
	placed := make(map[string]bool, len(steps))
	var place func(s workflow.Step)
	place = func(s workflow.Step) {
		if placed[s.ID] {
			return
		}
		placed[s.ID] = true
		for _, id := range s.After {
			place(byID[id])
		}
		out = append(out, s)
	}
	for _, s := range steps {
		place(s)
	}
	return out
}

// pause waits between two stages. After a crash it begins anew: a pause that is too long
// does less harm than one that is too short.
func (s *Service) pause(ctx context.Context, task *workflow.Task) error {
	seconds, err := strconv.ParseInt(task.Input, 10, 64)
	if err != nil {
		return fmt.Errorf("reading the pause of step %s: %w", task.Step, err)
	}
	if seconds == 0 {
		return nil
	}
	timer := time.NewTimer(time.Duration(seconds) * time.Second)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

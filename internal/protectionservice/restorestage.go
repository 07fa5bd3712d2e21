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
	stageOf := map[karbor.NodeKey]int{}
	for i, stage := range stages {
		if stage.Delay < 0 || stage.Delay > int64(karbor.MaxStageDelay/time.Second) {
			return karbor.Errorf(karbor.Invalid, "stages[%d].delay: %d is not between 0 and %d seconds", i, stage.Delay, int64(karbor.MaxStageDelay/time.Second))
		}
		for j, key := range stage.Resources {
			nodes := nodesOf(g, key)
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
	for _, n := range g.Nodes() {
		if i, staged := stageOf[n.Key()]; staged {
			if later := laterBelow(g, n, i, stageOf); later != nil {
				return karbor.Errorf(karbor.Invalid, "stages: %q depends on %q, which is in a later stage", n.Resource.Key(), later.Resource.Key())
			}
		}
	}
	return nil
}

// laterBelow gives a node of a later stage that n depends on, directly or not, or nil.
func laterBelow(g *karbor.Graph, n *karbor.Node, stage int, stageOf map[karbor.NodeKey]int) *karbor.Node {
	seen := map[karbor.NodeKey]bool{}
	open := g.Children(n)
	for len(open) > 0 {
		c := open[0]
		open = open[1:]
		if seen[c.Key()] {
			continue
		}
		seen[c.Key()] = true
		if i, staged := stageOf[c.Key()]; staged && i > stage {
			return c
		}
		open = append(open, g.Children(c)...)
	}
	return nil
}

// nodesOf gives the nodes of a resource, in whatever role.
func nodesOf(g *karbor.Graph, key string) []*karbor.Node {
	var out []*karbor.Node
	for _, n := range g.Nodes() {
		if n.Resource.Key() == key {
			out = append(out, n)
		}
	}
	return out
}

// stage has the Complete hooks of each stage wait until those of the one before are
// over, and the pause is. It gives the pauses that nobody waits for.
func (b *flowBuilder) stage(stages []karbor.RestoreStage) (last []string) {
	for i := 1; i < len(stages); i++ {
		pause := actionPause + ":" + strconv.Itoa(i)
		after := slices.Clone(last)
		for _, n := range b.stageNodes(stages[i-1]) {
			for _, id := range b.waits[event{n, complete}] {
				if !slices.Contains(after, id) {
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
		for _, n := range b.stageNodes(stages[i]) {
			id := stepID(phaseNames[complete], b.graph, n)
			for s := range b.steps {
				if b.steps[s].ID == id {
					b.steps[s].After = append(slices.Clone(b.steps[s].After), pause)
				}
			}
		}
	}
	if len(stages) > 1 {
		b.steps = ordered(b.steps)
	}
	return last
}

func (b *flowBuilder) stageNodes(stage karbor.RestoreStage) []int {
	var out []int
	for _, key := range stage.Resources {
		for _, n := range nodesOf(b.graph, key) {
			out = append(out, b.index[n.Key()])
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

package flow

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice/restoration"
	"github.com/karbor/karbor/internal/workflow"
)

// stage has the Complete hooks of each stage wait until those of the one before are
// over, and the pause is. It gives the pauses that nobody waits for.
func (b *builder) stage(stages []karbor.RestoreStage) (last []string) {
	if len(stages) < 2 {
		return nil
	}
	nodes := b.stageNodes(stages)
	at := make(map[string]int, len(b.steps))
	for i, s := range b.steps {
		at[s.ID] = i
	}
	for i := 1; i < len(stages); i++ {
		pause := pauseBefore(i)
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
			after = []string{Begin}
		}
		b.steps = append(b.steps, workflow.Step{
			ID: pause, Action: Pause, Input: strconv.FormatInt(stages[i].Delay, 10), After: after,
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

// pauseBefore gives the id of the step that waits between a stage, which is not the first, and the one before.
func pauseBefore(stage int) string { return Pause + ":" + strconv.Itoa(stage) }

// StageAfter gives the place of the stage, from 1, that a step of this id waits before; 0 if it is no such step.
func StageAfter(id string) int {
	text, found := strings.CutPrefix(id, Pause+":")
	stage, err := strconv.Atoi(text)
	if !found || err != nil || stage < 1 {
		return 0
	}
	return stage
}

// stageNodes gives the positions of the nodes of each stage.
func (b *builder) stageNodes(stages []karbor.RestoreStage) [][]int {
	out := make([][]int, len(stages))
	for i, nodes := range restoration.Staged(b.graph, stages) {
		for _, n := range nodes {
			out[i] = append(out[i], b.index[n.Key()])
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

package progress

import (
	"fmt"
	"slices"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice/flow"
	"github.com/karbor/karbor/internal/protectionservice/restoration"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/internal/workflow"
)

// waitsForStages gives, for the resources of a restore that only wait for their stage to begin, what they wait for.
func waitsForStages(op store.Operation, d workflow.Description) map[karbor.NodeKey]string {
	stopping := d.Cancelled != "" || slices.ContainsFunc(d.Steps, func(s workflow.StepDescription) bool { return s.State == workflow.Failed })
	if stopping {
		return nil // no stage begins any more
	}
	stages := op.Choices.Stages
	pauses := map[int]workflow.State{} // by their stages
	for _, step := range d.Steps {
		if i := flow.StageAfter(step.ID); i > 0 && i < len(stages) {
			pauses[i] = step.State
		}
	}
	if len(pauses) == 0 {
		return nil
	}
	ready := readyNodes(op, d)
	out := map[karbor.NodeKey]string{}
	for i, nodes := range restoration.Staged(op.Graph, stages) {
		why := waitForStage(pauses[i], stages[i].Delay)
		for _, n := range nodes {
			if why != "" && ready[n.Key()] {
				out[n.Key()] = why
			}
		}
	}
	return out
}

// readyNodes gives the nodes that are only to be put together yet.
func readyNodes(op store.Operation, d workflow.Description) map[karbor.NodeKey]bool {
	ready, busy := map[karbor.NodeKey]bool{}, map[karbor.NodeKey]bool{}
	for _, step := range d.Steps {
		hook, n := flow.NodeOf(op.Graph, step.ID)
		if n == nil || step.Action != flow.Hook || step.State.Ended() {
			continue
		}
		if hook == flow.Complete && step.State == workflow.Pending {
			ready[n.Key()] = true
		} else {
			busy[n.Key()] = true
		}
	}
	for key := range busy {
		delete(ready, key)
	}
	return ready
}

// waitForStage says what the resources of a stage wait for, by the state of the pause before it and its length in
// seconds; "" if that is over, or there is none.
func waitForStage(pause workflow.State, delay int64) string {
	switch {
	case pause == workflow.Pending:
		return "waiting for the stage before its own"
	case pause == workflow.Running && delay == 1:
		return "waiting for its stage, which begins a second after the one before"
	case pause == workflow.Running && delay > 0:
		return fmt.Sprintf("waiting for its stage, which begins %d seconds after the one before", delay)
	default:
		return ""
	}
}

package flow

import (
	"cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/workflow"
	"github.com/karbor/karbor/protection"
)

// Safety waits for the safety checkpoint of a restore in place.
const Safety = "safety"

// InPlace writes the steps of a restore in place: begin, the wait for the safety
// checkpoint, the hooks, each phase of all resources before the next from Main on, and end;
// and undo and fail as in Steps.
func InPlace(project string, g *karbor.Graph, hooks func(karbor.ResourceType) protection.Hooks) workflow.Steps {
	b := newBuilder(g, hooks)
	b.first, b.together = Safety, true
	b.steps = workflow.Steps{
		{ID: Begin, Action: Begin, Timeout: timeoutSteps, Quick: true},
		{ID: Safety, Action: Safety, After: []string{Begin}, Limit: poolPause, Timeout: timeoutMain, Retry: patient()},
	}
	end := workflow.Step{ID: End, Action: End, After: b.normal(), Timeout: timeoutSteps, Retry: endless(), Quick: true}
	b.steps = append(b.steps, end)
	b.closing()
	for i := range b.steps {
		if s := &b.steps[i]; s.Action != "" {
			s.Limit = cmp.Or(s.Limit, poolSteps) + "/" + project
		}
	}
	return b.steps
}

// resumed appends the steps that resume what was undone, behind a step after all undo, and gives
// those that are the last.
func (b *builder) resumed(undone []string) []string {
	const gathered = "all:" + Undo
	last := []string{gathered}
	for i := range b.hooks {
		if b.hooks[i].Resume == nil {
			continue
		}
		if len(last) == 1 {
			b.steps = append(b.steps, workflow.Step{ID: gathered, After: undone, When: workflow.OnFailure})
		}
		id := stepID(Resume, b.graph, i)
		last = append(last, id)
		b.steps = append(b.steps, workflow.Step{
			ID: id, Action: Undo, Input: id, After: []string{gathered},
			When: workflow.OnFailure, Limit: poolHooks, Timeout: timeoutHook, Retry: patient(),
		})
	}
	if len(last) == 1 {
		return undone
	}
	return last[1:]
}

// gather appends the step between a phase and the one before.
func (b *builder) gather(p phase) {
	id := "all:" + phaseNames[p-1]
	var after []string
	seen := map[string]bool{}
	for i := range b.hooks {
		for _, one := range b.waits[event{i, p - 1}] {
			if !seen[one] {
				seen[one] = true
				after = append(after, one)
			}
		}
	}
	b.steps = append(b.steps, workflow.Step{ID: id, After: after})
	b.barrier = id
}

package local

import (
	"context"
	"fmt"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/workflow"
)

// maxName is the most bytes of a step's id and of a pool's name.
const maxName = 255

// read gets all steps of a graph, and refuses one that breaks the contract.
func read(ctx context.Context, g workflow.Graph, actions map[string]workflow.Action) ([]workflow.Step, error) {
	var steps []workflow.Step
	// known gives, for each id, whether the step is a normal one.
	known := map[string]bool{}
	for {
		page, err := g.Page(ctx, len(steps))
		if err != nil {
			return nil, fmt.Errorf("reading the steps from %d on: %w", len(steps), err)
		}
		if len(page) == 0 {
			return steps, nil
		}
		if len(page) > workflow.MaxPage {
			return nil, karbor.Errorf(karbor.Invalid, "a page of the graph has %d steps, more than %d", len(page), workflow.MaxPage)
		}
		for i := range page {
			if err := check(&page[i], known, actions); err != nil {
				return nil, err
			}
			known[page[i].ID] = page[i].When == workflow.Normal
		}
		steps = append(steps, page...)
	}
}

func check(s *workflow.Step, known map[string]bool, actions map[string]workflow.Action) error {
	if s.ID == "" || len(s.ID) > maxName {
		return karbor.Errorf(karbor.Invalid, "the id of the step %q does not have 1 to %d bytes", s.ID, maxName)
	}
	if _, twice := known[s.ID]; twice {
		return karbor.Errorf(karbor.Invalid, "the step %q is there twice", s.ID)
	}
	if s.Action != "" && actions[s.Action] == nil {
		return karbor.Errorf(karbor.Invalid, "the step %q has the unknown action %q", s.ID, s.Action)
	}
	switch s.When {
	case workflow.Normal, workflow.OnFailure, workflow.Always:
	default:
		return karbor.Errorf(karbor.Invalid, "the step %q runs in the unknown case %q", s.ID, s.When)
	}
	if len(s.Input) > workflow.MaxInput || len(s.Limit) > maxName {
		return karbor.Errorf(karbor.Invalid, "the input or the limit of the step %q is too long", s.ID)
	}
	if s.Timeout < 0 || s.Retry.Attempts < 0 || s.Retry.First < 0 || s.Retry.Max < 0 {
		return karbor.Errorf(karbor.Invalid, "a time or number of the step %q is negative", s.ID)
	}
	for _, before := range s.After {
		normal, found := known[before]
		if !found {
			return karbor.Errorf(karbor.Invalid, "the step %q waits for %q, which does not come before it", s.ID, before)
		}
		if normal != (s.When == workflow.Normal) {
			return karbor.Errorf(karbor.Invalid, "the step %q waits for %q, which is of the other part", s.ID, before)
		}
	}
	return nil
}

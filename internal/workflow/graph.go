package workflow

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/karbor/karbor"
)

// MaxName is the most bytes of an operation's or a step's id and of a pool's name.
const MaxName = 255

// Read gets all steps of the graph of an operation that is handed over, and refuses,
// as karbor.Invalid, what breaks the contract: see Engine.Start. It is for engines.
func Read(ctx context.Context, operation string, g Graph, actions map[string]Action) ([]Step, error) {
	if operation == "" || len(operation) > MaxName {
		return nil, karbor.Errorf(karbor.Invalid, "the id of an operation must have 1 to %d bytes", MaxName)
	}
	steps, err := read(ctx, g, actions)
	if err != nil {
		return nil, fmt.Errorf("starting the operation %s: %w", operation, err)
	}
	return steps, nil
}

func read(ctx context.Context, g Graph, actions map[string]Action) ([]Step, error) {
	var steps []Step
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
		if len(page) > MaxPage {
			return nil, karbor.Errorf(karbor.Invalid, "a page of the graph has %d steps, more than %d", len(page), MaxPage)
		}
		for i := range page {
			if err := check(&page[i], known, actions); err != nil {
				return nil, err
			}
			known[page[i].ID] = page[i].When == Normal
		}
		steps = append(steps, page...)
	}
}

func check(s *Step, known map[string]bool, actions map[string]Action) error {
	if s.ID == "" || len(s.ID) > MaxName {
		return karbor.Errorf(karbor.Invalid, "the id of the step %q does not have 1 to %d bytes", s.ID, MaxName)
	}
	if _, twice := known[s.ID]; twice {
		return karbor.Errorf(karbor.Invalid, "the step %q is there twice", s.ID)
	}
	if s.Action != "" && actions[s.Action] == nil {
		return karbor.Errorf(karbor.Invalid, "the step %q has the unknown action %q", s.ID, s.Action)
	}
	switch s.When {
	case Normal, OnFailure, Always:
	default:
		return karbor.Errorf(karbor.Invalid, "the step %q runs in the unknown case %q", s.ID, s.When)
	}
	if len(s.Input) > MaxInput || len(s.Limit) > MaxName {
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
		if normal != (s.When == Normal) {
			return karbor.Errorf(karbor.Invalid, "the step %q waits for %q, which is of the other part", s.ID, before)
		}
	}
	return nil
}

// Share says whose an operation is, by its steps: what stands behind the first slash of the
// first limit that has one; "" where none has. Operations of one share may keep each other
// waiting, but none of another.
func Share(steps []Step) string {
	for i := range steps {
		if _, share, named := strings.Cut(steps[i].Limit, "/"); named {
			return share
		}
	}
	return ""
}

// Filled gives the retry with the defaults in the place of what is zero.
func (r Retry) Filled() Retry {
	d := DefaultRetry()
	return Retry{
		Attempts: cmp.Or(r.Attempts, d.Attempts),
		First:    cmp.Or(r.First, d.First),
		Max:      cmp.Or(r.Max, max(d.Max, r.First)),
	}
}

// Wait is the time between the n-th failed attempt, from 1, and the next, of a Filled
// retry. Up to a fifth is taken off or added, as spread says, from 0 to 1: so what
// failed together is not tried again together.
func (r Retry) Wait(n int, spread float64) time.Duration {
	d := r.First
	for range n - 1 {
		if d >= r.Max {
			break
		}
		d *= 2
	}
	return time.Duration(float64(min(d, r.Max)) * (0.8 + 0.4*spread))
}

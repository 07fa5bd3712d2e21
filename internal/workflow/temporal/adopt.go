package temporal

import (
	"context"
	"slices"
	"time"

	"github.com/karbor/karbor/internal/workflow"
	"github.com/karbor/karbor/internal/workflow/local"
)

// Adopt hands over an operation that the local engine has not finished, as far as that came
// with it. The local engine must not run. A known id is no error and changes nothing.
func (e *Engine) Adopt(ctx context.Context, found local.Recorded) error {
	from := adopted(found)
	return e.start(ctx, found.ID, found.Steps, &from)
}

// adopted gives the state of an operation of the local engine.
func adopted(found local.Recorded) state {
	from := state{
		Requested: found.Requested, Closing: found.Closing, Cancelled: found.Cancelled, StartedAt: found.StartedAt,
	}
	order := map[int]int{}
	for _, r := range found.Records {
		from.Steps = append(from.Steps, stepState{
			Position: r.Position, State: r.State, Attempts: r.Attempts, Failures: r.Failures,
			Done: r.Done, Total: r.Total, Error: r.Error,
		})
		if r.State == workflow.Failed {
			from.Failed = append(from.Failed, r.Position)
			order[r.Position] = r.Order
		}
	}
	slices.SortFunc(from.Failed, func(a, b int) int { return order[a] - order[b] })
	m := newMachine(found.Steps, from)
	if found.State == workflow.Running {
		// Each of these may have begun, of which the journal does not tell.
		for _, i := range m.ready {
			m.steps[i].Attempts++
		}
	}
	// A join's state follows from those before it.
	out := m.snapshot()
	out.State, out.EndedAt = workflow.Running, time.Time{}
	return out
}

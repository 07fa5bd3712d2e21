package progress

import (
	"cmp"
	"context"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice/flow"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/internal/workflow"
)

// movement is what the engine knows of a resource's running steps.
type movement struct {
	done, total int64
	// moving says that a step runs that moves bytes.
	moving bool
	// err is the last error of a step that is tried again, and failed that of one
	// that is not.
	err, failed string
	// waiting is what it waits for.
	waiting string
}

// state gives the state of a resource, and the reason of one that has failed or is
// tried again.
func (m movement) state(r store.ResourceRecord) (karbor.ResourceState, string) {
	switch {
	case m.failed != "":
		return karbor.ResourceError, m.failed
	case r.Reason != "":
		return r.State, r.Reason
	default:
		return r.State, m.err
	}
}

// moved asks the engine for the progress of an operation that is not over.
func (r *Reader) moved(ctx context.Context, op store.Operation) (map[karbor.NodeKey]movement, error) {
	if !op.EndedAt.IsZero() {
		return nil, nil
	}
	d, err := r.describe(ctx, op)
	if err != nil {
		return nil, err
	}
	wait := waitOfAll(d)
	if wait != "" {
		why, err := r.waits(ctx, op)
		if err != nil {
			return nil, err
		}
		wait = cmp.Or(why, wait)
	}
	out := map[karbor.NodeKey]movement{}
	if wait != "" {
		for _, n := range op.Graph.Nodes() {
			out[n.Key()] = movement{waiting: wait}
		}
		return out, nil
	}
	for key, n := range r.transfers.Waiting(op.ID) {
		out[key] = movement{waiting: waitsForTransfer(n)}
	}
	for key, wait := range waitsForStages(op, d) {
		out[key] = movement{waiting: wait}
	}
	for _, step := range d.Steps {
		_, n := flow.NodeOf(op.Graph, step.ID)
		if n == nil {
			continue
		}
		m := out[n.Key()]
		if step.Total > 0 || step.Done > 0 {
			m.done, m.total = step.Done, step.Total
			m.moving = m.moving || step.State == workflow.Running
		}
		if wait := waitOf(step); wait != "" {
			m.waiting = wait
		}
		if step.Error != "" && !step.State.Ended() {
			m.err = step.Error
		}
		if step.State == workflow.Failed && m.failed == "" {
			m.failed = step.Error
		}
		out[n.Key()] = m
	}
	return out, nil
}

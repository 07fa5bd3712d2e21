package local

import (
	"context"

	"github.com/karbor/karbor/internal/workflow"
)

// Joint is an operation that its caller journals, in a transaction of the caller's: see
// Engine.Join.
type Joint struct {
	// Token is the one under which it is journalled: if the lease has another one
	// meanwhile, nothing of the transaction may be kept.
	Token     int64
	Operation OperationRecord
	Steps     []workflow.Step

	run *run
}

// Join prepares what Start does, for a caller that keeps its own notes of an operation
// in the journal's database and would commit twice otherwise. The caller journals the
// operation together with its notes, and then calls Done. Join gives nil if the
// operation has to wait, as the engine does not run or has no room: then it is for
// Start.
func (e *Engine) Join(ctx context.Context, id string, g workflow.Graph) (*Joint, error) {
	steps, err := workflow.Read(ctx, id, g, e.options.Actions)
	if err != nil {
		return nil, err
	}
	share := workflow.Share(steps)
	r := e.reserve(id, share)
	if r == nil {
		return nil, nil
	}
	now := e.now()
	return &Joint{
		Token:     r.token,
		Operation: OperationRecord{ID: id, Share: share, State: workflow.Running, CreatedAt: now, StartedAt: now},
		Steps:     steps, run: r,
	}, nil
}

// Done says whether the operation is journalled, and lets it begin if it is.
func (j *Joint) Done(kept bool) {
	j.run.take(j.Operation.ID, kept, &Recorded{OperationRecord: j.Operation, Steps: j.Steps})
}

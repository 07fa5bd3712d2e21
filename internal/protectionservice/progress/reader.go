// Package progress tells how far operations are, resource by resource: the state of each, the
// bytes, how fast they move, and what it waits for. It puts together what the records have and
// what the engine knows.
package progress

import (
	"context"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice/transfer"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/internal/workflow"
)

// Options of New. All are needed.
type Options struct {
	Store *store.Store
	// Describe asks the engine how far an operation is that is not over.
	Describe func(ctx context.Context, op store.Operation) (workflow.Description, error)
	// Waits says why an operation has not begun that waits for a place; "" if it does not.
	Waits     func(ctx context.Context, op store.Operation) (string, error)
	Transfers *transfer.Places
	Paces     *transfer.Paces
	Now       func() time.Time
}

// Reader tells how far operations are. It is safe for concurrent use.
type Reader struct {
	store     *store.Store
	describe  func(ctx context.Context, op store.Operation) (workflow.Description, error)
	waits     func(ctx context.Context, op store.Operation) (string, error)
	transfers *transfer.Places
	paces     *transfer.Paces
	now       func() time.Time
}

// New makes a reader.
func New(o Options) *Reader {
	return &Reader{store: o.Store, describe: o.Describe, waits: o.Waits, transfers: o.Transfers, paces: o.Paces, now: o.Now}
}

// Resources tells how far an operation is, resource by resource.
func (r *Reader) Resources(ctx context.Context, op store.Operation) ([]karbor.ResourceProgress, error) {
	rows, err := r.store.Resources(ctx, op.ID)
	if err != nil {
		return nil, err
	}
	moved, err := r.moved(ctx, op)
	if err != nil {
		return nil, err
	}
	out := make([]karbor.ResourceProgress, 0, len(rows))
	for _, row := range rows {
		n := op.Graph.Node(row.Key)
		if n == nil {
			continue
		}
		p := karbor.ResourceProgress{
			Resource: n.Resource, Phase: row.Phase, Done: row.Done, Total: row.Total, NewID: row.NewID, NotKept: row.NotKept, Mapped: row.Mapped,
		}
		m := moved[row.Key]
		if p.State, p.Reason = m.state(row); row.Total == 0 {
			p.Done, p.Total = m.done, m.total
		}
		if p.Waiting = m.waiting; m.moving {
			p.Speed = max(0, r.paces.Observe(op.ID, row.Key, p.Done, r.now()))
			p.Left = transfer.TimeLeft(p.Done, p.Total, p.Speed)
		}
		out = append(out, p)
	}
	return out, nil
}

// State is that of a resource as it is now, with the reason of one that has failed or is tried
// again.
type State struct {
	Row    store.ResourceRecord
	State  karbor.ResourceState
	Reason string
}

// States gives the state of each resource of an operation as it is now.
func (r *Reader) States(ctx context.Context, op store.Operation) ([]State, error) {
	rows, err := r.store.Resources(ctx, op.ID)
	if err != nil {
		return nil, err
	}
	moved, err := r.moved(ctx, op)
	if err != nil {
		return nil, err
	}
	out := make([]State, len(rows))
	for i, row := range rows {
		out[i].Row = row
		out[i].State, out[i].Reason = moved[row.Key].state(row)
	}
	return out, nil
}

// Newest tells how far the newest operation on a target is; nil where none is known.
func (r *Reader) Newest(ctx context.Context, projectID string, t store.Target) ([]karbor.ResourceProgress, error) {
	op, err := r.store.OperationOf(ctx, projectID, t)
	if karbor.KindOf(err) == karbor.NotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return r.Resources(ctx, op)
}

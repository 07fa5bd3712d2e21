package dispatch

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
)

// overdueGrace is how long an operation that was cancelled at its deadline may take to
// remove what it made, before it is ended as it lies.
const overdueGrace = time.Hour

// endOverdue asks operations to stop that are older than the deadline, and ends those that
// do not. So none goes on for ever, whatever its hooks do.
func (d *Dispatcher) endOverdue(ctx context.Context) error {
	if d.deadline <= 0 {
		return nil
	}
	now := d.now()
	found, err := d.store.OverdueOperations(ctx, now.Add(-d.deadline))
	if err != nil {
		return err
	}
	reason := fmt.Sprintf("cancelled by the service: it was not over after %v", d.deadline)
	var errs []error
	for _, o := range found {
		r := store.Request{OperationID: o.ID, Kind: store.CancelRequest, Reason: reason}
		if now.Sub(o.CreatedAt) >= d.deadline+overdueGrace {
			r.Kind = store.FailRequest
		}
		// One that is over meanwhile is none of ours.
		if err := d.store.AskOperation(ctx, r); err != nil && karbor.KindOf(err) != karbor.Conflict {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

package protectionservice

import (
	"context"
	"fmt"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice/deletion"
	"github.com/karbor/karbor/internal/protectionservice/outcome"
	"github.com/karbor/karbor/internal/protectionservice/protect"
	"github.com/karbor/karbor/internal/protectionservice/running"
	"github.com/karbor/karbor/internal/store"
)

// recordedTime bounds one look at a bank for the end of an operation.
const recordedTime = 10 * time.Second

// recorded ends an operation as successful that has come to its end in its bank, which is the truth, and
// of which only the row does not say so: the process or the database went between the two. It reports
// whether the bank has that end. So it is asked before anything of the operation is undone or called a
// failure, and before an engine that has lost it gets it anew.
func (s *Service) recorded(ctx context.Context, op store.Operation) (over bool, err error) {
	var end karbor.CheckpointStatus
	switch op.Type {
	case karbor.Protect:
		end = karbor.CheckpointAvailable
	case karbor.Delete:
		end = karbor.CheckpointDeleted
	default:
		return false, nil // its end is in the database alone
	}
	p, err := s.operations.Place(op)
	if err != nil {
		return false, nil //nolint:nilerr // its file has gone, and with it the way to its bank
	}
	look, cancel := context.WithTimeout(ctx, recordedTime)
	defer cancel()
	status, err := p.Checkpoints().Status(look, op.ProjectID, op.CheckpointID)
	if err != nil || status != end {
		return false, err
	}
	rows, err := s.store.Resources(ctx, op.ID)
	if err != nil || op.Type == karbor.Protect && protect.Undone(rows) {
		return false, err
	}
	if op.Graph == nil { // it can't be read
		op.Graph = &karbor.Graph{}
	}
	w := running.Work{Op: op, Provider: p}
	var o store.Outcome
	if op.Type == karbor.Protect {
		o = protect.Made(w, rows)
		if o.Left, err = protect.Left(ctx, w, s.store); err != nil {
			return false, err
		}
	} else {
		o = deletion.Deleted(w, s.custody)
	}
	if len(op.Graph.Nodes()) > 0 {
		outcome.Succeeded(&o, op, rows)
	}
	s.log.WarnContext(ctx, "an operation had come to its end in its bank, and is ended so", "operation", op.ID, "type", op.Type,
		"checkpoint", op.CheckpointID, "provider", op.ProviderID)
	return true, s.operations.End(ctx, op, o)
}

// recall has a protect that is in error in its bank already tell the reasons that are there: it failed
// before its engine was lost, and what fails now is only that it is over.
func (s *Service) recall(ctx context.Context, op store.Operation, rows []store.ResourceRecord, o *store.Outcome, how ending) error {
	p, err := s.operations.Place(op)
	if err != nil {
		return nil //nolint:nilerr // as in recorded
	}
	cp, err := p.Checkpoints().Get(ctx, op.ProjectID, op.CheckpointID)
	switch {
	case how.waits(ctx, err):
		return fmt.Errorf("reading why checkpoint %s has failed: %w", op.CheckpointID, err)
	case err == nil && cp.Status == karbor.CheckpointError && len(cp.Reasons) > 0:
		outcome.Recall(o, op.Graph, rows, cp.Reasons)
	}
	return nil
}

// failable are the states in a bank from which an operation that has failed may put its checkpoint in
// error; none stands for any. What became available behind its back stays so, unless some of it was
// removed.
func failable(op store.Operation, rows []store.ResourceRecord) []karbor.CheckpointStatus {
	if op.Type != karbor.Protect || protect.Undone(rows) {
		return nil
	}
	return []karbor.CheckpointStatus{karbor.CheckpointProtecting, karbor.CheckpointError}
}

package protectionservice

import (
	"cmp"
	"context"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice/dispatch"
	"github.com/karbor/karbor/internal/protectionservice/outcome"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/internal/workflow"
)

const (
	// unreadable is told to the tenant of an operation that is ended from its columns.
	unreadable = "what the service has noted of what it works on can't be read"
	// unremoved is why something is left of it: nobody can tell what to remove.
	unremoved = "it was not removed, as " + unreadable
)

// endUnread ends an operation of which nothing but its columns, and the records of its
// resources, can be read. All that it may have made is noted as left. What a checkpoint has
// kept stays in its bank until it is deleted.
func (s *Service) endUnread(ctx context.Context, op store.Operation, f *workflow.Failure) error {
	reason := cmp.Or(outcome.Sort(&karbor.Graph{}, f).Text(), dispatch.Vanished) + "; " + unreadable
	if op.Type == karbor.CopyOperation {
		return s.endFailedCopyAs(ctx, op, reason)
	}
	if over, err := s.recorded(ctx, op); over {
		return err
	}
	rows, err := s.store.Resources(ctx, op.ID)
	if err != nil {
		return err
	}
	o := outcome.Failed(op.Type)
	o.ErrorInfo, o.Reasons, o.ResourcesReason = reason, map[string]string{"": reason}, map[string]string{"": reason}
	o.Records, o.Left = map[karbor.NodeKey]store.RecordOutcome{}, map[karbor.NodeKey]string{}
	for _, r := range rows {
		o.Records[r.Key] = store.RecordOutcome{State: karbor.ResourceError, Reason: reason}
		if r.Started && makesThings(op.Type) {
			o.Left[r.Key] = unremoved
		}
		if op.Type == karbor.Protect {
			o.Size += r.Total
		}
	}
	if op.Type == karbor.DrillOperation {
		o.Drilled = &store.Drilled{Status: karbor.DrillError, Verdict: karbor.DrillInconclusive, Reason: reason}
	}
	if o.CheckpointStatus != "" {
		if err := s.failInBank(ctx, op, o, failable(op, rows), ending{}); err != nil {
			return err
		}
	}
	return s.operations.End(ctx, op, o)
}

// makesThings reports whether operations of a kind make things in the cloud.
func makesThings(op karbor.OperationType) bool {
	return op == karbor.Protect || op == karbor.RestoreOperation || op == karbor.DrillOperation
}

package protectionservice

import (
	"context"
	"fmt"
	"strings"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/checkpoint"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/internal/workflow"
)

// end makes success visible: in the bank first, which is the truth, then in the
// store.
func (s *Service) end(ctx context.Context, task *workflow.Task) error {
	w, err := s.work(ctx, task)
	if err != nil || !w.op.EndedAt.IsZero() {
		return err
	}
	rows, err := s.store.Resources(ctx, w.op.ID)
	if err != nil {
		return err
	}
	o := store.Outcome{}
	switch w.op.Type {
	case karbor.Protect:
		for _, r := range rows {
			o.Size += r.Total
		}
		o.CheckpointStatus, o.LogStatus = karbor.CheckpointAvailable, karbor.LogStatus(karbor.CheckpointAvailable)
		err = w.provider.Checkpoints().SetState(ctx, w.op.ProjectID, w.op.CheckpointID, karbor.CheckpointAvailable, checkpoint.Change{
			From: []karbor.CheckpointStatus{karbor.CheckpointProtecting}, Size: o.Size,
		})
	case karbor.Delete:
		o.CheckpointStatus, o.LogStatus = karbor.CheckpointDeleted, karbor.LogStatus(karbor.CheckpointDeleted)
		err = w.provider.Checkpoints().Purge(ctx, w.op.ProjectID, w.op.CheckpointID)
	default:
		o.RestoreStatus, o.LogStatus = karbor.RestoreSuccess, karbor.LogSuccess
	}
	if err != nil {
		return fmt.Errorf("ending operation %s: %w", w.op.ID, err)
	}
	o.ResourcesStatus, o.ResourcesReason = map[string]karbor.ResourceState{}, map[string]string{}
	o.Records = make(map[karbor.NodeKey]store.RecordOutcome, len(rows))
	for _, r := range rows {
		o.ResourcesStatus[resultKey(w.op.Graph, r)] = done(w.op.Type)
		o.Records[r.Key] = store.RecordOutcome{State: done(w.op.Type)}
	}
	return s.finish(ctx, w.op, o)
}

// finish ends the operation in the store and gives back what it was authorized
// with.
func (s *Service) finish(ctx context.Context, op store.Operation, o store.Outcome) error {
	if err := s.store.EndOperation(ctx, op.ID, o); err != nil {
		return fmt.Errorf("recording the end of operation %s: %w", op.ID, err)
	}
	s.log.InfoContext(ctx, "operation ended", "operation", op.ID, "type", op.Type, "project", op.ProjectID,
		"checkpoint", op.CheckpointID, "status", o.LogStatus, "reason", o.ErrorInfo)
	s.release(ctx, op)
	return nil
}

// failedOutcome is how an operation of a kind ends when it failed.
func failedOutcome(op karbor.OperationType) store.Outcome {
	switch op {
	case karbor.Protect:
		return store.Outcome{CheckpointStatus: karbor.CheckpointError, LogStatus: karbor.LogStatus(karbor.CheckpointError)}
	case karbor.Delete:
		return store.Outcome{CheckpointStatus: karbor.CheckpointErrorDeleting, LogStatus: karbor.LogStatus(karbor.CheckpointErrorDeleting)}
	default:
		return store.Outcome{RestoreStatus: karbor.RestoreFail, LogStatus: karbor.LogError}
	}
}

// fail makes a failure visible, with the reason of each resource.
func (s *Service) fail(ctx context.Context, task *workflow.Task) error {
	w, err := s.work(ctx, task)
	if err != nil || !w.op.EndedAt.IsZero() {
		return err
	}
	rows, err := s.store.Resources(ctx, w.op.ID)
	if err != nil {
		return err
	}
	o := failedOutcome(w.op.Type)
	o.ErrorInfo = errorInfo(task.Failure)
	explainResources(&o, w.op, rows, task.Failure)
	o.Reasons = o.ResourcesReason
	if len(o.Reasons) == 0 {
		o.Reasons = map[string]string{"": o.ErrorInfo}
	}
	if w.op.Type != karbor.RestoreOperation {
		err := w.provider.Checkpoints().SetState(ctx, w.op.ProjectID, w.op.CheckpointID, o.CheckpointStatus, checkpoint.Change{Reasons: o.Reasons})
		// A checkpoint that failed before it was in the bank is not there.
		if err != nil && karbor.KindOf(err) != karbor.NotFound {
			return fmt.Errorf("recording the failure of checkpoint %s in the bank: %w", w.op.CheckpointID, err)
		}
	}
	return s.finish(ctx, w.op, o)
}

// errorInfo says in one text why an operation failed.
func errorInfo(f *workflow.Failure) string {
	if f == nil {
		return ""
	}
	var parts []string
	if f.Cancelled != "" {
		parts = append(parts, "cancelled: "+f.Cancelled)
	}
	seen := map[string]bool{}
	for _, e := range f.Steps {
		if !seen[e.Sentence] {
			seen[e.Sentence] = true
			parts = append(parts, e.Sentence)
		}
	}
	return strings.Join(parts, "; ")
}

// stopped is the reason of a resource that did not fail itself.
const stopped = "stopped, as the operation failed elsewhere"

// explainResources fills in the state and reason of each resource of a failed
// operation.
func explainResources(o *store.Outcome, op store.Operation, rows []store.ResourceRecord, f *workflow.Failure) {
	failed := map[karbor.NodeKey]string{}
	if f != nil {
		for _, e := range f.Steps {
			_, key, _ := strings.Cut(e.Step, ":")
			if k := karbor.NodeKey(key); failed[k] == "" {
				failed[k] = e.Sentence
			} else if failed[k] != e.Sentence {
				failed[k] += "; " + e.Sentence
			}
		}
	}
	o.ResourcesStatus = make(map[string]karbor.ResourceState, len(rows))
	o.ResourcesReason = make(map[string]string, len(rows))
	o.Records = make(map[karbor.NodeKey]store.RecordOutcome, len(rows))
	for _, r := range rows {
		reason := failed[r.Key]
		if reason == "" {
			reason = stopped
		}
		key := resultKey(op.Graph, r)
		o.ResourcesStatus[key], o.ResourcesReason[key] = karbor.ResourceError, reason
		o.Records[r.Key] = store.RecordOutcome{State: karbor.ResourceError, Reason: reason}
	}
}

// resultKey names a resource in results: TYPE#new id once there is one, before
// that TYPE#original id. Two nodes of one resource in different roles are told
// apart by the role.
func resultKey(g *karbor.Graph, r store.ResourceRecord) string {
	n := g.Node(r.Key)
	switch {
	case r.NewID != "":
		return string(n.Type) + "#" + r.NewID
	case n.Role != "":
		return n.Resource.Key() + "@" + n.Role
	default:
		return n.Resource.Key()
	}
}

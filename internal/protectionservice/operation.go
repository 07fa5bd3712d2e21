package protectionservice

import (
	"context"
	"slices"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice/dispatch"
	"github.com/karbor/karbor/internal/protectionservice/flow"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/internal/workflow"
)

// OperationState says how far an operation is as a whole.
type OperationState string

// The states of an operation.
const (
	// OperationWaiting has not begun.
	OperationWaiting OperationState = "waiting"
	OperationRunning OperationState = "running"
	// OperationStopping has failed or was cancelled, and removes what it made.
	OperationStopping OperationState = "stopping"
	OperationOver     OperationState = "over"
)

// Operation is an operation as its tenant sees it.
type Operation struct {
	ID           string
	Type         karbor.OperationType
	ProjectID    string
	ProviderID   string
	CheckpointID string
	RestoreID    string
	PlanID       string
	State        OperationState
	// Status and ErrorInfo are those of its log.
	Status    karbor.LogStatus
	ErrorInfo string
	StartedAt time.Time
	// EndedAt is zero while it is not over.
	EndedAt time.Time
	// Cancelled is who asked to cancel it, and why, as a sentence; "" if nobody has, or
	// if it came too late.
	Cancelled string
	Progress  []karbor.ResourceProgress
}

// Operation gives the operation that id stands for, in a project, or in any if projectID
// is "": its own id, which is also that of its log and of its verification, or the id of
// its restore, or that of the checkpoint which it writes.
func (s *Service) Operation(ctx context.Context, projectID, id string) (Operation, error) {
	op, err := s.store.FindOperation(ctx, projectID, id)
	if err != nil {
		return Operation{}, err
	}
	o := Operation{
		ID: op.ID, Type: op.Type, ProjectID: op.ProjectID, ProviderID: op.ProviderID, CheckpointID: op.CheckpointID,
		RestoreID: op.RestoreID, PlanID: op.PlanID, StartedAt: op.CreatedAt, EndedAt: op.EndedAt,
	}
	if o.State, err = s.operationState(ctx, op); err != nil {
		return Operation{}, err
	}
	if o.Cancelled, err = s.cancelled(ctx, op.ID); err != nil {
		return Operation{}, err
	}
	if o.Progress, err = s.progress.Resources(ctx, op); err != nil {
		return Operation{}, err
	}
	// The log of an operation that is long over may have been removed.
	log, err := s.store.OperationLog(ctx, op.ProjectID, op.ID)
	if err != nil && karbor.KindOf(err) != karbor.NotFound {
		return Operation{}, err
	}
	o.Status, o.ErrorInfo = log.Status, log.ErrorInfo
	if succeeded(o.Status) {
		o.Cancelled = "" // it came too late: the end was in the bank, and only not recorded yet
	}
	return o, nil
}

// succeeded reports whether the status of a log is that of an operation that has done what it was to do.
func succeeded(status karbor.LogStatus) bool {
	return status == karbor.LogSuccess || status == karbor.LogStatus(karbor.CheckpointAvailable) ||
		status == karbor.LogStatus(karbor.CheckpointDeleted)
}

// operationState tells how far an operation is as a whole.
func (s *Service) operationState(ctx context.Context, op store.Operation) (OperationState, error) {
	if !op.EndedAt.IsZero() {
		return OperationOver, nil
	}
	d, err := s.describe(ctx, op)
	switch {
	case err != nil:
		return "", err
	case d.State == "":
		return s.recordedState(ctx, op)
	case d.State == workflow.Pending:
		return OperationWaiting, nil
	case d.Cancelled != "":
		return OperationStopping, nil
	}
	for _, step := range d.Steps {
		if step.State == workflow.Failed || step.Action == flow.Fail && step.State == workflow.Running {
			return OperationStopping, nil
		}
	}
	return OperationRunning, nil
}

// recordedState tells from the rows how far an operation is of which the engine says nothing.
func (s *Service) recordedState(ctx context.Context, op store.Operation) (OperationState, error) {
	rows, err := s.store.Resources(ctx, op.ID)
	if err != nil {
		return "", err
	}
	if slices.ContainsFunc(rows, func(r store.ResourceRecord) bool { return r.Started }) {
		return OperationRunning, nil
	}
	return OperationWaiting, nil
}

// cancelled gives the reason of a request to cancel an operation that was in time.
func (s *Service) cancelled(ctx context.Context, id string) (string, error) {
	r, err := s.store.OperationRequest(ctx, id, store.CancelRequest)
	if err != nil && karbor.KindOf(err) == karbor.NotFound {
		return "", nil
	}
	if err != nil || r.Answer != dispatch.Stops && !r.AnsweredAt.IsZero() {
		return "", err
	}
	return r.Reason, nil
}

// CheckpointProgress tells how far the newest operation that writes a checkpoint
// is, resource by resource. A checkpoint that none is known of (it was found in the
// bank) has none. The checkpoint is one that its caller has read, and may show.
func (s *Service) CheckpointProgress(ctx context.Context, cp karbor.Checkpoint) ([]karbor.ResourceProgress, error) {
	return s.progress.Newest(ctx, cp.ProjectID, store.Target{CheckpointID: cp.ID})
}

package protectionservice

import (
	"context"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice/deletion"
	"github.com/karbor/karbor/internal/protectionservice/hooks"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/internal/workflow"
)

// again asks once more for what an operation has failed to do. That is possible without the
// tenant only where nothing has to be done in the tenant's cloud.
func (s *Service) again(ctx context.Context, op store.Operation) (string, error) {
	p, err := s.operations.Place(op)
	if err != nil {
		return "", err
	}
	if op.Type != karbor.Delete && op.Type != karbor.Verify {
		return "", karbor.Errorf(karbor.Conflict, "a %s can't be tried again without the tenant: ask for a new one", op.Type)
	}
	if hooks.NeedCloud(op.Graph, hooks.For(p, op.Type)) {
		return "", karbor.Errorf(karbor.Conflict, "it needs the cloud of the tenant, who has to ask for it")
	}
	if op.Type == karbor.Verify {
		as := Caller{Identity: &karbor.Identity{ProjectID: op.ProjectID}}
		v, err := s.Verify(ctx, as, VerifyRequest{ProviderID: p.ID, CheckpointID: op.CheckpointID, Parameters: op.Parameters})
		if err != nil {
			return "", err
		}
		return "accepted as operation " + v.ID, nil
	}
	// The operator is of no project: no leave is asked of the tenant's cloud.
	as := Caller{Identity: &karbor.Identity{}, Project: op.ProjectID}
	if err := s.DeleteCheckpoint(ctx, as, p.ID, op.CheckpointID); err != nil {
		return "", err
	}
	made, err := s.store.FindOperation(ctx, op.ProjectID, op.CheckpointID)
	if err != nil {
		return "", err
	}
	return "accepted as operation " + made.ID, nil
}

// endAbandoned ends an operation that nobody carries out any more, as it lies.
func (s *Service) endAbandoned(ctx context.Context, op store.Operation, f *workflow.Failure) error {
	return s.endFailed(ctx, op, f, ending{abandoned: true})
}

// expireCopy deletes a copy that its target is not to keep any more.
func (s *Service) expireCopy(ctx context.Context, projectID, providerID, id, reason string) error {
	caller := Caller{Identity: &karbor.Identity{ProjectID: projectID}}
	return s.Delete(ctx, caller, deletion.Request{ProviderID: providerID, ID: id, By: deletion.ByRetention, Reason: reason})
}

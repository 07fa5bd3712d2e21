package protectionservice

import (
	"context"

	"github.com/karbor/karbor"
)

// VerifyRequest asks to check what a checkpoint holds.
type VerifyRequest struct {
	ProviderID, CheckpointID string
	Parameters               karbor.Parameters
}

// Verify checks a request to verify a checkpoint, as Restore does. A good one is
// karbor.NotImplemented, and nothing is kept.
func (s *Service) Verify(ctx context.Context, c Caller, r VerifyRequest) (karbor.Verification, error) {
	var none karbor.Verification
	p, err := s.provider(r.ProviderID)
	if err != nil {
		return none, karbor.Errorf(karbor.Invalid, "provider_id: %s", karbor.Sentence(err))
	}
	cp, err := s.store.Checkpoint(ctx, c.Identity.ProjectID, p.ID, r.CheckpointID)
	if err != nil {
		return none, err
	}
	if cp.Status != karbor.CheckpointAvailable {
		return none, karbor.Errorf(karbor.Conflict, "checkpoint %s is %s; only an available one can be verified", cp.ID, cp.Status)
	}
	if err := p.CheckVerify(r.Parameters); err != nil {
		return none, err
	}
	if err := checkResources(cp.Graph, r.Parameters); err != nil {
		return none, err
	}
	return none, notOffered(karbor.Verify)
}

// notOffered says that the service does not do an operation.
func notOffered(op karbor.OperationType) error {
	return karbor.Errorf(karbor.NotImplemented, "the operation %s is not offered by this service", op)
}

package protectionservice

import (
	"context"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
)

// CopyRequest asks to copy the checkpoints of a plan that are not copied yet.
type CopyRequest struct {
	ProviderID, PlanID string
	Parameters         karbor.Parameters
}

// Copy checks a request to copy the checkpoints of a plan. A plan without a
// checkpoint that can be copied is karbor.Conflict; a good request is
// karbor.NotImplemented, and nothing is kept.
func (s *Service) Copy(ctx context.Context, c Caller, r CopyRequest) (karbor.Copy, error) {
	var none karbor.Copy
	p, err := s.provider(r.ProviderID)
	if err != nil {
		return none, err
	}
	plan, err := s.store.Plan(ctx, c.Identity.ProjectID, r.PlanID)
	if karbor.KindOf(err) == karbor.NotFound {
		return none, karbor.Errorf(karbor.NotFound, "there is no plan %s", r.PlanID)
	}
	if err != nil {
		return none, err
	}
	if plan.ProviderID != p.ID {
		return none, karbor.Errorf(karbor.Invalid, "plan %s is for provider %s, not for provider %s", plan.ID, plan.ProviderID, p.ID)
	}
	if err := p.CheckCopy(r.Parameters); err != nil {
		return none, err
	}
	found, err := s.store.Checkpoints(ctx, store.CheckpointFilter{
		ProjectID: c.Identity.ProjectID, ProviderID: p.ID, PlanID: plan.ID, Status: string(karbor.CheckpointAvailable),
	}, store.Page{Limit: 1})
	if err != nil {
		return none, err
	}
	if len(found) == 0 {
		return none, karbor.Errorf(karbor.Conflict, "plan %s has no available checkpoint to copy", plan.ID)
	}
	return none, notOffered(karbor.CopyOperation)
}

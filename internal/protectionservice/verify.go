package protectionservice

import (
	"context"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice/copies"
	"github.com/karbor/karbor/internal/protectionservice/outcome"
	"github.com/karbor/karbor/internal/protectionservice/restoration"
	"github.com/karbor/karbor/internal/store"
)

// VerifyRequest asks to check what a checkpoint holds.
type VerifyRequest struct {
	ProviderID, CheckpointID string
	Parameters               karbor.Parameters
	// Depth, if any, is how deep is looked at what Parameters say nothing of.
	Depth string
}

// Verify accepts a verification: when it returns, it is durable as verifying. A checkpoint
// that is not available is karbor.Conflict. The checkpoint may be restored meanwhile, but
// not deleted.
func (s *Service) Verify(ctx context.Context, c Caller, r VerifyRequest) (karbor.Verification, error) {
	var none karbor.Verification
	p, err := s.provider(r.ProviderID)
	if err != nil {
		return none, karbor.Errorf(karbor.Invalid, "provider_id: %s", karbor.Sentence(err))
	}
	cp, standIn, err := s.standIns.Origin(ctx, c.Identity.ProjectID, p, r.CheckpointID, !copies.EvenDamaged)
	if err != nil {
		return none, err
	}
	if p, err = p.At(cp.Bank); err != nil {
		return none, err
	}
	if err := s.custody.Readable(p); err != nil {
		return none, err
	}
	if cp.Status != karbor.CheckpointAvailable {
		return none, karbor.Errorf(karbor.Conflict, "checkpoint %s is %s; only an available one can be verified", cp.ID, cp.Status)
	}
	if len(cp.Graph.Nodes()) == 0 {
		return none, karbor.Errorf(karbor.Conflict, "nothing is known of what is in checkpoint %s, so it can't be verified", cp.ID)
	}
	if r.Parameters, err = withDepth(p, cp.Graph, r.Parameters, r.Depth); err != nil {
		return none, err
	}
	if err := p.CheckVerify(r.Parameters); err != nil {
		return none, err
	}
	if err := restoration.CheckParameters(cp.Graph, r.Parameters); err != nil {
		return none, err
	}
	now := s.now()
	v := karbor.Verification{
		ID: c.operationID(), ProjectID: c.Identity.ProjectID, ProviderID: p.ID, CheckpointID: copies.Asked(cp, standIn), StandIn: standIn,
		Parameters: r.Parameters, Status: karbor.VerificationVerifying,
		ResourcesStatus: map[string]karbor.VerificationStatus{}, ResourcesReason: map[string]string{},
		CreatedAt: now, UpdatedAt: now,
	}
	for _, n := range cp.Graph.Nodes() {
		v.ResourcesStatus[outcome.Key(n)] = karbor.VerificationVerifying
	}
	return v, s.accept(ctx, c, p, acceptance{
		Acceptance: store.Acceptance{
			Operation: store.Operation{
				// The verification has the id of its operation.
				ID: v.ID, Type: karbor.Verify, CheckpointID: cp.ID, PlanID: cp.Plan.ID, Graph: cp.Graph, Parameters: r.Parameters, Bank: cp.Bank,
			},
			Verification: &v,
			// It may have changed since we looked.
			CheckpointFrom: []karbor.CheckpointStatus{karbor.CheckpointAvailable},
		},
		logStatus: karbor.LogInProgress,
		extra:     runInfo(c, standInInfo(standIn)),
	})
}

// LiveVerification gives a verification with the state and reason of each resource as they
// are now; one that is over comes back as it is.
func (s *Service) LiveVerification(ctx context.Context, v karbor.Verification) (karbor.Verification, error) {
	if v.Status != karbor.VerificationVerifying {
		return v, nil
	}
	op, err := s.store.Operation(ctx, v.ID)
	if karbor.KindOf(err) == karbor.NotFound && err != nil {
		return v, nil
	}
	if err != nil {
		return v, err
	}
	states, err := s.progress.States(ctx, op)
	if err != nil {
		return v, err
	}
	v.ResourcesStatus = make(map[string]karbor.VerificationStatus, len(states))
	v.ResourcesReason = map[string]string{}
	for _, now := range states {
		n := op.Graph.Node(now.Row.Key)
		if n == nil {
			continue
		}
		status := karbor.VerificationVerifying
		switch now.State {
		case karbor.ResourceVerified:
			status = karbor.VerificationSuccess
		case karbor.ResourceError:
			status = karbor.VerificationError
		default: // it is not over
		}
		if v.ResourcesStatus[outcome.Key(n)] = status; now.Reason != "" {
			v.ResourcesReason[outcome.Key(n)] = now.Reason
		}
	}
	return v, nil
}

// VerificationProgress tells how far a verification is, resource by resource.
func (s *Service) VerificationProgress(ctx context.Context, c Caller, id string) ([]karbor.ResourceProgress, error) {
	v, err := s.store.Verification(ctx, c.Identity.ProjectID, id)
	if err != nil {
		return nil, err
	}
	op, err := s.store.Operation(ctx, v.ID)
	if karbor.KindOf(err) == karbor.NotFound && err != nil {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return s.progress.Resources(ctx, op)
}

package protectionservice

import (
	"context"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice/outcome"
	"github.com/karbor/karbor/internal/store"
)

// CheckpointProgress tells how far the newest operation that writes a checkpoint
// is, resource by resource. A checkpoint that none is known of (it was found in the
// bank) has none.
func (s *Service) CheckpointProgress(ctx context.Context, c Caller, providerID, id string) ([]karbor.ResourceProgress, error) {
	p, err := s.provider(providerID)
	if err != nil {
		return nil, err
	}
	if _, err := s.store.Checkpoint(ctx, c.Identity.ProjectID, p.ID, id); err != nil {
		return nil, err
	}
	return s.newestProgress(ctx, c.Identity.ProjectID, store.Target{CheckpointID: id})
}

// RestoreProgress tells how far a restore is, resource by resource.
func (s *Service) RestoreProgress(ctx context.Context, c Caller, id string) ([]karbor.ResourceProgress, error) {
	return s.newestProgress(ctx, c.Identity.ProjectID, store.Target{RestoreID: id})
}

// newestProgress tells how far the newest operation on a target is.
func (s *Service) newestProgress(ctx context.Context, projectID string, t store.Target) ([]karbor.ResourceProgress, error) {
	op, err := s.store.OperationOf(ctx, projectID, t)
	if karbor.KindOf(err) == karbor.NotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return s.progress.Resources(ctx, op)
}

// LiveRestore gives a restore with the state and reason of each resource as they are
// now; one that is over comes back as it is.
func (s *Service) LiveRestore(ctx context.Context, r karbor.Restore) (karbor.Restore, error) {
	if r.Status != karbor.RestoreInProgress {
		return r, nil
	}
	op, err := s.store.OperationOf(ctx, r.ProjectID, store.Target{RestoreID: r.ID})
	if karbor.KindOf(err) == karbor.NotFound && err != nil {
		return r, nil
	}
	if err != nil {
		return r, err
	}
	states, err := s.progress.States(ctx, op)
	if err != nil {
		return r, err
	}
	r.ResourcesStatus = make(map[string]karbor.ResourceState, len(states))
	r.ResourcesReason = map[string]string{}
	for _, now := range states {
		key := outcome.NewKey(op.Graph, now.Row)
		if r.ResourcesStatus[key] = now.State; now.Reason != "" {
			r.ResourcesReason[key] = now.Reason
		}
	}
	return r, nil
}

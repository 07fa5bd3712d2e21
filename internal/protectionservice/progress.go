package protectionservice

import (
	"context"
	"strings"

	"github.com/karbor/karbor"
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
	return s.progress(ctx, c.Identity.ProjectID, store.Target{CheckpointID: id})
}

// RestoreProgress tells how far a restore is, resource by resource.
func (s *Service) RestoreProgress(ctx context.Context, c Caller, id string) ([]karbor.ResourceProgress, error) {
	return s.progress(ctx, c.Identity.ProjectID, store.Target{RestoreID: id})
}

func (s *Service) progress(ctx context.Context, projectID string, t store.Target) ([]karbor.ResourceProgress, error) {
	op, err := s.store.OperationOf(ctx, projectID, t)
	if karbor.KindOf(err) == karbor.NotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	rows, err := s.store.Resources(ctx, op.ID)
	if err != nil {
		return nil, err
	}
	moved, err := s.moved(ctx, op)
	if err != nil {
		return nil, err
	}
	out := make([]karbor.ResourceProgress, 0, len(rows))
	for _, r := range rows {
		n := op.Graph.Node(r.Key)
		if n == nil {
			continue
		}
		p := karbor.ResourceProgress{
			Resource: n.Resource, State: r.State, Phase: r.Phase, Done: r.Done, Total: r.Total,
			Reason: r.Reason, NewID: r.NewID, NotKept: r.NotKept,
		}
		if m, ok := moved[r.Key]; ok && r.Total == 0 {
			p.Done, p.Total = m.done, m.total
		}
		if m := moved[r.Key]; m.err != "" && p.Reason == "" {
			p.Reason = m.err
		}
		out = append(out, p)
	}
	return out, nil
}

// movement is what the engine knows of a resource's running steps.
type movement struct {
	done, total int64
	// err is the last error of a step that is tried again.
	err string
}

// moved asks the engine for the progress of an operation that is not over.
func (s *Service) moved(ctx context.Context, op store.Operation) (map[karbor.NodeKey]movement, error) {
	if !op.EndedAt.IsZero() {
		return nil, nil
	}
	d, err := s.engine.Describe(ctx, op.ID)
	if karbor.KindOf(err) == karbor.NotFound {
		return nil, nil // still in the outbox
	}
	if err != nil {
		return nil, err
	}
	out := map[karbor.NodeKey]movement{}
	for _, step := range d.Steps {
		_, key, ok := strings.Cut(step.ID, ":")
		if !ok {
			continue
		}
		m := out[karbor.NodeKey(key)]
		if step.Total > 0 || step.Done > 0 {
			m.done, m.total = step.Done, step.Total
		}
		if step.Error != "" && !step.State.Ended() {
			m.err = step.Error
		}
		out[karbor.NodeKey(key)] = m
	}
	return out, nil
}

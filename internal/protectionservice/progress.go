package protectionservice

import (
	"context"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/internal/workflow"
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
	return s.progressOf(ctx, op)
}

// progressOf tells how far an operation is, resource by resource.
func (s *Service) progressOf(ctx context.Context, op store.Operation) ([]karbor.ResourceProgress, error) {
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
			Resource: n.Resource, Phase: r.Phase, Done: r.Done, Total: r.Total, NewID: r.NewID, NotKept: r.NotKept, Mapped: r.Mapped,
		}
		m := moved[r.Key]
		if p.State, p.Reason = m.state(r); r.Total == 0 {
			p.Done, p.Total = m.done, m.total
		}
		if p.Waiting = m.waiting; m.moving {
			p.Speed = max(0, s.paces.observe(op.ID, r.Key, p.Done, s.now()))
			p.Left = timeLeft(p.Done, p.Total, p.Speed)
		}
		out = append(out, p)
	}
	return out, nil
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
	rows, err := s.store.Resources(ctx, op.ID)
	if err != nil {
		return r, err
	}
	moved, err := s.moved(ctx, op)
	if err != nil {
		return r, err
	}
	r.ResourcesStatus = make(map[string]karbor.ResourceState, len(rows))
	r.ResourcesReason = map[string]string{}
	for _, row := range rows {
		key := resultKey(op.Graph, row)
		state, reason := moved[row.Key].state(row)
		if r.ResourcesStatus[key] = state; reason != "" {
			r.ResourcesReason[key] = reason
		}
	}
	return r, nil
}

// movement is what the engine knows of a resource's running steps.
type movement struct {
	done, total int64
	// moving says that a step runs that moves bytes.
	moving bool
	// err is the last error of a step that is tried again, and failed that of one
	// that is not.
	err, failed string
	// waiting is what it waits for.
	waiting string
}

// state gives the state of a resource, and the reason of one that has failed or is
// tried again.
func (m movement) state(r store.ResourceRecord) (karbor.ResourceState, string) {
	switch {
	case m.failed != "":
		return karbor.ResourceError, m.failed
	case r.Reason != "":
		return r.State, r.Reason
	default:
		return r.State, m.err
	}
}

// moved asks the engine for the progress of an operation that is not over.
func (s *Service) moved(ctx context.Context, op store.Operation) (map[karbor.NodeKey]movement, error) {
	if !op.EndedAt.IsZero() {
		return nil, nil
	}
	d, err := s.engine.Describe(ctx, op.ID)
	if karbor.KindOf(err) == karbor.NotFound {
		d, err = workflow.Description{State: workflow.Pending}, nil // still in the outbox
	}
	if err != nil {
		return nil, err
	}
	out := map[karbor.NodeKey]movement{}
	if wait := waitOfAll(d); wait != "" {
		for _, n := range op.Graph.Nodes() {
			out[n.Key()] = movement{waiting: wait}
		}
		return out, nil
	}
	for key, n := range s.transfers.waiting(op.ID) {
		out[key] = movement{waiting: waitsForTransfer(n)}
	}
	for _, step := range d.Steps {
		_, n := nodeOf(op.Graph, step.ID)
		if n == nil {
			continue
		}
		m := out[n.Key()]
		if step.Total > 0 || step.Done > 0 {
			m.done, m.total = step.Done, step.Total
			m.moving = m.moving || step.State == workflow.Running
		}
		if wait := waitOf(step); wait != "" {
			m.waiting = wait
		}
		if step.Error != "" && !step.State.Ended() {
			m.err = step.Error
		}
		if step.State == workflow.Failed && m.failed == "" {
			m.failed = step.Error
		}
		out[n.Key()] = m
	}
	return out, nil
}

package attempt

import (
	"context"
	"fmt"
	"slices"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice/drill"
	"github.com/karbor/karbor/internal/protectionservice/outcome"
	"github.com/karbor/karbor/internal/protectionservice/running"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/protection"
)

// isolate gives the hook that makes the drill's own networks: like those that the resources of the
// drill are on, as the checkpoint knows them.
func (r *Runner) isolate(w running.Work) protection.Hook {
	return func(ctx context.Context, call *protection.Call) error {
		cp, err := r.store.Checkpoint(ctx, w.Op.ProjectID, w.Op.ProviderID, w.Op.CheckpointID)
		if err != nil {
			return fmt.Errorf("reading checkpoint %s: %w", w.Op.CheckpointID, err)
		}
		var networks []protection.DrillNetwork
		used := map[string]bool{}
		for _, n := range w.Op.Graph.Nodes() {
			if drill.IsSite(n) {
				continue
			}
			found, err := r.Drilled(ctx, w, call, n)
			if err != nil {
				return err
			}
			for _, network := range found.Networks {
				used[network.ID] = true
			}
			networks = append(networks, found.Networks...)
		}
		for _, n := range cp.Graph.Nodes() {
			if n.Type != karbor.NetworkType {
				continue
			}
			found, err := r.Drilled(ctx, w, call, n)
			if err != nil && karbor.KindOf(err) != karbor.NotFound {
				return err
			}
			networks = append(networks, slices.DeleteFunc(found.Networks, func(o protection.DrillNetwork) bool { return !used[o.ID] })...)
		}
		return drill.Isolate(ctx, call, networks)
	}
}

// Drilled asks a plug-in what it says of a resource for a drill.
func (r *Runner) Drilled(ctx context.Context, w running.Work, call *protection.Call, n *karbor.Node) (protection.Drilled, error) {
	hook := w.Provider.Hooks(karbor.RestoreOperation, n.Type).Drill
	if hook == nil {
		return protection.Drilled{}, nil
	}
	documents, err := w.Provider.Checkpoints().Documents(w.Op.ProjectID, w.Op.CheckpointID, n.Key())
	if err != nil {
		return protection.Drilled{}, err
	}
	look := *call
	look.Node, look.Documents, look.Parameters = n, documents, w.Op.Parameters.For(n.Resource)
	found, err := hook(ctx, &look)
	if err != nil {
		return found, outcome.Of(n, outcome.Plain(err))
	}
	return found, nil
}

// timed runs a part of a drill, and records when it began and ended. In other operations it only
// runs it.
func (r *Runner) timed(ctx context.Context, w running.Work, node *karbor.Node, name string, part func() error) error {
	if w.Op.Type != karbor.DrillOperation {
		return part()
	}
	e := store.DrillEvent{Position: slices.Index(w.Op.Graph.Nodes(), node), Name: name, StartedAt: r.now()}
	if err := r.store.PutDrillEvent(ctx, w.Op.ID, e); err != nil {
		return err
	}
	failure := part()
	switch {
	case failure == nil:
		e.EndedAt = r.now()
	case karbor.KindOf(failure) == karbor.OverLimit:
		e.Result = drill.OverLimit
	default:
		return failure
	}
	if err := r.store.PutDrillEvent(ctx, w.Op.ID, e); err != nil && failure == nil {
		return err
	}
	return failure
}

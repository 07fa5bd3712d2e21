package restore

import (
	"context"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice/admission"
	"github.com/karbor/karbor/internal/protectionservice/outcome"
	"github.com/karbor/karbor/internal/store"
)

// RestoreProgress tells how far a restore is, resource by resource.
func (o *Restorer) RestoreProgress(ctx context.Context, c admission.Caller, id string) ([]karbor.ResourceProgress, error) {
	return o.progress.Newest(ctx, c.Identity.ProjectID, store.Target{RestoreID: id})
}

// LiveRestore gives a restore with the state and reason of each resource as they are
// now; one that is over comes back as it is.
func (o *Restorer) LiveRestore(ctx context.Context, r karbor.Restore) (karbor.Restore, error) {
	if r.Status != karbor.RestoreInProgress {
		return r, nil
	}
	op, err := o.store.OperationOf(ctx, r.ProjectID, store.Target{RestoreID: r.ID})
	if karbor.KindOf(err) == karbor.NotFound && err != nil {
		return r, nil
	}
	if err != nil {
		return r, err
	}
	states, err := o.progress.States(ctx, op)
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

package preflight

import (
	"context"
	"fmt"
	"maps"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/internal/provider"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/protection"
)

// Protect is a protect that is about to make something in the cloud.
type Protect struct {
	Operation store.Operation
	Provider  *provider.Provider
	// Cloud is the session that it acts through, and Admin that of the service user, or nil.
	Cloud, Admin karbor.Cloud
	// Passing gives what others hold for a while of the project's quotas. It is asked where something lacks.
	Passing func(context.Context) (map[protection.Need]int64, error)
}

// Count gives a sentence, without its end, for each quota of the project that has no room for what a protect will make,
// even if each resource waits for the others and for what passes by itself. Quotas that the cloud does not tell
// suffice, and of resources that can't be looked at nothing is counted: the hooks tell of these.
func Count(ctx context.Context, p Protect) (lacking []string, err error) {
	used, err := p.foresee(ctx)
	if err != nil {
		return nil, err
	}
	needs := used.most()
	lacking, err = openstack.Shortages(ctx, p.Cloud, "the checkpoint", needs)
	if err != nil || len(lacking) == 0 {
		return nil, failed(err)
	}
	passing, err := p.Passing(ctx)
	if err != nil {
		return nil, err
	}
	less := maps.Clone(needs) // which are compared once more in any case: what others held may have gone meanwhile
	for need := range less {
		less[need] -= passing[need.OfAllTypes()] // of which type they are is not known
	}
	still, err := openstack.Shortages(ctx, p.Cloud, "the checkpoint", less)
	if err != nil || len(still) == 0 {
		return nil, failed(err)
	}
	return lacking, nil
}

func failed(err error) error {
	if err != nil {
		return fmt.Errorf("counting what the checkpoint will use of the quotas: %w", err)
	}
	return nil
}

// foresee sums up what the plug-ins foresee.
func (p Protect) foresee(ctx context.Context) (*tally, error) {
	var mu sync.Mutex
	used := &tally{}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(lookAtOnce)
	for _, n := range p.Operation.Graph.Nodes() {
		look := p.Provider.Hooks(karbor.Protect, n.Type).Preflight
		if look == nil {
			continue
		}
		group.Go(func() error {
			f, err := look(ctx, p.call(n))
			if err != nil && (karbor.IsTransient(err) || ctx.Err() != nil) {
				return fmt.Errorf("looking ahead at %s %s: %w", n.Type.Word(), n.ID, err)
			}
			if err == nil {
				mu.Lock()
				defer mu.Unlock()
				used.add(f)
			}
			return nil
		})
	}
	return used, group.Wait()
}

// call puts together what a Preflight hook of protect gets: there is nothing in the bank yet.
func (p Protect) call(n *karbor.Node) *protection.Call {
	nothing := func(string) {}
	return &protection.Call{
		OperationID: p.Operation.ID, Owner: p.Operation.CheckpointID, CheckpointID: p.Operation.CheckpointID, Graph: p.Operation.Graph, Node: n,
		Parameters: p.Operation.Parameters.For(n.Resource), Scratch: noScratch{}, Cloud: p.Cloud, Service: p.Admin,
		Progress: func(int64, int64) {}, NotKept: nothing, Mapped: nothing,
	}
}

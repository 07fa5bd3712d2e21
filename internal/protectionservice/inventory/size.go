package inventory

import (
	"context"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protectable"
)

const gibibyte = 1 << 30

// Gigabytes gives how many gigabytes the resources of a graph take together, each rounded
// up.
func (f *Finder) Gigabytes(ctx context.Context, cloud karbor.Cloud, g *karbor.Graph) (int64, error) {
	var gigabytes atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(askAtOnce)
	for _, n := range g.Nodes() {
		sizer, ok := f.plugins[n.Type].(protectable.Sizer)
		if !ok {
			continue
		}
		group.Go(func() error {
			size, err := sizer.Size(ctx, cloud, n.Resource)
			if karbor.KindOf(err) == karbor.NotFound {
				return nil // the operation itself will tell
			}
			gigabytes.Add((size + gibibyte - 1) / gibibyte)
			return err
		})
	}
	err := group.Wait()
	return gigabytes.Load(), err
}

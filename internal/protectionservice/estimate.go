package protectionservice

import (
	"context"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/protectable"
)

const gibibyte = 1 << 30

// estimate gives the gigabytes to set aside for a checkpoint: the sizes of the
// resources in its graph, each rounded up. A project without a limit needs none, and
// the cloud is not asked.
func (s *Service) estimate(ctx context.Context, c Caller, g *karbor.Graph) (int64, error) {
	l, err := s.store.Limits(ctx, c.Identity.ProjectID, s.limits)
	if err != nil || l.Of(store.QuotaGigabytes) == store.Unlimited {
		return 0, err
	}
	var gigabytes atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(askAtOnce)
	for _, n := range g.Nodes() {
		sizer, ok := s.protectables[n.Type].(protectable.Sizer)
		if !ok {
			continue
		}
		group.Go(func() error {
			size, err := sizer.Size(ctx, c.Cloud, n.Resource)
			if karbor.KindOf(err) == karbor.NotFound {
				return nil // the operation itself will tell
			}
			gigabytes.Add((size + gibibyte - 1) / gibibyte)
			return err
		})
	}
	err = group.Wait()
	return gigabytes.Load(), err
}

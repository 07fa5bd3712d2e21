package inventory

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice/restoration"
)

// StillThere makes sure that the originals exist of which a restore depends without bringing
// them back; one that does not is karbor.Invalid, with what to do.
func (f *Finder) StillThere(ctx context.Context, cloud karbor.Cloud, absences []restoration.Absence) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(askAtOnce)
	for _, a := range absences {
		plugin := f.plugins[a.Type]
		if plugin == nil {
			continue
		}
		group.Go(func() error {
			_, err := plugin.Show(ctx, cloud, a.ID, nil)
			if karbor.KindOf(err) == karbor.NotFound && err != nil {
				return karbor.Errorf(karbor.Invalid, "resources: %s %s needs %s %s, which is not there any more: restore it too, with %q among the resources",
					a.Of.Type.Word(), a.Of.ID, a.Type.Word(), a.ID, a.Resource.Key())
			}
			if err != nil {
				return fmt.Errorf("looking up %s %s: %w", a.Type.Word(), a.ID, err)
			}
			return nil
		})
	}
	return group.Wait()
}

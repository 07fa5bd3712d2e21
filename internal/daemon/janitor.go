package daemon

import (
	"context"
	"errors"
	"fmt"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice/janitor"
	"github.com/karbor/karbor/internal/provider"
)

// openJanitor makes the janitor, where the operator lets the service act as an
// administrator.
func (d *Daemon) openJanitor(o Options, key []byte) error {
	if !o.Config.Operations.AdminReads || o.Config.Janitor.Interval == 0 || !o.Roles.Protection {
		return nil
	}
	var err error
	d.janitor, err = newJanitor(o, janitor.NewCloud(d.authority.Service()), d.store, d.providers, key)
	return err
}

func newJanitor(o Options, cloud janitor.Cloud, ledger janitor.Ledger, providers []*provider.Provider, key []byte) (*janitor.Janitor, error) {
	c := o.Config.Janitor
	return janitor.New(janitor.Options{
		Cloud: cloud, Ledger: ledger, Installation: janitor.Installation(key), Age: c.Age, Interval: c.Interval, Remove: c.Remove,
		Busy: busyIn(providers), Now: o.Now, Logger: o.Logger,
	})
}

// busyIn asks the banks of the providers: of one provider, or of all for "". One that is
// not configured any more can't be asked, and keeps nothing.
func busyIn(providers []*provider.Provider) janitor.Busy {
	return func(ctx context.Context, id, project, checkpoint string) (bool, error) {
		for _, p := range providers {
			if id != "" && p.ID != id {
				continue
			}
			cp, err := p.Checkpoints().Get(ctx, project, checkpoint)
			switch {
			case err != nil && karbor.KindOf(err) == karbor.NotFound:
			case err != nil:
				return false, err
			case cp.Status == karbor.CheckpointProtecting || cp.Status == karbor.CheckpointDeleting:
				return true, nil
			}
		}
		return false, nil
	}
}

// Janitor makes the janitor of a configuration, beside a service that runs, and lets do use
// it. Of Options, Config, Password, Sets, Now and Logger count.
func Janitor(ctx context.Context, o Options, ledger janitor.Ledger, do func(context.Context, *janitor.Janitor) error) (err error) {
	key, err := o.Config.ServiceKey()
	if err != nil {
		return err
	}
	authority, err := newAuthority(ctx, o)
	if err != nil {
		return err
	}
	defer authority.Close()
	providers, err := provider.Load(ctx, o.Config.Providers, o.Sets, provider.Options{Owner: "janitor", Now: o.Now, Secrets: authority, Logger: o.Logger})
	defer func() {
		for _, p := range providers {
			err = errors.Join(err, p.Close())
		}
	}()
	if err != nil {
		return fmt.Errorf("opening the banks: %w", err)
	}
	j, err := newJanitor(o, janitor.NewCloud(authority.Service()), ledger, providers, key)
	if err != nil {
		return err
	}
	return do(ctx, j)
}

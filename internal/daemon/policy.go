package daemon

import (
	"context"

	"github.com/karbor/karbor/internal/policy"
)

// openPolicy reads the rules of who may do what. A file that is wrong stops the start.
func (d *Daemon) openPolicy(o Options) (err error) {
	c := o.Config.Policy
	files, required := c.Files()
	d.hangups = o.Hangups
	d.policy, err = policy.Open(policy.Options{
		Files: files, Required: required, EnforceNewDefaults: c.EnforceNewDefaults,
		Interval: c.ReloadInterval, Logger: o.Logger,
	})
	return err
}

// reloadPolicy reads the policy file again at each hang-up, until ctx ends.
func (d *Daemon) reloadPolicy(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-d.hangups:
			d.policy.Reload(ctx)
		}
	}
}

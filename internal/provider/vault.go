package provider

import (
	"context"
	"time"

	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/internal/checkpoint"
)

// Options of Load.
type Options struct {
	// Owner names this process in the leases of the banks. It stays the same over
	// restarts, so that a process takes its own unfinished checkpoints up again.
	Owner string
	// Now is the local clock.
	Now func() time.Time
}

// vault is a provider's bank and the checkpoints in it.
type vault struct {
	bank        bank.Bank
	checkpoints *checkpoint.Checkpoints
}

func (p *Provider) attach(ctx context.Context, b bank.Bank, o Options) error {
	// Providers may share a bank; each has a lease of its own in it.
	c, err := checkpoint.Open(ctx, b, checkpoint.Options{Owner: o.Owner + "." + p.ID, Now: o.Now})
	if err != nil {
		return err
	}
	p.vault = vault{bank: b, checkpoints: c}
	return nil
}

// Checkpoints gives the checkpoints in the provider's bank.
func (v *vault) Checkpoints() *checkpoint.Checkpoints { return v.checkpoints }

// Close closes the bank.
func (v *vault) Close() error { return v.bank.Close() }

// Ping reports whether the bank answers.
func (v *vault) Ping(ctx context.Context) error {
	_, err := v.bank.List(ctx, "", "", 1)
	return err
}

// Acquire takes the lease without which nothing can be written to the bank.
func (v *vault) Acquire(ctx context.Context) error { return v.checkpoints.Lease().Acquire(ctx) }

// Run renews the lease until ctx ends, and releases it then. failed is told when a
// renewal fails; it is tried again.
func (v *vault) Run(ctx context.Context, failed func(error)) error {
	lease := v.checkpoints.Lease()
	if err := lease.Run(ctx, failed); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	defer cancel()
	return lease.Release(ctx)
}

// releaseTimeout bounds the last call to a bank at the end of the process.
const releaseTimeout = 5 * time.Second

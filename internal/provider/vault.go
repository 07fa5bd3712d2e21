package provider

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/internal/checkpoint"
	"github.com/karbor/karbor/internal/repository"
	"github.com/karbor/karbor/internal/repository/keyring"
)

// Options of Load.
type Options struct {
	// Owner names this process in the leases of the banks. It stays the same over
	// restarts, so that a process takes its own unfinished checkpoints up again.
	Owner string
	// Now is the local clock.
	Now func() time.Time
	// Secrets asks Barbican for the keys that provider files name; nil where nobody can.
	Secrets keyring.Secrets
	// Cache is the folder of the index caches, for providers whose file names none; "" puts
	// them into a temporary one.
	Cache string
	// Logger is told of what an operator should know; nil is nobody.
	Logger *slog.Logger
	// WithoutBanks opens no bank and reads no key: what the banks' options name need not
	// be there. It is for processes that only say what the providers are.
	WithoutBanks bool
	// Limits are those of providers whose files name none.
	Limits Limits
}

// vault is a provider's bank and the checkpoints in it.
type vault struct {
	bank        bank.Bank
	checkpoints *checkpoint.Checkpoints
	// domains is nil for a provider without keys.
	domains *repository.Domains
	// shut closes the domains, if there are any.
	shut func() error
	// shares says so of a bank that is not opened: see SharesData.
	shares bool
	// verified is the folder of what was found good; "" is none.
	verified string
}

func (p *Provider) attach(ctx context.Context, b bank.Bank, domains *repository.Domains, o Options) error {
	p.vault = vault{bank: b, domains: domains, shut: func() error { return nil }, verified: p.verifiedFolder(o.Cache)}
	if domains != nil {
		p.shut = func() error {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
			defer cancel()
			return domains.Close(ctx)
		}
	}
	// Providers may share a bank; each has a lease of its own in it.
	made := checkpoint.Options{Owner: o.Owner + "." + p.ID, Now: o.Now, Logger: o.Logger}
	if p.Target != "" {
		made.Owner += "." + p.Target
	}
	if domains != nil {
		made.Sealer = domains
	}
	var err error
	p.checkpoints, err = checkpoint.Open(ctx, b, made)
	return err
}

// Domains gives the key domains in the provider's bank; nil for a provider without keys.
func (v *vault) Domains() *repository.Domains { return v.domains }

// Streams gives the bulk data of a node of a checkpoint.
func (v *vault) Streams(projectID, id string, key karbor.NodeKey) (*repository.Streams, error) {
	section, err := v.checkpoints.Data(projectID, id, key)
	if err != nil {
		return nil, err
	}
	return repository.NewStreams(repository.StreamsOptions{Domains: v.domains, Project: projectID, Section: section})
}

// SharesData reports whether all projects' data is kept together: then nobody but the
// operator is to know what of a project's data was new.
func (v *vault) SharesData() bool { return v.shares || v.domains != nil && v.domains.Shared() }

// Lags reports whether listings of the bank may leave out what is there.
func (v *vault) Lags() bool { return !v.bank.Traits().ConsistentList }

// Checkpoints gives the checkpoints in the provider's bank.
func (v *vault) Checkpoints() *checkpoint.Checkpoints { return v.checkpoints }

// Close ends what goes on in the bank, and closes it.
func (v *vault) Close() error { return errors.Join(v.shut(), v.bank.Close()) }

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

package bankcommand

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/karbor/karbor/cmd/karbord/configured"
	"github.com/karbor/karbor/internal/checkpoint"
	"github.com/karbor/karbor/internal/daemon"
	"github.com/karbor/karbor/internal/protectionservice/adoption"
	"github.com/karbor/karbor/internal/store"
)

func adoptCommand(f *bankFlags) *cobra.Command {
	o := adoption.Options{}
	cmd := &cobra.Command{
		Use:   "adopt",
		Short: "Take over a bank with a fresh service",
		Long: `Take over the bank of a provider with a service whose database is empty, or has lost some of it:
the catalogue gets the checkpoints that it lacks, and the plans that travel inside checkpoints are made
again, each as its newest checkpoint knows it (without its description; schedules are in no bank). Drills
are known again by the signed records that lie beside their checkpoints, if the file of keys
(drills.key_file) has the public key: a record that no key of it has signed is told, and left out. What the database has is left as it is, and nothing is written to the bank.

The provider's file must have the id that the checkpoints have: if it has another one, the command
says which. With a database file the service must be stopped. Checkpoints that were left unfinished are
finished or failed by the service at its start.`,
		Example: `  karbord bank adopt --provider bank --dry-run
  karbord bank adopt --provider bank --without-plans`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.path != "" {
				return usage(errors.New("a bank is adopted for a provider: --provider, not --path"))
			}
			return f.with(cmd.Context(), func(b *openedBank) error {
				d, err := configured.OpenDatabase(cmd)
				if err != nil {
					return err
				}
				return b.adopt(cmd.Context(), f, d, o, cmd.OutOrStdout(), cmd.ErrOrStderr())
			})
		},
	}
	cmd.Flags().BoolVar(&o.WithoutPlans, "without-plans", false, "make no plans: some may have been deleted since")
	cmd.Flags().BoolVar(&o.DryRun, "dry-run", false, "change nothing, and say what would be done")
	return cmd
}

func (b *openedBank) adopt(ctx context.Context, f *bankFlags, d configured.Database, o adoption.Options, out, errOut io.Writer) (err error) {
	if d.IsFile() {
		lock, err := daemon.Lock(d.Config.State)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, lock.Close()) }()
	} else if have, err := store.SchemaOf(ctx, d.Location, d.Options.Server); err != nil {
		return err
	} else if len(have.Pending) > 0 {
		return store.ErrOlder
	}
	s, err := store.Open(ctx, d.Location, d.Options)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	p := f.progress(errOut)
	if o.Keys, err = d.Config.EvidenceKeys(); err != nil {
		return err
	}
	o.Store, o.Provider, o.Told = s, b.provider, p.objects("checkpoints")
	report, err := adoption.Adopt(ctx, o)
	p.end()
	if err != nil {
		return err
	}
	if f.format == "json" {
		return f.printer(out).Show(report)
	}
	return printAdoption(out, report, o.DryRun)
}

func printAdoption(out io.Writer, r adoption.Report, dryRun bool) error {
	s, would := &sections{out: out}, ""
	if dryRun {
		would = "to be "
	}
	for _, p := range r.Plans {
		s.printf("plan %s of project %s: %s\n", p.ID, p.ProjectID, printable(p.Name))
	}
	for _, u := range r.Unread {
		s.printf("checkpoint %s/%s: %s\n", u.ProjectID, u.ID, printable(u.Reason))
	}
	for _, u := range r.Refused {
		s.printf("checkpoint %s/%s: drill %s: %s\n", u.ProjectID, u.CheckpointID, cmp.Or(printable(u.DrillID), "unknown"), printable(u.Reason))
	}
	for _, id := range slices.Sorted(maps.Keys(r.Elsewhere)) {
		s.printf("%d checkpoints are of the provider %s: they are adopted by a provider whose file has that id\n", r.Elsewhere[id], printable(id))
	}
	s.printf("%d checkpoints %sadopted, %d known; %d plans %smade again, %d known\n",
		r.Adopted, would, r.Known, len(r.Plans), would, r.KnownPlans)
	if r.Drills+r.KnownDrills > 0 || len(r.Refused) > 0 {
		s.printf("%d drills %sadopted, %d known, %d records not believed\n", r.Drills, would, r.KnownDrills, len(r.Refused))
	}
	if s.err != nil {
		return fmt.Errorf("printing: %w", s.err)
	}
	return nil
}

// releaseTime bounds the last calls to a bank.
const releaseTime = 10 * time.Second

// acquire takes a lease of this process's own in the bank, and keeps it until release. What it
// gives may change checkpoints.
func (b *openedBank) acquire(ctx context.Context) (c *checkpoint.Checkpoints, release func() error, err error) {
	o := checkpoint.Options{Owner: processOwner(), Now: time.Now}
	if b.domains != nil {
		o.Sealer = b.domains
	}
	if c, err = checkpoint.Open(ctx, b.bank, o); err != nil {
		return nil, nil, err
	}
	if err := c.Lease().Acquire(ctx); err != nil {
		return nil, nil, err
	}
	renewing, stop := context.WithCancel(ctx)
	over := make(chan error, 1)
	go func() { over <- c.Lease().Run(renewing, nil) }()
	return c, func() error {
		stop()
		err := <-over
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTime)
		defer cancel()
		return errors.Join(err, c.Lease().Release(last))
	}, nil
}

// processOwner names this process in leases.
func processOwner() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	host = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' {
			return r
		}
		return '-'
	}, host)
	return fmt.Sprintf("%s-%.100s-%d", bankOwner, host, os.Getpid())
}

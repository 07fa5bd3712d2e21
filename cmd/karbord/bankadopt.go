package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"github.com/karbor/karbor/internal/daemon"
	"github.com/karbor/karbor/internal/protectionservice/adoption"
	"github.com/karbor/karbor/internal/store"
)

func bankAdoptCommand(f *bankFlags) *cobra.Command {
	o := adoption.Options{}
	cmd := &cobra.Command{
		Use:   "adopt",
		Short: "Take over a bank with a fresh service",
		Long: `Take over the bank of a provider with a service whose database is empty, or has lost some of it:
the catalogue gets the checkpoints that it lacks, and the plans that travel inside checkpoints are made
again, each as its newest checkpoint knows it (without its description; schedules are in no bank).
What the database has is left as it is, and nothing is written to the bank.

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
				d, err := openDatabase(cmd)
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

func (b *openedBank) adopt(ctx context.Context, f *bankFlags, d database, o adoption.Options, out, errOut io.Writer) (err error) {
	if d.file() {
		lock, err := daemon.Lock(d.config.State)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, lock.Close()) }()
	} else if have, err := store.SchemaOf(ctx, d.location, d.options.Server); err != nil {
		return err
	} else if len(have.Pending) > 0 {
		return store.ErrOlder
	}
	s, err := store.Open(ctx, d.location, d.options)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	p := f.progress(errOut)
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
	for _, id := range slices.Sorted(maps.Keys(r.Elsewhere)) {
		s.printf("%d checkpoints are of the provider %s: they are adopted by a provider whose file has that id\n", r.Elsewhere[id], printable(id))
	}
	s.printf("%d checkpoints %sadopted, %d known; %d plans %smade again, %d known\n",
		r.Adopted, would, r.Known, len(r.Plans), would, r.KnownPlans)
	if s.err != nil {
		return fmt.Errorf("printing: %w", s.err)
	}
	return nil
}

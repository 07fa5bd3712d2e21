package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/checkpoint"
	"github.com/karbor/karbor/internal/cli/output"
	"github.com/karbor/karbor/internal/repository/keyring"
)

func keysShredCommand(f *bankFlags) *cobra.Command {
	k := keyFlags{}
	cmd := &cobra.Command{
		Use:   "shred",
		Short: "Destroy all key slots of a domain, and so its data, for good",
		Long: `Destroy all key slots of a domain: nobody can ever read again what was encrypted under its key,
not even with a copy of the bank's packs. The receipt, which is printed, names the slots with the
digests of what they were. Nothing brings the data back: the domain's name must be given a second
time with --confirm. No key is needed. Copies of slots that somebody has made elsewhere still open
the data.`,
		Example: `  karbord bank keys shred --provider bank --domain 0b5e… --dry-run
  karbord bank keys shred --provider bank --domain 0b5e… --confirm 0b5e… -f json > receipt.json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case len(k.domains) != 1:
				return usage(errors.New("one --domain is needed"))
			case !k.dryRun && k.confirm != k.domains[0]:
				return usage(errors.New("--confirm must give the domain's name again: what is shredded is lost for good"))
			}
			f.changes = !k.dryRun
			return f.with(cmd.Context(), func(b *openedBank) error {
				return b.shred(cmd.Context(), f, &k, cmd.OutOrStdout())
			})
		},
	}
	k.addDomain(cmd, false)
	k.addDryRun(cmd)
	cmd.Flags().StringVar(&k.confirm, "confirm", "", "the domain's name again")
	return cmd
}

func (b *openedBank) shred(ctx context.Context, f *bankFlags, k *keyFlags, out io.Writer) error {
	domain := k.domains[0]
	if k.dryRun {
		return b.wouldShred(ctx, f, domain, out)
	}
	ring, err := keyring.New(b.bank, domain)
	if err != nil {
		return err
	}
	receipt, err := ring.Shred(ctx)
	if f.format == "json" {
		return errors.Join(err, f.printer(out).Show(receipt))
	}
	for _, s := range receipt.Slots {
		if _, printErr := fmt.Fprintf(out, "destroyed slot %s (%s, %s) sha256 %s\n", s.ID, s.Kind, printable(s.Label), s.SHA256); printErr != nil {
			return errors.Join(err, printErr)
		}
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "domain %s, repository %s: all %d slots were destroyed at %s\n", receipt.Domain, receipt.Repository,
		len(receipt.Slots), receipt.DestroyedAt.UTC().Format("2006-01-02T15:04:05Z"))
	return err
}

func (b *openedBank) wouldShred(ctx context.Context, f *bankFlags, domain string, out io.Writer) error {
	slots, err := b.slots(ctx, domain)
	if err != nil {
		return err
	}
	for i := range slots {
		slots[i].Label = printable(slots[i].Label)
	}
	if err := output.List(f.printer(out), slots, "slot", "kind", "label", "created_at"); err != nil || f.format == "json" {
		return err
	}
	checkpoints := 0
	err = b.checkpoints.Overviews(ctx, domain, func(o checkpoint.Overview) error {
		if o.Status != karbor.CheckpointDeleted {
			checkpoints++
		}
		return nil
	}, nil)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "these slots would be destroyed; the project %s has %d checkpoints\n", domain, checkpoints)
	return err
}

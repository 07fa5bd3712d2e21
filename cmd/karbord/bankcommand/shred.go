package bankcommand

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/checkpoint"
	"github.com/karbor/karbor/internal/cli/output"
	"github.com/karbor/karbor/internal/repository/collection"
	"github.com/karbor/karbor/internal/repository/keyring"
	"github.com/karbor/karbor/internal/repository/session"
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

func keysPurgeCommand(f *bankFlags) *cobra.Command {
	k := keyFlags{}
	only := false
	cmd := &cobra.Command{
		Use:   "purge",
		Short: "Remove what a shredded domain still holds",
		Long: `Remove the packs and the index of a domain whose slots keys shred has destroyed: nobody can read them any
more, and no collection can free them, as only the key tells what is needed. The receipts and the format document
stay, so that what refers to the domain is known to be destroyed. A domain that has a slot, has no receipt in the
bank, or in which somebody has a session is refused. No key is needed.`,
		Example: `  karbord bank keys purge --provider bank --domain 0b5e… --dry-run
  karbord bank keys purge --provider bank --domain 0b5e… --confirm 0b5e…`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case len(k.domains) != 1:
				return usage(errors.New("one --domain is needed"))
			case !k.dryRun && k.confirm != k.domains[0]:
				return usage(errors.New("--confirm must give the domain's name again"))
			}
			f.changes = !k.dryRun
			return f.with(cmd.Context(), func(b *openedBank) error {
				return b.purge(cmd.Context(), f, &k, only, cmd.OutOrStdout(), cmd.ErrOrStderr())
			})
		},
	}
	k.addDomain(cmd, false)
	k.addDryRun(cmd)
	cmd.Flags().StringVar(&k.confirm, "confirm", "", "the domain's name again")
	cmd.Flags().BoolVar(&only, "only", false, "no other process collects in this bank")
	return cmd
}

func (b *openedBank) purge(ctx context.Context, f *bankFlags, k *keyFlags, only bool, out, errOut io.Writer) error {
	p := f.progress(errOut)
	gone, err := collection.Purge(ctx, b.bank, k.domains[0], collection.PurgeOptions{
		Times: session.Options{Now: time.Now}, Only: only, DryRun: k.dryRun,
		Progress: func(done int) { p.draw(fmt.Sprintf("domain %s: %d objects", k.domains[0], done)) },
	})
	p.end()
	if err != nil {
		return err
	}
	text := "domain %s: %d objects (%s) went\n"
	if k.dryRun {
		text = "domain %s: %d objects (%s) would go\n"
	}
	_, err = fmt.Fprintf(out, text, k.domains[0], gone.Objects, size(gone.Bytes))
	if err == nil && gone.Locked > 0 {
		_, err = fmt.Fprintf(out, "domain %s: %d objects are locked by the bank; purge again when their locks are over\n", k.domains[0], gone.Locked)
	}
	return err
}

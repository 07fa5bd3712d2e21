package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/karbor/karbor/internal/repository/collection"
	"github.com/karbor/karbor/internal/repository/session"
)

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
	return err
}

package bankcommand

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/checkpoint/survey"
	"github.com/karbor/karbor/internal/repository/keyring"
)

// initOptions are the flags of karbord bank init.
type initOptions struct {
	domains []string
	dryRun  bool
}

func initCommand(f *bankFlags) *cobra.Command {
	o := initOptions{}
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Prepare a bank: try it out, and make key domains",
		Long: `Prepare a bank: write, read, list and remove a probe object, and tell what the back-end
guarantees; then make the key domains that are named, with a slot for each key at hand. The service
makes a domain by itself when a project first writes; init is for who wants to see before that
everything works. A domain that is there is opened and left as it is.`,
		Example: `  karbord bank init --provider bank
  karbord bank init --path /srv/bank --key-file site.key --recovery-file recovery.key --domain 0b5e…`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			f.changes, f.create = !o.dryRun, !o.dryRun
			return f.with(cmd.Context(), func(b *openedBank) error {
				return b.initialise(cmd.Context(), o, cmd.OutOrStdout())
			})
		},
	}
	cmd.Flags().StringSliceVar(&o.domains, "domain", nil, "key domain to make: a project's id, or that of the provider; several with commas between them")
	cmd.Flags().BoolVar(&o.dryRun, "dry-run", false, "write nothing, and say what would be done")
	return cmd
}

func (b *openedBank) initialise(ctx context.Context, o initOptions, out io.Writer) error {
	if !o.dryRun {
		p, err := survey.Probe(ctx, b.bank, time.Now)
		if err == nil {
			err = printProbe(out, b.name, p)
		}
		if err != nil {
			return fmt.Errorf("trying the bank out: %w", err)
		}
	} else if _, err := fmt.Fprintf(out, "bank %s: a probe would be written and removed\n", b.name); err != nil {
		return err
	}
	if len(o.domains) > 0 && len(b.sources) == 0 {
		return &keyError{errors.New("a key domain needs a key: --key-file, --passphrase-file or --recovery-file")}
	}
	for _, name := range o.domains {
		text, err := b.makeDomain(ctx, name, o.dryRun)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(out, "domain %s: %s\n", name, text); err != nil {
			return err
		}
	}
	return nil
}

func printProbe(out io.Writer, name string, p survey.Probed) error {
	s := &sections{out: out}
	s.printf("bank %s: a probe was written, read and removed\n", name)
	for _, g := range guarantees(p.Guarantees) {
		s.printf("%s\n", g)
	}
	if !p.Listed {
		s.printf("note     a listing did not show the probe at once\n")
	}
	if !p.Refused {
		s.printf("note     the probe could be created twice: nothing may rest on creates that fail\n")
	}
	if p.ClockOff.Abs() > time.Minute {
		s.printf("note     the bank's clock is %v ahead of this machine's\n", p.ClockOff)
	}
	return s.err
}

// makeDomain makes a domain, or opens the one that is there, and tells what it did.
func (b *openedBank) makeDomain(ctx context.Context, name string, dryRun bool) (string, error) {
	ring, err := keyring.New(b.bank, name)
	if err != nil {
		return "", err
	}
	opened, err := ring.Open(ctx, b.sources)
	if err == nil {
		return "it is there, and the slot " + opened.Slot + " opens it", nil
	}
	if karbor.KindOf(err) != karbor.NotFound {
		return "", err
	}
	if dryRun {
		return fmt.Sprintf("it would be made, with %d slots", len(b.sources)), nil
	}
	if opened, err = ring.Create(ctx, b.sources); err != nil {
		return "", err
	}
	return fmt.Sprintf("made, with %d slots; repository %s", len(b.sources), opened.Document.Repository), nil
}

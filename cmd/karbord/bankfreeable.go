package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/karbor/karbor/internal/checkpoint/survey"
	"github.com/karbor/karbor/internal/repository/collection"
)

func bankFreeableCommand(f *bankFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "freeable CHECKPOINT...",
		Short: "Tell how many bytes go when checkpoints are deleted",
		Long: `Tell how many bytes only these checkpoints, all together, need: what the bank gets back once they are deleted and
their space was collected. What others need too stays. All manifests of the key domain are read for it, twice.
Nothing is changed.

In a domain that several projects share, the number tells whether others have the same data: it is for operators.`,
		Example: `  karbord bank freeable --provider bank 0d7ebbce-6a26-4f3c-8a9b-6dbb44f5b1c7`,
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.with(cmd.Context(), func(b *openedBank) error {
				return b.freeable(cmd.Context(), f, args, cmd.OutOrStdout(), cmd.ErrOrStderr())
			})
		},
	}
}

// freeable is what karbord bank freeable prints as JSON.
type freeable struct {
	Checkpoints []string `json:"checkpoints"`
	Freeable    int64    `json:"freeable"`
}

func (b *openedBank) freeable(ctx context.Context, f *bankFlags, ids []string, out, errOut io.Writer) error {
	if b.domains == nil {
		return &keyError{errors.New("a key is needed to see what checkpoints refer to: --key-file, --passphrase-file or --recovery-file")}
	}
	names, err := survey.DomainNames(ctx, b.bank)
	if err != nil {
		return fmt.Errorf("listing the key domains: %w", err)
	}
	var prefixes, domains []string
	for _, id := range ids {
		project, err := b.projectOf(ctx, "", id)
		if err != nil {
			return err
		}
		prefixes = append(prefixes, "v1/checkpoints/"+project+"/"+id+"/")
		domains = append(domains, project)
	}
	slices.Sort(domains)
	if domains = slices.Compact(domains); slices.ContainsFunc(domains, func(d string) bool { return !slices.Contains(names, d) }) {
		domains = names // the data of a project is not in a domain of its own
	}
	one := freeable{Checkpoints: ids}
	for _, name := range domains {
		p := f.progress(errOut)
		n, err := b.domains.Freeable(ctx, name, prefixes, func(step collection.Progress) {
			p.draw(fmt.Sprintf("domain %s: %s %d", name, step.Phase, step.Done))
		})
		p.end()
		if _, damaged := errors.AsType[*collection.DamageError](err); damaged {
			err = errors.Join(errDamaged, err)
		}
		if err != nil {
			return err
		}
		one.Freeable += n
	}
	if f.format == "json" {
		return f.printer(out).Show(one)
	}
	_, err = fmt.Fprintf(out, "%s (%d bytes) go when these checkpoints go\n", size(one.Freeable), one.Freeable)
	return err
}

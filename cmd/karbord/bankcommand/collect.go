package bankcommand

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/karbor/karbor/cmd/karbord/configured"
	"github.com/karbor/karbor/internal/checkpoint/survey"
	"github.com/karbor/karbor/internal/repository/collection"
)

// collectFlags are the flags of karbord bank gc.
type collectFlags struct {
	domains, force        []string
	only, dryRun, compact bool
	minAge, rewrite       string
}

func collectCommand(f *bankFlags) *cobra.Command {
	o := collectFlags{}
	cmd := &cobra.Command{
		Use:   "gc",
		Short: "Free the space that no checkpoint needs any more",
		Long: `Free the space of deleted checkpoints: packs that no stream refers to go, and packs of which less than half is
needed are rewritten. Writers may be at work meanwhile, also of other sites: the collector waits until each of
them knows what is to go (up to two minutes, or until a dead one's session has ended), and looks again before
anything is deleted. One collector works in a domain at a time. When it is interrupted, nothing is lost, and the
next one goes on. What can't be read stops it before anything is condemned.

On a bank of which two racing creates can both win, --only must say that no other process collects.`,
		Example: `  karbord bank gc --provider bank --dry-run
  karbord bank gc --provider bank --domain 0b5e… --max-rewrite 10GiB`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			f.changes = !o.dryRun
			return f.with(cmd.Context(), func(b *openedBank) error {
				return b.collect(cmd.Context(), f, o, cmd.OutOrStdout(), cmd.ErrOrStderr())
			})
		},
	}
	flags := cmd.Flags()
	flags.StringSliceVar(&o.domains, "domain", nil, "only these key domains, with commas between them")
	flags.BoolVar(&o.dryRun, "dry-run", false, "change nothing, and say what would go")
	flags.BoolVar(&o.only, "only", false, "no other process collects in this bank")
	flags.BoolVar(&o.compact, "compact", true, "rewrite packs of which less than half is needed")
	flags.StringVar(&o.minAge, "min-age", "", "leave packs that are younger: days (2d), weeks or hours")
	flags.StringVar(&o.rewrite, "max-rewrite", "", "rewrite about this many bytes at most, such as 10GiB")
	flags.StringSliceVar(&o.force, "forget", nil, "keys of manifests of streams that are damaged and given up, with commas between them")
	return cmd
}

func (o *collectFlags) options() (collection.Options, error) {
	c := collection.Options{Only: o.only, Force: o.force, NoCompaction: !o.compact, DryRun: o.dryRun}
	var err error
	if o.minAge != "" {
		if c.MinAge, err = configured.ParseAge(o.minAge); err != nil {
			return c, fmt.Errorf("--min-age: %q is not a number of days, weeks or hours, such as 2d", o.minAge)
		}
	}
	if o.rewrite != "" {
		c.MaxRewrite, err = parseSize(o.rewrite)
	}
	return c, err
}

// collected is what karbord bank gc prints of a domain as JSON.
type collected struct {
	Domain    string   `json:"domain"`
	DryRun    bool     `json:"dry_run"`
	Epoch     int      `json:"epoch"`
	Packs     int      `json:"packs"`
	Bytes     int64    `json:"bytes"`
	Streams   int64    `json:"streams"`
	Condemned int      `json:"condemned"`
	Deleted   int      `json:"deleted"`
	Freed     int64    `json:"freed"`
	Rewritten int      `json:"rewritten"`
	Written   int64    `json:"written"`
	Kept      int      `json:"kept"`
	Left      int      `json:"left"`
	Damaged   []string `json:"damaged"`
}

func (b *openedBank) collect(ctx context.Context, f *bankFlags, flags collectFlags, out, errOut io.Writer) error {
	o, err := flags.options()
	if err != nil {
		return usage(err)
	}
	if b.domains == nil {
		return &keyError{errors.New("a key is needed to see what checkpoints refer to: --key-file, --passphrase-file or --recovery-file")}
	}
	names := flags.domains
	if len(names) == 0 {
		if names, err = survey.DomainNames(ctx, b.bank); err != nil {
			return fmt.Errorf("listing the key domains: %w", err)
		}
	}
	all, failed := []collected{}, []error{}
	for _, name := range names {
		p := f.progress(errOut)
		r, err := b.domains.Collect(ctx, name, o, func(step collection.Progress) {
			p.draw(fmt.Sprintf("domain %s: %s %d of %d", name, step.Phase, step.Done, step.Total))
		})
		p.end()
		one := collected{Domain: name, DryRun: o.DryRun, Epoch: r.Epoch, Packs: r.Packs, Bytes: r.Bytes, Streams: r.Streams, Condemned: r.Condemned,
			Deleted: r.Deleted, Freed: r.Freed, Rewritten: r.Rewritten, Written: r.Written, Kept: r.KeptPacks, Left: r.Left, Damaged: []string{}}
		for _, d := range r.Damaged {
			one.Damaged = append(one.Damaged, d.Manifest+": "+d.Err.Error())
		}
		all = append(all, one)
		if _, damaged := errors.AsType[*collection.DamageError](err); damaged {
			err = errors.Join(errDamaged, err)
		}
		if failed = append(failed, err); ctx.Err() != nil {
			break
		}
	}
	if f.format == "json" {
		return errors.Join(append(failed, f.printer(out).Show(struct {
			Domains []collected `json:"domains"`
		}{all}))...)
	}
	return errors.Join(append(failed, printCollected(out, all))...)
}

func printCollected(out io.Writer, all []collected) error {
	s := &sections{out: out}
	for _, r := range all {
		for _, text := range r.Damaged {
			s.printf("damaged  %s\n", printable(text))
		}
		if r.DryRun {
			s.printf("domain %s: %d streams refer to %d packs (%s); %d packs (%s) would go, %d would be rewritten (%s)\n", r.Domain, r.Streams,
				r.Packs-r.Condemned, size(r.Bytes-r.Freed), r.Condemned, size(r.Freed), r.Rewritten, size(r.Written))
			continue
		}
		s.printf("domain %s: %d packs (%s) went, %d were rewritten (%s), %d were kept for writers, %d are left for the next time\n",
			r.Domain, r.Deleted, size(r.Freed), r.Rewritten, size(r.Written), r.Kept, r.Left)
	}
	return s.err
}

func freeableCommand(f *bankFlags) *cobra.Command {
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

package bankcommand

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/checkpoint"
	"github.com/karbor/karbor/internal/checkpoint/replication"
)

// copyFlags are the flags of karbord bank copy.
type copyFlags struct {
	to, toProvider, toKey         string
	project                       string
	reencrypt, inTheClear, dryRun bool
}

func copyCommand(f *bankFlags) *cobra.Command {
	o := copyFlags{}
	cmd := &cobra.Command{
		Use:   "copy [CHECKPOINT]…",
		Short: "Copy checkpoints into another bank",
		Long: `Copy checkpoints, or all that are available, into another bank: that of a provider (--to-provider), or a file
bank (--to), which is made if it is not there. The copies have the same ids, and are published last. Only
what the other bank does not have travels; a copy that was broken off goes on where it was when it is run
again. Nothing in the source is changed.

Where a key at hand for the other bank opens the domain here, its domain becomes a twin: what is encrypted
travels as it is. Otherwise, or with --reencrypt, it is encrypted anew under a key of its own. Afterwards
"karbord bank adopt" makes a service list what is new in its bank.`,
		Example: `  karbord bank copy --provider bank --to-provider second-site --dry-run
  karbord bank copy 5f2c… --path /srv/bank --key-file site.key --to /mnt/archive
  karbord bank copy --provider bank --to /mnt/archive --to-key-file archive.key --reencrypt`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if (o.to == "") == (o.toProvider == "") {
				return usage(errors.New("one of --to and --to-provider is needed"))
			}
			return f.with(cmd.Context(), func(from *openedBank) error {
				target := &bankFlags{plugins: f.plugins, config: f.config, provider: o.toProvider, path: o.to, keyFile: o.toKey, changes: !o.dryRun, create: !o.dryRun}
				if o.to != "" && o.toKey == "" {
					target.given = from.sources
				}
				return target.with(cmd.Context(), func(to *openedBank) error {
					return from.copyTo(cmd.Context(), to, f, o, args, cmd.OutOrStdout(), cmd.ErrOrStderr())
				})
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.to, "to", "", "folder that is the other bank, a file bank")
	flags.StringVar(&o.toProvider, "to-provider", "", "name or id of the provider whose bank is the other one")
	flags.StringVar(&o.toKey, "to-key-file", "", "file with the key for the other bank; default: the same keys as here")
	flags.StringVar(&o.project, "project", "", "only the checkpoints of the project with this id")
	flags.BoolVar(&o.reencrypt, "reencrypt", false, "give new domains in the other bank a key of their own")
	flags.BoolVar(&o.inTheClear, "in-the-clear", false, "let what is sealed or encrypted here lie in the clear there, if there are no keys; keys of volumes never do")
	flags.BoolVar(&o.dryRun, "dry-run", false, "write nothing, and say what would be copied")
	return cmd
}

func (b *openedBank) copyTo(ctx context.Context, to *openedBank, f *bankFlags, o copyFlags, ids []string, out, errOut io.Writer) (err error) {
	c := &replication.Copier{From: replication.Side{Checkpoints: b.checkpoints, Domains: b.domains},
		To: replication.Side{Checkpoints: to.checkpoints, Domains: to.domains}, Anew: o.reencrypt, InTheClear: o.inTheClear}
	if to.provider != nil {
		c.ProviderID = to.provider.ID
	}
	if !o.dryRun {
		leased, release, err := to.acquire(ctx)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, release()) }()
		c.To.Checkpoints = leased
	}
	run := &copyRun{Copier: c, dryRun: o.dryRun, out: out, bar: f.progress(errOut)}
	if len(ids) > 0 {
		for _, id := range ids {
			project, err := b.projectOf(ctx, o.project, id)
			if err == nil {
				err = run.one(ctx, project, id)
			}
			if err != nil {
				return err
			}
		}
	} else if err := b.checkpoints.Overviews(ctx, o.project, func(one checkpoint.Overview) error {
		if one.Status != karbor.CheckpointAvailable {
			return nil
		}
		return run.one(ctx, one.ProjectID, one.ID)
	}, nil); err != nil {
		return err
	}
	return run.end()
}

// copyRun is one run of karbord bank copy.
type copyRun struct {
	*replication.Copier
	dryRun bool
	out    io.Writer
	bar    *progressLine
	// copied, there and failed count checkpoints; bytes are those that travelled.
	copied, there, failed int
	bytes                 int64
}

// one copies one checkpoint. What keeps only this one from it is told, and no error.
func (r *copyRun) one(ctx context.Context, project, id string) error {
	r.Progress = r.bar.bytes("checkpoint " + id)
	do := r.Copy
	if r.dryRun {
		do = r.Check
	}
	result, err := do(ctx, project, id)
	r.bar.end()
	var text string
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil && (karbor.IsTransient(err) || karbor.KindOf(err) == karbor.OverLimit):
		return err // the bank can't go on
	case err != nil:
		r.failed++
		text = printable(err.Error())
	case result.Present:
		r.there++
		if result.Unproven == 0 {
			return nil
		}
		text = "there already"
	case r.dryRun:
		r.copied++
		text = size(result.Size) + " to copy"
	default:
		r.copied++
		r.bytes += result.Bytes
		way := "read and written"
		if result.Undecoded {
			way = "as it is stored"
		}
		text = fmt.Sprintf("copied, %s; %s travelled, %s", size(result.Size), size(result.Bytes), way)
	}
	if err == nil && result.Unlisted != "" {
		text += "; " + printable(result.Unlisted) + ", so that what it had lost before is not missed"
	}
	if err == nil && result.Unproven > 0 {
		text += fmt.Sprintf("; %d records of drills could not be read, and were not copied", result.Unproven)
	}
	_, err = fmt.Fprintf(r.out, "checkpoint %s/%s: %s\n", project, id, text)
	return err
}

func (r *copyRun) end() error {
	verb := "copied"
	if r.dryRun {
		verb = "to be copied"
	}
	_, err := fmt.Fprintf(r.out, "%d checkpoints %s (%s travelled), %d are there already, %d can't be copied\n", r.copied, verb, size(r.bytes), r.there, r.failed)
	if err == nil && r.failed > 0 {
		err = fmt.Errorf("%d checkpoints can't be copied", r.failed)
	}
	return err
}

package bankcommand

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/checkpoint/layout09"
	"github.com/karbor/karbor/protection"
)

// importFlags are the flags of karbord bank import.
type importFlags struct {
	dryRun        bool
	project, from string
}

func importCommand(f *bankFlags) *cobra.Command {
	o := importFlags{}
	cmd := &cobra.Command{
		Use:   "import FOLDER | --from PROVIDER [CHECKPOINT]…",
		Short: "Import checkpoints of a Python Karbor's bank into this one",
		Long: `Import checkpoints of a bank that Python Karbor wrote (layout 0.9) into the bank of a provider: documents
and bytes are copied and checked, and the checkpoints keep their ids. FOLDER is that of the old file bank's
container: "karbor" in the bank's path, unless it was configured otherwise. An old bank on S3 or Swift is that of
another provider file, with layout_0_9 and read_only among the options of its bank: --from names it. Nothing in
the old bank is changed.

What Python Karbor kept in the cloud (Cinder backups, snapshots) can't be imported, and is told. An import that
was broken off goes on where it was when it is run again. Afterwards "karbord bank adopt" makes a service
list what it finds new in its bank.`,
		Example: `  karbord bank import /var/lib/karbor-old/karbor --provider bank --dry-run
  karbord bank import /var/lib/karbor-old/karbor 5f2c… --provider bank
  karbord bank import --from old-swift --provider bank`,
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case f.path != "":
				return usage(errors.New("checkpoints are imported for a provider: --provider, not --path"))
			case o.from == "" && len(args) == 0:
				return usage(errors.New("the old bank is needed: a FOLDER, or --from PROVIDER"))
			}
			return f.with(cmd.Context(), func(b *openedBank) error {
				return b.importAll(cmd.Context(), f, o, args, cmd.OutOrStdout(), cmd.ErrOrStderr())
			})
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&o.dryRun, "dry-run", false, "write nothing, and say what could be imported")
	flags.StringVar(&o.from, "from", "", "name or id of the provider whose bank Python Karbor wrote, in place of a folder")
	flags.StringVar(&o.project, "project", "", "only the checkpoints of the project with this id")
	return cmd
}

// importer is one run of karbord bank import.
type importer struct {
	*openedBank
	flags importFlags
	from  *layout09.Checkpoints
	to    layout09.Target
	out   io.Writer
	bar   *progressLine
	// found, done, there and failed count checkpoints; bytes are those of done.
	found, done, there, failed int
	bytes                      int64
}

// oldSource opens the bank that Python Karbor wrote. It gives the other arguments, too.
func (b *openedBank) oldSource(ctx context.Context, f *bankFlags, o importFlags, args []string) (s layout09.Source, end func() error, ids []string, err error) {
	if o.from != "" {
		p, err := f.find(ctx, b.config, o.from)
		if err != nil {
			return nil, nil, nil, err
		}
		return p.Bank(), p.Close, args, nil
	}
	folder, err := layout09.OpenFolder(args[0])
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil, nil, karbor.Errorf(karbor.NotFound, "there is no folder %s", args[0])
	}
	if err != nil {
		return nil, nil, nil, err
	}
	return folder, folder.Close, args[1:], nil
}

func (b *openedBank) importAll(ctx context.Context, f *bankFlags, o importFlags, args []string, out, errOut io.Writer) (err error) {
	source, end, ids, err := b.oldSource(ctx, f, o, args)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	i := &importer{openedBank: b, flags: o, from: layout09.New(source), out: out, bar: f.progress(errOut)}
	if !o.dryRun {
		c, release, err := b.acquire(ctx)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, release()) }()
		i.to = layout09.Target{Checkpoints: c, ProviderID: b.provider.ID,
			Data: func(_ context.Context, project, id string, key karbor.NodeKey) (protection.Repository, error) {
				return b.provider.Streams(project, id, key)
			}}
	}
	if err := i.run(ctx, ids); err != nil {
		return err
	}
	i.bar.end()
	text := "imported"
	if o.dryRun {
		text = "can be imported"
	}
	_, err = fmt.Fprintf(out, "%d checkpoints found: %d %s (%s), %d are in the bank already, %d can't be imported\n",
		i.found, i.done, text, size(i.bytes), i.there, i.failed)
	if err == nil && i.failed > 0 {
		err = fmt.Errorf("%d checkpoints can't be imported", i.failed)
	}
	return err
}

// run imports those that are named, or all that are available.
func (i *importer) run(ctx context.Context, ids []string) error {
	if len(ids) > 0 {
		for _, id := range ids {
			i.found++
			if err := i.one(ctx, id); err != nil {
				return err
			}
		}
		return nil
	}
	return i.from.Scan(ctx, func(cp layout09.Checkpoint) error {
		if i.flags.project != "" && cp.ProjectID != i.flags.project {
			return nil
		}
		i.found++
		if cp.Status != karbor.CheckpointAvailable {
			return i.say(cp.ID, fmt.Sprintf("left out: it is %s", cp.Status))
		}
		return i.one(ctx, cp.ID)
	}, func(id string, err error) {
		i.found++
		i.failed++
		_ = i.say(id, why(err)) // a broken output shows at the end, too
	})
}

func (i *importer) say(id, text string) error {
	i.bar.end()
	_, err := fmt.Fprintf(i.out, "checkpoint %s: %s\n", printable(id), printable(text))
	return err
}

// why is an error without the name of the checkpoint, which stands in front of it.
func why(err error) string {
	if d, damaged := errors.AsType[*layout09.DamageError](err); damaged {
		return "damaged: " + d.Key + ": " + d.Err.Error()
	}
	return err.Error()
}

// one imports one checkpoint. What keeps only this one from it is told, and no error.
func (i *importer) one(ctx context.Context, id string) error {
	prepared, err := i.from.Prepare(ctx, id)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		i.failed++
		return i.say(id, why(err))
	}
	project := prepared.Checkpoint.ProjectID
	if now, err := i.checkpoints.Overview(ctx, project, id); err == nil && now.Status != karbor.CheckpointProtecting {
		i.there++
		return nil
	}
	if !i.flags.dryRun {
		err := prepared.Run(ctx, i.to, i.bar.bytes("checkpoint "+id))
		switch _, damaged := errors.AsType[*layout09.DamageError](err); {
		case damaged:
			i.failed++
			return i.say(id, why(err))
		case err != nil:
			return err
		}
	}
	i.done++
	i.bytes += prepared.Size
	return i.say(id, fmt.Sprintf("%s of project %s, made %s", size(prepared.Size), project, prepared.Checkpoint.CreatedAt.Format(time.RFC3339)))
}

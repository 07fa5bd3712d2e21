package bankcommand

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/checkpoint"
	"github.com/karbor/karbor/internal/checkpoint/layout09"
	"github.com/karbor/karbor/internal/cli/output"
)

// oldFolder gives the folder of a bank that Python Karbor wrote, if --path names one: the
// container's folder, or the one around it. It holds nothing of layout 1.
func (f *bankFlags) oldFolder() string {
	if f.path == "" {
		return ""
	}
	if _, err := os.Stat(filepath.Join(f.path, "v1")); err == nil {
		return ""
	}
	for _, dir := range []string{f.path, filepath.Join(f.path, "karbor")} {
		if info, err := os.Stat(filepath.Join(dir, "checkpoints")); err == nil && info.IsDir() {
			return dir
		}
	}
	return ""
}

// errOld refuses what is not done to such a bank.
func errOld(path string) error {
	return karbor.Errorf(karbor.Invalid, "%s is a bank of Python Karbor's, which only ls, extract, verify and import read", path)
}

// withOld reads an old bank. Nothing in it is changed.
func withOld(folder string, do func(*layout09.Checkpoints) error) (err error) {
	source, err := layout09.OpenFolder(folder)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	return do(layout09.New(source))
}

func listOld(ctx context.Context, c *layout09.Checkpoints, o bankFilter, p output.Printer) error {
	all := []listedCheckpoint{}
	err := c.Scan(ctx, func(cp layout09.Checkpoint) error {
		if o.project != "" && o.project != cp.ProjectID || !o.chooses(checkpoint.Overview{
			PlanID: cp.Plan.ID, ProviderID: cp.ProviderID, Status: cp.Status, CreatedAt: cp.CreatedAt,
		}) {
			return nil
		}
		one := listedCheckpoint{ID: cp.ID, ProjectID: cp.ProjectID, ProviderID: cp.ProviderID, PlanID: cp.Plan.ID, PlanName: cp.Plan.Name,
			Status: cp.Status, CreatedAt: cp.CreatedAt, UpdatedAt: cp.UpdatedAt}
		if cp.Graph != nil {
			one.Resources = len(cp.Graph.Nodes())
		}
		if cp.GraphError != nil {
			one.Unread = "damaged: " + cp.GraphError.Error()
		}
		all = append(all, one)
		return nil
	}, func(id string, err error) {
		all = append(all, listedCheckpoint{ID: id, Unread: why(err)})
	})
	if err != nil {
		return err
	}
	return printCheckpoints(p, all, o.long)
}

// oldResources gives the resources of a checkpoint, with their streams.
func oldResources(ctx context.Context, c *layout09.Checkpoints, id string) (*layout09.Contents, []listedResource, error) {
	cp, err := c.Get(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	contents, err := c.Contents(ctx, cp)
	if err != nil {
		return nil, nil, err
	}
	all := []listedResource{}
	for _, node := range cp.Graph.Nodes() {
		one := listedResource{Resource: node.Key(), Name: node.Name}
		n, err := contents.Node(ctx, node.Key())
		switch {
		case ctx.Err() != nil:
			return nil, nil, ctx.Err()
		case err != nil:
			one.Damage = why(err)
		default:
			if s, err := n.Data().Stat(ctx, oldStream); err == nil {
				one.Stream, one.Format, one.Size = oldStream, "0.9", s.Size
			} else if karbor.KindOf(err) != karbor.NotFound {
				one.Stream, one.Format, one.Damage = oldStream, "0.9", why(err)
			}
		}
		all = append(all, one)
	}
	slices.SortFunc(all, func(a, b listedResource) int { return strings.Compare(string(a.Resource), string(b.Resource)) })
	return contents, all, nil
}

// oldStream is what the one stream of a resource is called here.
const oldStream = "data"

func extractOld(ctx context.Context, f *bankFlags, c *layout09.Checkpoints, id, resource string, o extractOptions, out, errOut io.Writer) error {
	contents, all, err := oldResources(ctx, c, id)
	if err != nil {
		return err
	}
	r, err := chooseStream(all, resource, o.stream)
	if err != nil {
		return err
	}
	n, err := contents.Node(ctx, r.Resource)
	if err != nil {
		return err
	}
	return extractStream(ctx, f, n.Data(), r, o, out, errOut)
}

// verifyOld verifies one checkpoint of an old bank, or all that are available.
func verifyOld(ctx context.Context, f *bankFlags, c *layout09.Checkpoints, id string, out, errOut io.Writer) error {
	ids := []string{id}
	damaged, s, bar := 0, &sections{out: out}, f.progress(errOut)
	tell := func(id, text string) {
		bar.end()
		damaged++
		s.printf("hurt     checkpoint %s: %s\n", printable(id), printable(text))
	}
	if id == "" {
		ids = nil
		if err := c.Scan(ctx, func(cp layout09.Checkpoint) error {
			if cp.Status == karbor.CheckpointAvailable {
				ids = append(ids, cp.ID)
			}
			return nil
		}, func(id string, err error) { tell(id, why(err)) }); err != nil {
			return err
		}
	}
	var bytes int64
	for _, id := range ids {
		found, err := c.Verify(ctx, id, func(done int64) { bar.bytes("checkpoint "+id)(done, 0) })
		if _, damage := errors.AsType[*layout09.DamageError](err); damage {
			tell(id, why(err))
		} else if err != nil {
			return err
		}
		for _, one := range found {
			bytes += one.Size
			if _, damage := errors.AsType[*layout09.DamageError](one.Err); damage {
				tell(id, one.Resource.Key()+": "+why(one.Err))
			} else if one.Err != nil {
				s.printf("note     checkpoint %s: %s\n", id, printable(one.Err.Error()))
			}
		}
	}
	bar.end()
	s.printf("layout 0.9: %d checkpoints, %s read; %d damaged\n", len(ids), size(bytes), damaged)
	if s.err == nil && damaged > 0 {
		return errDamaged
	}
	return s.err
}

// removeFlags are those of karbord bank remove-legacy.
type removeFlags struct {
	from                    string
	imported, force, dryRun bool
}

func removeLegacyCommand(f *bankFlags) *cobra.Command {
	o := removeFlags{}
	cmd := &cobra.Command{
		Use:   "remove-legacy FOLDER | --from PROVIDER [CHECKPOINT]…",
		Short: "Remove checkpoints that were imported from a Python Karbor's bank",
		Long: `Remove checkpoints from a bank that Python Karbor wrote (layout 0.9), to get its space back after an import:
those that are named, or with --imported all that were imported. FOLDER and --from are those of "karbord bank
import"; the options of the old bank must not say read_only then. Python Karbor must not run.

Only what lies whole in the bank of --provider goes, unless --force is given for checkpoints that are named:
those are lost. What Python Karbor kept in the cloud (Cinder backups, snapshots) stays there. A removal
that was broken off goes on when it is run again.`,
		Example: `  karbord bank remove-legacy /var/lib/karbor-old/karbor --provider bank --imported --dry-run
  karbord bank remove-legacy /var/lib/karbor-old/karbor 5f2c… --provider bank
  karbord bank remove-legacy --from old-swift --provider bank --imported`,
		RunE: func(cmd *cobra.Command, args []string) error {
			named := len(args)
			if o.from == "" {
				named--
			}
			switch {
			case f.path != "":
				return usage(errors.New("what was imported is known to a provider's bank: --provider, not --path"))
			case named < 0:
				return usage(errors.New("the old bank is needed: a FOLDER, or --from PROVIDER"))
			case o.imported == (named > 0):
				return usage(errors.New("which checkpoints is needed: their ids, or --imported for all that were imported"))
			case o.force && named == 0:
				return usage(errors.New("--force is for checkpoints that are named"))
			}
			return f.with(cmd.Context(), func(b *openedBank) error {
				return b.removeLegacy(cmd.Context(), f, o, args, cmd.OutOrStdout())
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.from, "from", "", "name or id of the provider whose bank Python Karbor wrote, in place of a folder")
	flags.BoolVar(&o.imported, "imported", false, "all checkpoints that were imported")
	flags.BoolVar(&o.force, "force", false, "named checkpoints that were not imported, too: they are lost")
	flags.BoolVar(&o.dryRun, "dry-run", false, "remove nothing, and say what would be")
	return cmd
}

func (b *openedBank) removeLegacy(ctx context.Context, f *bankFlags, o removeFlags, args []string, out io.Writer) (err error) {
	source, end, ids, err := b.oldSource(ctx, f, importFlags{from: o.from}, args)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	old := layout09.New(source)
	if o.imported {
		if ids, err = b.importedFrom(ctx, old); err != nil {
			return err
		}
	}
	s := &sections{out: out}
	removed, kept := 0, 0
	for _, id := range ids {
		switch imported, err := b.imported(ctx, id); {
		case err != nil:
			return err
		case !imported && !o.force:
			kept++
			s.printf("checkpoint %s: kept, as it is not whole in the bank of provider %s\n", printable(id), b.name)
			continue
		}
		removed++
		if !o.dryRun {
			if err := old.Remove(ctx, id); err != nil {
				return err
			}
		}
		s.printf("checkpoint %s: %s\n", printable(id), o.done())
	}
	s.printf("%d checkpoints %s, %d kept\n", removed, o.done(), kept)
	if s.err == nil && kept > 0 {
		return fmt.Errorf("%d checkpoints were not imported", kept)
	}
	return s.err
}

// done says what is done to a checkpoint.
func (o removeFlags) done() string {
	if o.dryRun {
		return "would be removed"
	}
	return "removed"
}

// importedFrom gives the checkpoints of an old bank that were imported.
func (b *openedBank) importedFrom(ctx context.Context, old *layout09.Checkpoints) ([]string, error) {
	var all, ids []string
	err := old.Scan(ctx, func(cp layout09.Checkpoint) error {
		all = append(all, cp.ID)
		return nil
	}, func(id string, _ error) { all = append(all, id) })
	if err != nil {
		return nil, err
	}
	for _, id := range all {
		imported, err := b.imported(ctx, id)
		if err != nil {
			return nil, err
		}
		if imported {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// imported reports whether the bank has a checkpoint, and it is whole: an import keeps its id.
func (b *openedBank) imported(ctx context.Context, id string) (bool, error) {
	project, err := b.projectOf(ctx, "", id)
	var now checkpoint.Overview
	if err == nil {
		now, err = b.checkpoints.Overview(ctx, project, id)
	}
	switch kind := karbor.KindOf(err); {
	case err == nil:
		return now.Status == karbor.CheckpointAvailable, nil
	case kind == karbor.NotFound || kind == karbor.Invalid:
		return false, nil
	}
	return false, fmt.Errorf("looking for checkpoint %s in the bank: %w", id, err)
}

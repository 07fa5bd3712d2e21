package bankcommand

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/checkpoint"
	"github.com/karbor/karbor/internal/checkpoint/layout09"
	"github.com/karbor/karbor/internal/checkpoint/survey"
	"github.com/karbor/karbor/internal/cli/output"
	"github.com/karbor/karbor/internal/evidence"
)

// bankFilter chooses checkpoints.
type bankFilter struct {
	project, plan, provider, status string
	from, to                        string
	long                            bool
	since, until                    time.Time
}

func listCommand(f *bankFlags) *cobra.Command {
	o := bankFilter{}
	cmd := &cobra.Command{
		Use:   "ls [CHECKPOINT]",
		Short: "List the checkpoints of a bank, or the resources and streams of one",
		Long: `List the checkpoints of a bank, oldest first; with a checkpoint's id, its resources and their
streams of bytes, and the signed records of its drills. Ids, status, times and sizes need no key; names do, where a bank is
encrypted. Tombstones of deleted checkpoints are left out, unless --status deleted asks for them.`,
		Example: `  karbord bank ls --provider bank --from 2026-11-01
  karbord bank ls --path /mnt/bank --project 0b5e… --long -f json
  karbord bank ls 5f2c… --path /mnt/bank --key-file site.key`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.parse(); err != nil {
				return usage(err)
			}
			if old := f.oldFolder(); old != "" {
				return withOld(old, func(c *layout09.Checkpoints) error {
					if len(args) == 0 {
						return listOld(cmd.Context(), c, o, f.printer(cmd.OutOrStdout()))
					}
					_, all, err := oldResources(cmd.Context(), c, args[0])
					if err != nil {
						return err
					}
					return printResources(f.printer(cmd.OutOrStdout()), all)
				})
			}
			return f.with(cmd.Context(), func(b *openedBank) error {
				if len(args) == 1 {
					return b.listResources(cmd.Context(), o.project, args[0], f.printer(cmd.OutOrStdout()))
				}
				return b.listCheckpoints(cmd.Context(), o, f.printer(cmd.OutOrStdout()))
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.project, "project", "", "only those of the project with this id")
	flags.StringVar(&o.plan, "plan", "", "only those of the plan with this id")
	flags.StringVar(&o.provider, "of-provider", "", "only those of the provider with this id")
	flags.StringVar(&o.status, "status", "", "only those with this status")
	flags.StringVar(&o.from, "from", "", "only those made on this day (2026-11-01) or at this time (RFC 3339), or later")
	flags.StringVar(&o.to, "to", "", "only those made before this day or time")
	flags.BoolVarP(&o.long, "long", "l", false, "with names and numbers of resources, which takes one more read for each")
	return cmd
}

func (o *bankFilter) parse() (err error) {
	if o.since, err = parseTime("from", o.from); err == nil {
		o.until, err = parseTime("to", o.to)
	}
	return err
}

// parseTime reads a day or a time; "" is the zero time.
func parseTime(flag, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339Nano} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("--%s: %q is neither a day (2026-11-01) nor a time (2026-11-01T12:00:00Z)", flag, text)
}

func (o *bankFilter) chooses(c checkpoint.Overview) bool {
	return (o.plan == "" || o.plan == c.PlanID) && (o.provider == "" || o.provider == c.ProviderID) &&
		(o.status == "" && c.Status != karbor.CheckpointDeleted || o.status == string(c.Status)) &&
		!c.CreatedAt.Before(o.since) && (o.until.IsZero() || c.CreatedAt.Before(o.until))
}

// listedCheckpoint is one line of karbord bank ls.
type listedCheckpoint struct {
	ID         string                  `json:"id"`
	ProjectID  string                  `json:"project_id"`
	ProviderID string                  `json:"provider_id"`
	PlanID     string                  `json:"plan_id"`
	PlanName   string                  `json:"plan_name,omitempty"`
	Resources  int                     `json:"resources,omitempty"`
	Status     karbor.CheckpointStatus `json:"status"`
	CreatedAt  time.Time               `json:"created_at"`
	UpdatedAt  time.Time               `json:"updated_at"`
	Size       int64                   `json:"size"`
	// Unread says why the names are not known.
	Unread string `json:"unread,omitempty"`
}

func (b *openedBank) listCheckpoints(ctx context.Context, o bankFilter, p output.Printer) error {
	all := []listedCheckpoint{}
	err := b.checkpoints.Overviews(ctx, o.project, func(c checkpoint.Overview) error {
		if !o.chooses(c) {
			return nil
		}
		one := listedCheckpoint{ID: c.ID, ProjectID: c.ProjectID, ProviderID: c.ProviderID, PlanID: c.PlanID,
			Status: c.Status, CreatedAt: c.CreatedAt, UpdatedAt: c.UpdatedAt, Size: c.Size}
		if o.long && c.Status != karbor.CheckpointDeleted {
			if err := one.describe(ctx, b.checkpoints); err != nil {
				return err
			}
		}
		all = append(all, one)
		return nil
	}, nil)
	if err != nil {
		return fmt.Errorf("listing the checkpoints: %w", err)
	}
	return printCheckpoints(p, all, o.long)
}

// printCheckpoints prints checkpoints, oldest first.
func printCheckpoints(p output.Printer, all []listedCheckpoint, long bool) error {
	slices.SortFunc(all, func(a, b listedCheckpoint) int {
		if c := a.CreatedAt.Compare(b.CreatedAt); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
	columns := []string{"id", "project_id", "plan_id", "status", "created_at", "size"}
	if long {
		columns = []string{"id", "project_id", "plan_name", "resources", "status", "created_at", "size", "unread"}
	}
	if p.Format == "json" {
		return output.List(p, all)
	}
	rows := make([]checkpointRow, len(all))
	for i, c := range all {
		c.PlanName, c.Unread = printable(c.PlanName), printable(c.Unread)
		rows[i] = checkpointRow{c, size(c.Size)}
	}
	return output.List(p, rows, columns...)
}

// checkpointRow shows the size for people.
type checkpointRow struct {
	listedCheckpoint
	Size string `json:"size"`
}

// describe fills in what a key may be needed for.
func (l *listedCheckpoint) describe(ctx context.Context, c *checkpoint.Checkpoints) error {
	cp, err := c.Get(ctx, l.ProjectID, l.ID)
	if text, unread := whyUnread(err); unread {
		l.Unread = text
		return nil
	}
	if err != nil {
		return err
	}
	l.PlanName = cp.Plan.Name
	if cp.Graph != nil {
		l.Resources = len(cp.Graph.Nodes())
	}
	return nil
}

// whyUnread tells why one checkpoint can't be read, if others can.
func whyUnread(err error) (string, bool) {
	if e, is := errors.AsType[*checkpoint.DamageError](err); is {
		return "damaged: " + e.Err.Error(), true
	}
	if e, is := errors.AsType[*checkpoint.ClosedError](err); is {
		return e.Err.Error(), true
	}
	if err != nil && karbor.KindOf(err) == karbor.NotFound {
		return "damaged: a document is missing", true
	}
	return "", false
}

// listedResource is one line of karbord bank ls CHECKPOINT.
type listedResource struct {
	Resource karbor.NodeKey `json:"resource"`
	Name     string         `json:"name,omitempty"`
	Stream   string         `json:"stream,omitempty"`
	Format   string         `json:"format,omitempty"`
	Domain   string         `json:"domain,omitempty"`
	Size     int64          `json:"size"`
	New      int64          `json:"new,omitempty"`
	Stored   int64          `json:"stored,omitempty"`
	Damage   string         `json:"damage,omitempty"`
}

// resourceRow shows the size for people.
type resourceRow struct {
	listedResource
	Size   string `json:"size"`
	Stored string `json:"stored"`
}

func (b *openedBank) listResources(ctx context.Context, project, id string, p output.Printer) error {
	project, err := b.projectOf(ctx, project, id)
	if err != nil {
		return err
	}
	all, err := b.resources(ctx, project, id)
	if err != nil {
		return err
	}
	records, err := b.records(ctx, project, id)
	if err != nil {
		return err
	}
	return printResources(p, append(all, records...))
}

func printResources(p output.Printer, all []listedResource) error {
	if p.Format == "json" {
		return output.List(p, all)
	}
	rows := make([]resourceRow, len(all))
	for i, r := range all {
		r.Name, r.Format, r.Damage = printable(r.Name), printable(r.Format), printable(r.Damage)
		rows[i] = resourceRow{listedResource: r}
		if r.Stream != "" || r.Format == evidence.Format {
			rows[i].Size = size(r.Size)
		}
		if r.Stored > 0 {
			rows[i].Stored = size(r.Stored)
		}
	}
	return output.List(p, rows, "resource", "name", "stream", "format", "size", "stored", "damage")
}

// resources gives the resources and streams of a checkpoint: those without streams too, if the
// description can be read.
func (b *openedBank) resources(ctx context.Context, project, id string) ([]listedResource, error) {
	project, err := b.projectOf(ctx, project, id)
	if err != nil {
		return nil, err
	}
	cp, err := b.checkpoints.Get(ctx, project, id)
	// Of a checkpoint that can't be read there are the streams all the same.
	if _, unread := whyUnread(err); err != nil && !unread {
		return nil, err
	}
	streams, err := survey.Streams(ctx, b.checkpoints, project, id)
	if err != nil {
		return nil, err
	}
	names, seen := map[karbor.NodeKey]string{}, map[karbor.NodeKey]bool{}
	var nodes []*karbor.Node
	if cp.Graph != nil {
		nodes = cp.Graph.Nodes()
	}
	for _, n := range nodes {
		names[n.Key()] = n.Name
	}
	all := []listedResource{}
	for _, s := range streams {
		seen[s.Node] = true
		all = append(all, listedResource{Resource: s.Node, Name: names[s.Node], Stream: s.Name, Format: s.Format,
			Domain: s.Domain, Size: s.Size, New: s.New, Stored: s.Stored, Damage: s.Damage})
	}
	for _, n := range nodes {
		if !seen[n.Key()] {
			all = append(all, listedResource{Resource: n.Key(), Name: n.Name})
		}
	}
	slices.SortStableFunc(all, func(a, b listedResource) int { return strings.Compare(string(a.Resource), string(b.Resource)) })
	return all, nil
}

// records gives the signed records of a checkpoint's drills: one line for each drill.
func (b *openedBank) records(ctx context.Context, project, id string) ([]listedResource, error) {
	var all []listedResource
	found, err := b.checkpoints.Proofs(ctx, project, id, func(u checkpoint.UnreadProof) error {
		_, closed := errors.AsType[*checkpoint.ClosedError](u.Err)
		one := listedResource{Resource: karbor.NodeKey("drill/" + u.DrillID), Format: evidence.Format}
		if one.Damage = u.Err.Error(); closed {
			one.Damage = "it is sealed, and its key is not here"
		}
		all = append(all, one)
		return nil
	})
	for _, p := range found {
		r := p.Signed.Record
		all = append(all, listedResource{Resource: karbor.NodeKey("drill/" + r.DrillID), Format: evidence.Format,
			Name: string(r.Verdict) + " " + r.EndedAt.UTC().Format(time.RFC3339), Size: int64(len(p.File))})
	}
	return all, err
}

// projectOf gives the project of a checkpoint, looking for it if it was not given.
func (b *openedBank) projectOf(ctx context.Context, project, id string) (string, error) {
	if project == "" {
		return b.checkpoints.ProjectOf(ctx, id)
	}
	_, err := b.checkpoints.Overview(ctx, project, id)
	return project, err
}

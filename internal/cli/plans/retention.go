package plans

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/karbor/karbor/client"
	"github.com/karbor/karbor/internal/cli/argument"
	"github.com/karbor/karbor/internal/cli/lookup"
	"github.com/karbor/karbor/internal/cli/output"
	"github.com/karbor/karbor/internal/cli/progress"
	"github.com/karbor/karbor/internal/cli/session"
)

// retained is a line of what rules do to a plan.
type retained struct {
	ID        string           `json:"id"`
	CreatedAt client.Timestamp `json:"created_at"`
	Size      int64            `json:"size"`
	Verdict   string           `json:"verdict"`
	Reason    string           `json:"reason"`
}

func retention(s *session.Session) *cobra.Command {
	var r client.RetentionRules
	var k argument.KeepFlags
	cmd := s.Command("retention PLAN", "Apply rules of retention to a plan's checkpoints, or see what they would do", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			c, err := s.Connect(ctx)
			if err != nil {
				return err
			}
			plan, err := lookup.Plan(ctx, c, args[0])
			if err != nil {
				return err
			}
			r.KeepHourly, r.KeepDaily, r.KeepWeekly, r.KeepMonthly, r.KeepYearly, r.MinimumKeep, r.IncludeManual = k.Hourly, k.Daily, k.Weekly,
				k.Monthly, k.Yearly, k.Minimum, k.Manual
			done, err := c.Plans.Retention(ctx, plan.ID, r)
			if err != nil {
				return err
			}
			return showRetention(s, done)
		})
	cmd.Long = "Deletes the checkpoints of the plan that no rule keeps, once; with --dry-run it says what would go, and why each stays.\n" +
		"What is held or in use, the newest good checkpoint and the newest verified one of each resource always stay.\n" +
		"To have it done after each checkpoint, use a scheduled operation of the type retention_protect."
	f := cmd.Flags()
	f.BoolVar(&r.DryRun, "dry-run", false, "delete nothing")
	f.IntVar(&r.MaxBackups, "max-backups", 0, "keep so many of the newest")
	f.IntVar(&r.RetentionDuration, "retention-duration", 0, "keep those of so many days")
	k.Add(f, "")
	f.StringVar(&r.Timezone, "timezone", "", "whose hours, days and so on are counted, such as Europe/Berlin; UTC without it")
	return cmd
}

// showRetention prints what rules do to a plan.
func showRetention(s *session.Session, r client.Retention) error {
	lines := make([]retained, 0, len(r.Checkpoints))
	for _, c := range r.Checkpoints {
		line := retained{ID: c.ID, CreatedAt: c.CreatedAt, Size: c.Size, Verdict: "stays", Reason: strings.Join(c.Reasons, " ")}
		switch {
		case c.Goes && r.DryRun:
			line.Verdict = "would go"
		case c.Goes:
			line.Verdict = "goes"
		}
		lines = append(lines, line)
	}
	if err := output.List(s.Printer(), lines, "id", "created_at", "verdict", "reason"); err != nil {
		return err
	}
	if r.Refused != "" {
		s.Say("%s", r.Refused)
	}
	what := fmt.Sprintf("%d of %d checkpoints", r.Gone, len(r.Checkpoints))
	if r.DryRun {
		s.Say("%s would go, %s", what, progress.Size(r.GoneSize))
	} else {
		s.Say("%s are being deleted, %s", what, progress.Size(r.GoneSize))
	}
	return nil
}

package cli

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/karbor/karbor/client"
	"github.com/karbor/karbor/internal/cli/output"
	"github.com/karbor/karbor/internal/cli/progress"
)

// retained is a line of what rules do to a plan.
type retained struct {
	ID        string           `json:"id"`
	CreatedAt client.Timestamp `json:"created_at"`
	Size      int64            `json:"size"`
	Verdict   string           `json:"verdict"`
	Reason    string           `json:"reason"`
}

// keepFlags are the keep rules of retention, one by one.
type keepFlags struct {
	hourly, daily, weekly, monthly, yearly, minimum int
	manual                                          bool
}

// keepMembers are their names in an operation definition.
func keepMembers() []string {
	return []string{"keep_hourly", "keep_daily", "keep_weekly", "keep_monthly", "keep_yearly", "minimum_keep", "include_manual"}
}

// add adds the flags; each usage begins with a text.
func (k *keepFlags) add(f *pflag.FlagSet, begins string) {
	f.IntVar(&k.hourly, "keep-hourly", 0, begins+"keep the newest of each of so many hours")
	f.IntVar(&k.daily, "keep-daily", 0, begins+"keep the newest of each of so many days")
	f.IntVar(&k.weekly, "keep-weekly", 0, begins+"keep the newest of each of so many weeks")
	f.IntVar(&k.monthly, "keep-monthly", 0, begins+"keep the newest of each of so many months")
	f.IntVar(&k.yearly, "keep-yearly", 0, begins+"keep the newest of each of so many years")
	f.IntVar(&k.minimum, "minimum-keep", 0, begins+"keep so many of the newest whatever else is said")
	f.BoolVar(&k.manual, "include-manual", false, begins+"those that were made by hand, too")
}

// read puts the flags that are given into the members of an operation definition.
func (k *keepFlags) read(members map[string]string) {
	for i, n := range []int{k.hourly, k.daily, k.weekly, k.monthly, k.yearly, k.minimum} {
		if n != 0 {
			members[keepMembers()[i]] = strconv.Itoa(n)
		}
	}
	if k.manual {
		members["include_manual"] = "true"
	}
}

func (a *app) planRetention() *cobra.Command {
	var r client.RetentionRules
	var k keepFlags
	cmd := a.command("retention PLAN", "Apply rules of retention to a plan's checkpoints, or see what they would do", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			c, err := a.connect(ctx)
			if err != nil {
				return err
			}
			plan, err := a.findPlan(ctx, c, args[0])
			if err != nil {
				return err
			}
			r.KeepHourly, r.KeepDaily, r.KeepWeekly, r.KeepMonthly, r.KeepYearly, r.MinimumKeep, r.IncludeManual = k.hourly, k.daily, k.weekly,
				k.monthly, k.yearly, k.minimum, k.manual
			done, err := c.Plans.Retention(ctx, plan.ID, r)
			if err != nil {
				return err
			}
			return a.showRetention(done)
		})
	cmd.Long = "Deletes the checkpoints of the plan that no rule keeps, once; with --dry-run it says what would go, and why each stays.\n" +
		"What is held or in use, the newest good checkpoint and the newest verified one of each resource always stay.\n" +
		"To have it done after each checkpoint, use a scheduled operation of the type retention_protect."
	f := cmd.Flags()
	f.BoolVar(&r.DryRun, "dry-run", false, "delete nothing")
	f.IntVar(&r.MaxBackups, "max-backups", 0, "keep so many of the newest")
	f.IntVar(&r.RetentionDuration, "retention-duration", 0, "keep those of so many days")
	k.add(f, "")
	f.StringVar(&r.Timezone, "timezone", "", "whose hours, days and so on are counted, such as Europe/Berlin; UTC without it")
	return cmd
}

// showRetention prints what rules do to a plan.
func (a *app) showRetention(r client.Retention) error {
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
	if err := output.List(a.printer(), lines, "id", "created_at", "verdict", "reason"); err != nil {
		return err
	}
	if r.Refused != "" {
		a.say("%s", r.Refused)
	}
	what := fmt.Sprintf("%d of %d checkpoints", r.Gone, len(r.Checkpoints))
	if r.DryRun {
		a.say("%s would go, %s", what, progress.Size(r.GoneSize))
	} else {
		a.say("%s are being deleted, %s", what, progress.Size(r.GoneSize))
	}
	return nil
}

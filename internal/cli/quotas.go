package cli

import (
	"context"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/karbor/karbor/client"
	"github.com/karbor/karbor/internal/cli/output"
)

func (a *app) quotas() *cobra.Command {
	return groupOf("quotas", "Quotas: how much a project may have",
		a.quotasShow(), a.quotasDefaults(), a.quotasDetail(), a.quotasUpdate(), a.quotasDelete())
}

// quotaFlags are the limits that an update sets; -1 is unlimited.
type quotaFlags struct {
	set                           *pflag.FlagSet
	plans, checkpoints, gigabytes int64
}

func (q *quotaFlags) add(f *pflag.FlagSet) {
	q.set = f
	f.Int64Var(&q.plans, "plans", 0, "plans (-1: unlimited)")
	f.Int64Var(&q.checkpoints, "checkpoints", 0, "checkpoints (-1: unlimited)")
	f.Int64Var(&q.gigabytes, "gigabytes", 0, "logical size of all checkpoints, in GiB (-1: unlimited)")
}

// change gives the limits that were set; none is an error.
func (q *quotaFlags) change() (client.QuotaChange, error) {
	given := func(name string, value *int64) *int64 {
		if q.set.Changed(name) {
			return value
		}
		return nil
	}
	c := client.QuotaChange{
		Plans: given("plans", &q.plans), Checkpoints: given("checkpoints", &q.checkpoints), Gigabytes: given("gigabytes", &q.gigabytes),
	}
	if c == (client.QuotaChange{}) {
		return c, usagef("nothing to change: give --plans, --checkpoints or --gigabytes")
	}
	return c, nil
}

// aboutQuotas makes a command about the quotas of one project, the caller's own by
// default.
func (a *app) aboutQuotas(use, short string, run func(ctx context.Context, c *client.Client, project string) error) *cobra.Command {
	var tenant string
	cmd := a.command(use+" [PROJECT]", short, cobra.MaximumNArgs(1), func(ctx context.Context, args []string) error {
		if len(args) > 0 && tenant != "" {
			return usagef("the project is given twice: as %s, and with --tenant", args[0])
		}
		c, err := a.connect(ctx)
		if err != nil {
			return err
		}
		project := a.project
		if len(args) > 0 {
			project = args[0]
		} else if tenant != "" {
			project = tenant
		}
		if project != a.project {
			if project, err = a.session.FindProject(ctx, project); err != nil {
				return err
			}
		}
		return run(ctx, c, project)
	})
	cmd.Flags().StringVar(&tenant, "tenant", "", "same as PROJECT: its name or id (administrators; the own one otherwise)")
	return cmd
}

func (a *app) quotasShow() *cobra.Command {
	var detail bool
	cmd := a.aboutQuotas("show", "Show the quotas of a project", func(ctx context.Context, c *client.Client, project string) error {
		if detail {
			return a.printQuotaDetail(ctx, c, project)
		}
		q, err := c.Quotas.Show(ctx, project)
		if err != nil {
			return err
		}
		return a.printer().Show(q)
	})
	cmd.Flags().BoolVar(&detail, "detail", false, "with what is in use, as quotas detail")
	return cmd
}

func (a *app) quotasDefaults() *cobra.Command {
	cmd := a.aboutQuotas("defaults", "Show the quotas of a project that none are set for", func(ctx context.Context, c *client.Client, project string) error {
		q, err := c.Quotas.Defaults(ctx, project)
		if err != nil {
			return err
		}
		return a.printer().Show(q)
	})
	cmd.Aliases = []string{"default"} // as the original's client has it
	return cmd
}

func (a *app) quotasDetail() *cobra.Command {
	return a.aboutQuotas("detail", "Show the quotas of a project, and what is in use", a.printQuotaDetail)
}

// quotaRow is one resource of a project's quotas.
type quotaRow struct {
	Resource string `json:"resource"`
	client.QuotaUsage
}

func (a *app) printQuotaDetail(ctx context.Context, c *client.Client, project string) error {
	q, err := c.Quotas.Detail(ctx, project)
	if err != nil {
		return err
	}
	rows := []quotaRow{{"plans", q.Plans}, {"checkpoints", q.Checkpoints}, {"gigabytes", q.Gigabytes}}
	return output.List(a.printer(), rows, "resource", "limit", "in_use", "reserved")
}

func (a *app) quotasUpdate() *cobra.Command {
	var f quotaFlags
	cmd := a.command("update PROJECT", "Change the quotas of a project (administrators)", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			change, err := f.change()
			if err != nil {
				return err
			}
			c, err := a.connect(ctx)
			if err != nil {
				return err
			}
			project, err := a.session.FindProject(ctx, args[0])
			if err != nil {
				return err
			}
			q, err := c.Quotas.Update(ctx, project, change)
			if err != nil {
				return err
			}
			return a.printer().Show(q)
		})
	f.add(cmd.Flags())
	return cmd
}

func (a *app) quotasDelete() *cobra.Command {
	return a.command("delete PROJECT", "Bring the quotas of a project back to the defaults (administrators)", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			c, err := a.connect(ctx)
			if err != nil {
				return err
			}
			project, err := a.session.FindProject(ctx, args[0])
			if err != nil {
				return err
			}
			return c.Quotas.Delete(ctx, project)
		})
}

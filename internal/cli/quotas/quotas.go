// Package quotas has the commands quotas and quotaclass.
package quotas

import (
	"context"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/karbor/karbor/client"
	"github.com/karbor/karbor/internal/cli/exit"
	"github.com/karbor/karbor/internal/cli/output"
	"github.com/karbor/karbor/internal/cli/session"
)

// Command makes the command quotas.
func Command(s *session.Session) *cobra.Command {
	return session.Group("quotas", "Quotas: how much a project may have",
		s.Help(show(s), session.Help{Example: `karbor quotas show`}),
		s.Help(defaults(s), session.Help{Example: `karbor quotas defaults`}),
		s.Help(detail(s), session.Help{Example: `karbor quotas detail -f csv`}),
		s.Help(update(s), session.Help{Example: `karbor quotas update demo --plans 100 --gigabytes=-1`}),
		s.Help(remove(s), session.Help{Example: `karbor quotas delete demo`}),
	)
}

// limitFlags are the limits that an update sets; -1 is unlimited.
type limitFlags struct {
	set                           *pflag.FlagSet
	plans, checkpoints, gigabytes int64
}

func (q *limitFlags) add(f *pflag.FlagSet) {
	q.set = f
	f.Int64Var(&q.plans, "plans", 0, "plans (-1: unlimited)")
	f.Int64Var(&q.checkpoints, "checkpoints", 0, "checkpoints (-1: unlimited)")
	f.Int64Var(&q.gigabytes, "gigabytes", 0, "logical size of all checkpoints, in GiB (-1: unlimited)")
}

// change gives the limits that were set; none is an error.
func (q *limitFlags) change() (client.QuotaChange, error) {
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
		return c, exit.Usagef("nothing to change: give --plans, --checkpoints or --gigabytes")
	}
	return c, nil
}

// about makes a command about the quotas of one project, the caller's own by
// default.
func about(s *session.Session, use, short string, run func(ctx context.Context, c *client.Client, project string) error) *cobra.Command {
	var tenant string
	cmd := s.Command(use+" [PROJECT]", short, cobra.MaximumNArgs(1), func(ctx context.Context, args []string) error {
		if len(args) > 0 && tenant != "" {
			return exit.Usagef("the project is given twice: as %s, and with --tenant", args[0])
		}
		c, err := s.Connect(ctx)
		if err != nil {
			return err
		}
		project := s.Project()
		if len(args) > 0 {
			project = args[0]
		} else if tenant != "" {
			project = tenant
		}
		if project != s.Project() {
			if project, err = s.FindProject(ctx, project); err != nil {
				return err
			}
		}
		return run(ctx, c, project)
	})
	cmd.Flags().StringVar(&tenant, "tenant", "", "same as PROJECT: its name or id (administrators; the own one otherwise)")
	return cmd
}

func show(s *session.Session) *cobra.Command {
	var detail bool
	cmd := about(s, "show", "Show the quotas of a project", func(ctx context.Context, c *client.Client, project string) error {
		if detail {
			return printDetail(ctx, s, c, project)
		}
		q, err := c.Quotas.Show(ctx, project)
		if err != nil {
			return err
		}
		return s.Printer().Show(q)
	})
	cmd.Flags().BoolVar(&detail, "detail", false, "with what is in use, as quotas detail")
	return cmd
}

func defaults(s *session.Session) *cobra.Command {
	cmd := about(s, "defaults", "Show the quotas of a project that none are set for", func(ctx context.Context, c *client.Client, project string) error {
		q, err := c.Quotas.Defaults(ctx, project)
		if err != nil {
			return err
		}
		return s.Printer().Show(q)
	})
	cmd.Aliases = []string{"default"} // as the original's client has it
	return cmd
}

func detail(s *session.Session) *cobra.Command {
	return about(s, "detail", "Show the quotas of a project, and what is in use", func(ctx context.Context, c *client.Client, project string) error {
		return printDetail(ctx, s, c, project)
	})
}

// row is one resource of a project's quotas.
type row struct {
	Resource string `json:"resource"`
	client.QuotaUsage
}

func printDetail(ctx context.Context, s *session.Session, c *client.Client, project string) error {
	q, err := c.Quotas.Detail(ctx, project)
	if err != nil {
		return err
	}
	rows := []row{{"plans", q.Plans}, {"checkpoints", q.Checkpoints}, {"gigabytes", q.Gigabytes}}
	return output.List(s.Printer(), rows, "resource", "limit", "in_use", "reserved")
}

func update(s *session.Session) *cobra.Command {
	var f limitFlags
	cmd := s.Command("update PROJECT", "Change the quotas of a project (administrators)", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			change, err := f.change()
			if err != nil {
				return err
			}
			c, err := s.Connect(ctx)
			if err != nil {
				return err
			}
			project, err := s.FindProject(ctx, args[0])
			if err != nil {
				return err
			}
			q, err := c.Quotas.Update(ctx, project, change)
			if err != nil {
				return err
			}
			return s.Printer().Show(q)
		})
	f.add(cmd.Flags())
	return cmd
}

func remove(s *session.Session) *cobra.Command {
	return s.Command("delete PROJECT", "Bring the quotas of a project back to the defaults (administrators)", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			c, err := s.Connect(ctx)
			if err != nil {
				return err
			}
			project, err := s.FindProject(ctx, args[0])
			if err != nil {
				return err
			}
			return c.Quotas.Delete(ctx, project)
		})
}

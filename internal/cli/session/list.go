package session

import (
	"context"
	"iter"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/karbor/karbor/client"
	"github.com/karbor/karbor/internal/cli/lookup"
	"github.com/karbor/karbor/internal/cli/output"
)

// ListFlags are the flags that every list has.
type ListFlags struct {
	limit   int
	marker  string
	sort    string
	all     bool
	project string
}

// Add adds the flags.
func (l *ListFlags) Add(f *pflag.FlagSet) {
	f.IntVar(&l.limit, "limit", 0, "show at most so many (0: all)")
	f.StringVar(&l.marker, "marker", "", "show what comes after the item with this id")
	f.StringVar(&l.sort, "sort", "", "order, such as name:asc,created_at:desc")
	f.BoolVar(&l.all, "all-projects", false, "those of all projects (administrators)")
	f.StringVar(&l.project, "project", "", "those of one project, by name or id (administrators)")
}

// Connect logs in, and finds the id of the project.
func (l *ListFlags) Connect(ctx context.Context, s *Session) (*client.Client, error) {
	c, err := s.Connect(ctx)
	if err == nil && l.project != "" {
		l.project, err = s.FindProject(ctx, l.project)
	}
	return c, err
}

// Options gives what the flags ask for, with filters.
func (l *ListFlags) Options(filters map[string]string) client.ListOptions {
	return client.ListOptions{Limit: l.limit, Marker: l.marker, Sort: l.sort, AllProjects: l.all, Project: l.project, Filters: filters}
}

// ProjectFlag gives the flag for the project another name, too.
func (l *ListFlags) ProjectFlag(f *pflag.FlagSet, name string) {
	f.StringVar(&l.project, name, "", "same as --project")
}

// Collect gathers what a list gives.
func Collect[T any](items iter.Seq2[T, error]) ([]T, error) {
	var all []T
	for item, err := range items {
		if err != nil {
			return nil, err
		}
		all = append(all, item)
	}
	return all, nil
}

// Filter is a flag of a list that leaves things out.
type Filter struct {
	Flag, Usage string
	// Member is the name of the filter in the API; "" for that of the flag.
	Member string
	// ID gives the value for what the flag says; nil where it is that itself.
	ID func(ctx context.Context, c *client.Client, ref string) (string, error)
	// Values are what may stand behind the flag, if a shell can complete it.
	Values lookup.Candidates
}

// Lister lists things of a kind: the method List of a part of the client.
type Lister[T any] func(context.Context, client.ListOptions) iter.Seq2[T, error]

// List makes a command that lists things of a kind, by columns.
func List[T any](s *Session, short string, of func(*client.Client) Lister[T], filters []Filter, columns ...string) *cobra.Command {
	var l ListFlags
	values := make([]string, len(filters))
	cmd := s.Command("list", short, cobra.NoArgs, func(ctx context.Context, _ []string) error {
		c, err := l.Connect(ctx, s)
		if err != nil {
			return err
		}
		given, err := filtered(ctx, c, filters, values)
		if err != nil {
			return err
		}
		all, err := Collect(of(c)(ctx, l.Options(given)))
		if err != nil {
			return err
		}
		return output.List(s.Printer(), all, columns...)
	})
	l.Add(cmd.Flags())
	for i, f := range filters {
		cmd.Flags().StringVar(&values[i], f.Flag, "", f.Usage)
		if f.Values != nil {
			s.CompleteFlag(cmd, f.Flag, f.Values)
		}
	}
	return cmd
}

// filtered gives what the flags of filters say, as the API has it.
func filtered(ctx context.Context, c *client.Client, filters []Filter, values []string) (map[string]string, error) {
	given := map[string]string{}
	for i, f := range filters {
		member, value := f.Member, values[i]
		if member == "" {
			member = f.Flag
		}
		if f.ID != nil && value != "" {
			var err error
			if value, err = f.ID(ctx, c, value); err != nil {
				return nil, err
			}
		}
		given[member] = value
	}
	return given, nil
}

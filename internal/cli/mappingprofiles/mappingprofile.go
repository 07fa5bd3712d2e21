// Package mappingprofiles has the command mappingprofile.
package mappingprofiles

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/karbor/karbor/client"
	"github.com/karbor/karbor/internal/cli/choice"
	"github.com/karbor/karbor/internal/cli/exit"
	"github.com/karbor/karbor/internal/cli/lookup"
	"github.com/karbor/karbor/internal/cli/session"
)

// Command makes the command mappingprofile.
func Command(s *session.Session) *cobra.Command {
	return session.Group("mappingprofile", "Mapping profiles: what takes the place of what in restores, under a name",
		s.Help(create(s), session.Help{Example: `karbor mappingprofile create dr-site --map network:*=5c2cd7c0-5f5b-4d4b-8a60-0f6f0f1f8f6a --map flavor:big=small --power stopped`}),
		s.Help(list(s), session.Help{Example: `karbor mappingprofile list`}),
		s.Help(session.Show(s, "show MAPPINGPROFILE", "Show a mapping profile", lookup.MappingProfile), session.Help{Example: `karbor mappingprofile show dr-site -f json`}),
		s.Help(remove(s), session.Help{Example: `karbor mappingprofile delete dr-site`}),
	)
}

func list(s *session.Session) *cobra.Command {
	return session.List(s, "List mapping profiles",
		func(c *client.Client) session.Lister[client.MappingProfile] { return c.MappingProfiles.List }, nil,
		"id", "name", "description", "mapping")
}

func create(s *session.Session) *cobra.Command {
	var q choice.Flags
	var description string
	cmd := s.Command("create NAME", "Keep a mapping for restores", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		mapping, err := q.Mapped()
		if err != nil {
			return err
		}
		if len(mapping) == 0 {
			return exit.Usagef("give a mapping: --map, --mapping-json, --name-prefix, --power and so on")
		}
		c, err := s.Connect(ctx)
		if err != nil {
			return err
		}
		p, err := c.MappingProfiles.Create(ctx, client.MappingProfileRequest{Name: args[0], Description: description, Mapping: mapping})
		if err != nil {
			return err
		}
		return s.Printer().Show(p)
	})
	q.AddMapping(cmd.Flags())
	cmd.Flags().StringVar(&description, "description", "", "what it is for")
	return session.Creating(cmd)
}

func remove(s *session.Session) *cobra.Command {
	return s.Each("delete MAPPINGPROFILE...", "Delete mapping profiles", func(ctx context.Context, c *client.Client, ref string) error {
		p, err := lookup.MappingProfile(ctx, c, ref)
		if err != nil {
			return err
		}
		return c.MappingProfiles.Delete(ctx, p.ID)
	})
}

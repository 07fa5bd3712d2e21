package cli

import (
	"context"
	"errors"
	"iter"

	"github.com/spf13/cobra"

	"github.com/karbor/karbor/client"
	"github.com/karbor/karbor/internal/cli/output"
)

func (a *app) mappingProfile() *cobra.Command {
	return groupOf("mappingprofile", "Mapping profiles: what takes the place of what in restores, under a name",
		a.mappingProfileCreate(), a.mappingProfileList(), a.mappingProfileShow(), a.mappingProfileDelete())
}

func (a *app) mappingProfileCreate() *cobra.Command {
	var q requestFlags
	var description string
	cmd := a.command("create NAME", "Keep a mapping for restores", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		mapping, err := q.mapped()
		if err != nil {
			return err
		}
		if len(mapping) == 0 {
			return usagef("give a mapping: --map, --mapping-json, --name-prefix, --power and so on")
		}
		c, err := a.connect(ctx)
		if err != nil {
			return err
		}
		p, err := c.MappingProfiles.Create(ctx, client.MappingProfileRequest{Name: args[0], Description: description, Mapping: mapping})
		if err != nil {
			return err
		}
		return a.printer().Show(p)
	})
	q.addMapping(cmd.Flags())
	cmd.Flags().StringVar(&description, "description", "", "what it is for")
	return creating(cmd)
}

func (a *app) mappingProfileList() *cobra.Command {
	var l listFlags
	cmd := a.command("list", "List mapping profiles", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		c, err := l.connect(ctx, a)
		if err != nil {
			return err
		}
		all, err := collect(c.MappingProfiles.List(ctx, l.options(nil)))
		if err != nil {
			return err
		}
		return output.List(a.printer(), all, "id", "name", "description", "mapping")
	})
	l.add(cmd.Flags())
	return cmd
}

func (a *app) mappingProfileShow() *cobra.Command {
	return a.command("show MAPPINGPROFILE", "Show a mapping profile", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		c, err := a.connect(ctx)
		if err != nil {
			return err
		}
		p, err := a.findMappingProfile(ctx, c, args[0])
		if err != nil {
			return err
		}
		return a.printer().Show(p)
	})
}

func (a *app) mappingProfileDelete() *cobra.Command {
	return a.command("delete MAPPINGPROFILE...", "Delete mapping profiles", cobra.MinimumNArgs(1), func(ctx context.Context, args []string) error {
		c, err := a.connect(ctx)
		if err != nil {
			return err
		}
		var faults []error
		for _, ref := range args {
			p, err := a.findMappingProfile(ctx, c, ref)
			if err == nil {
				err = c.MappingProfiles.Delete(ctx, p.ID)
			}
			if err != nil {
				faults = append(faults, err)
			}
		}
		return errors.Join(faults...)
	})
}

func (a *app) findMappingProfile(ctx context.Context, c *client.Client, ref string) (client.MappingProfile, error) {
	return byIDOrName(ref,
		func() (client.MappingProfile, error) { return c.MappingProfiles.Show(ctx, ref) },
		func() (client.MappingProfile, error) {
			list := func(o client.ListOptions) iter.Seq2[client.MappingProfile, error] {
				return c.MappingProfiles.List(ctx, o)
			}
			return named("mapping profile", ref, list, func(p client.MappingProfile) (string, string) { return p.ID, p.Name })
		})
}

// profileID gives the id of the mapping profile that a flag names; "" for none.
func (a *app) profileID(ctx context.Context, c *client.Client, ref string) (string, error) {
	if ref == "" {
		return "", nil
	}
	p, err := a.findMappingProfile(ctx, c, ref)
	return p.ID, err
}

// Package triggers has the command trigger.
package triggers

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/client"
	"github.com/karbor/karbor/internal/cli/exit"
	"github.com/karbor/karbor/internal/cli/lookup"
	"github.com/karbor/karbor/internal/cli/output"
	"github.com/karbor/karbor/internal/cli/session"
)

// Command makes the command trigger.
func Command(s *session.Session) *cobra.Command {
	return session.Group("trigger", "Triggers: when scheduled operations run",
		s.Help(create(s), session.Help{Example: `karbor trigger create nightly --crontab "0 2 * * *"
karbor trigger create workdays --calendar @workdays.ics --window 900
karbor trigger create nightly time 'format=crontab,pattern=0 2 * * *'`}),
		s.Help(check(s), session.Help{Example: `karbor trigger check --crontab "0 3 * * *" --timezone Europe/Berlin --next 3`}),
		s.Help(list(s), session.Help{Example: `karbor trigger list --name night`}),
		s.Help(show(s), session.Help{Example: `karbor trigger show nightly --next 5`, Places: session.At(lookup.TriggerNames)}),
		s.Help(update(s), session.Help{Example: `karbor trigger update nightly --crontab "30 3 * * *"
karbor trigger update nightly --no-end-time`, Places: session.At(lookup.TriggerNames)}),
		s.Help(remove(s), session.Help{Example: `karbor trigger delete nightly`, Places: session.At(lookup.TriggerNames), More: true}),
	)
}

func list(s *session.Session) *cobra.Command {
	return session.List(s, "List triggers",
		func(c *client.Client) session.Lister[client.Trigger] { return c.Triggers.List },
		[]session.Filter{
			{Flag: "name", Usage: "those with this in their name"},
			{Flag: "type", Usage: "those of this type"},
			{Flag: "properties", Usage: "those with these properties (key=value,… or JSON), or this in them"},
		}, "id", "name", "type", "properties")
}

func create(s *session.Session) *cobra.Command {
	var p propertyFlags
	cmd := s.Command("create NAME [TYPE] [PROPERTIES]", "Create a trigger", cobra.RangeArgs(1, 3),
		func(ctx context.Context, args []string) error {
			request := client.TriggerRequest{Name: args[0]}
			text := ""
			switch len(args) {
			case 2:
				// TYPE is time, the only one; a lone argument may be either.
				if strings.Contains(args[1], "=") || strings.HasPrefix(args[1], "{") {
					text = args[1]
				} else {
					request.Type = karbor.TriggerType(args[1])
				}
			case 3:
				request.Type, text = karbor.TriggerType(args[1]), args[2]
			}
			var err error
			if request.Properties, err = p.read(text); err != nil {
				return err
			}
			if request.Properties.Pattern == "" {
				return exit.Usagef("a trigger needs times: --crontab or --calendar")
			}
			c, err := s.Connect(ctx)
			if err != nil {
				return err
			}
			trigger, err := c.Triggers.Create(ctx, request)
			if err != nil {
				return err
			}
			return s.Printer().Show(trigger)
		})
	p.add(cmd.Flags())
	return session.Creating(cmd)
}

func show(s *session.Session) *cobra.Command {
	next := 0
	cmd := s.Command("show TRIGGER", "Show a trigger", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		c, err := s.Connect(ctx)
		if err != nil {
			return err
		}
		trigger, err := lookup.Trigger(ctx, c, args[0])
		if err != nil {
			return err
		}
		if next != 0 {
			if trigger, err = c.Triggers.Next(ctx, trigger.ID, next); err != nil {
				return err
			}
		}
		return s.Printer().Show(trigger)
	})
	cmd.Flags().IntVar(&next, "next", 0, "show so many of its next times, too")
	return cmd
}

// nextTime is one of the times of a trigger.
type nextTime struct {
	At client.Timestamp `json:"at"`
}

func check(s *session.Session) *cobra.Command {
	var p propertyFlags
	next := 0
	cmd := s.Command("check [PROPERTIES]", "Show when a trigger would fire, without creating it", cobra.MaximumNArgs(1),
		func(ctx context.Context, args []string) error {
			text := ""
			if len(args) == 1 {
				text = args[0]
			}
			properties, err := p.read(text)
			if err != nil {
				return err
			}
			if properties.Pattern == "" {
				return exit.Usagef("a trigger needs times: --crontab or --calendar")
			}
			c, err := s.Connect(ctx)
			if err != nil {
				return err
			}
			found, err := c.Triggers.Check(ctx, properties, next)
			if err != nil {
				return err
			}
			times := make([]nextTime, len(found))
			for i, at := range found {
				times[i].At = at
			}
			return output.List(s.Printer(), times, "at")
		})
	p.add(cmd.Flags())
	cmd.Flags().IntVar(&next, "next", 5, "how many times to show")
	return cmd
}

func update(s *session.Session) *cobra.Command {
	var p propertyFlags
	var name, properties string
	var endless bool
	var cmd *cobra.Command
	cmd = s.Command("update TRIGGER", "Change a trigger; what of its properties is not given stays", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			given, err := p.read(properties)
			if err != nil {
				return err
			}
			var change client.TriggerChange
			if cmd.Flags().Changed("name") {
				change.Name = &name
			}
			if endless && !given.EndTime.IsZero() {
				return exit.Usagef("give one of --end-time and --no-end-time")
			}
			if change.Name == nil && given == (karbor.TriggerProperties{}) && !endless {
				return exit.Usagef("nothing to change: give --name, --crontab, --calendar, --start-time, --end-time, --no-end-time, --window, --timezone or --jitter")
			}
			c, err := s.Connect(ctx)
			if err != nil {
				return err
			}
			trigger, err := lookup.Trigger(ctx, c, args[0])
			if err != nil {
				return err
			}
			if given != (karbor.TriggerProperties{}) || endless {
				all := over(trigger.Properties, given)
				if endless {
					all.EndTime = time.Time{}
				}
				change.Properties = &all
			}
			if trigger, err = c.Triggers.Update(ctx, trigger.ID, change); err != nil {
				return err
			}
			return s.Printer().Show(trigger)
		})
	f := cmd.Flags()
	f.StringVar(&name, "name", "", "new name")
	f.StringVar(&properties, "properties", "", "key=value,… or JSON")
	p.add(f)
	f.BoolVar(&endless, "no-end-time", false, "let it go on for ever: remove the end time")
	return cmd
}

func remove(s *session.Session) *cobra.Command {
	return s.Each("delete TRIGGER...", "Delete triggers that no scheduled operation uses", func(ctx context.Context, c *client.Client, ref string) error {
		id, err := lookup.TriggerID(ctx, c, ref)
		if err != nil {
			return err
		}
		return c.Triggers.Delete(ctx, id)
	})
}

package cli

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/client"
	"github.com/karbor/karbor/internal/cli/output"
)

func (a *app) trigger() *cobra.Command {
	return groupOf("trigger", "Triggers: when scheduled operations run",
		a.triggerCreate(), a.triggerCheck(), a.triggerList(), a.triggerShow(), a.triggerUpdate(), a.triggerDelete())
}

// propertyFlags are the properties of a trigger, one by one.
type propertyFlags struct{ crontab, calendar, start, end, window, timezone, jitter string }

func (p *propertyFlags) add(f *pflag.FlagSet) {
	f.StringVar(&p.crontab, "crontab", "", `times as a line of a crontab, such as "0 2 * * *", in UTC or in --timezone`)
	f.StringVar(&p.calendar, "calendar", "", "times as an iCalendar VEVENT, or @FILE that holds one")
	f.StringVar(&p.start, "start-time", "", `no run before: "YYYY-MM-DD HH:MM:SS" in UTC, or ISO 8601`)
	f.StringVar(&p.end, "end-time", "", "no run after")
	f.StringVar(&p.window, "window", "", "how many seconds late a run may begin")
	f.StringVar(&p.timezone, "timezone", "", "zone of whose clock the times are, such as Europe/Berlin")
	f.StringVar(&p.jitter, "jitter", "", "over how many seconds the runs of several scheduled operations are spread")
}

// read gives the properties of the flags over those of the text key=value,….
func (p *propertyFlags) read(text string) (karbor.TriggerProperties, error) {
	var out karbor.TriggerProperties
	members := map[string]string{}
	if text != "" {
		var err error
		if members, err = parseMembers(text, "format", "pattern", "start_time", "end_time", "window", "timezone", "jitter"); err != nil {
			return out, err
		}
	}
	if p.crontab != "" && p.calendar != "" {
		return out, usagef("give one of --crontab and --calendar")
	}
	if file, ok := strings.CutPrefix(p.calendar, "@"); ok {
		pattern, err := os.ReadFile(file)
		if err != nil {
			return out, usagef("reading the calendar: %w", err)
		}
		p.calendar = string(pattern)
	}
	for _, v := range []struct{ name, value string }{
		{"pattern", p.crontab}, {"pattern", p.calendar}, {"start_time", p.start}, {"end_time", p.end}, {"window", p.window},
		{"timezone", p.timezone}, {"jitter", p.jitter},
	} {
		if v.value != "" {
			members[v.name] = v.value
		}
	}
	switch {
	case p.crontab != "":
		members["format"] = string(karbor.Crontab)
	case p.calendar != "":
		members["format"] = string(karbor.Calendar)
	}
	document, err := json.Marshal(members)
	if err != nil {
		return out, err
	}
	if err := json.Unmarshal(document, &out); err != nil {
		return out, usageError{err}
	}
	return out, nil
}

// parseMembers reads a JSON object or key=value,key=value. A comma ends a value
// only where another known key follows, as patterns have commas, too.
func parseMembers(text string, known ...string) (map[string]string, error) {
	members := map[string]string{}
	if strings.HasPrefix(strings.TrimSpace(text), "{") {
		return members, parseObject(text, members, known)
	}
	last := ""
	for part := range strings.SplitSeq(text, ",") {
		key, value, ok := strings.Cut(part, "=")
		key = strings.Trim(strings.TrimSpace(key), `"`)
		switch {
		case ok && slices.Contains(known, key):
			members[key] = strings.Trim(value, `"`)
			last = key
		case last != "":
			members[last] += "," + part
		default:
			return nil, usagef("%q is not key=value,key=value with the keys %s", text, strings.Join(known, ", "))
		}
	}
	return members, nil
}

// parseObject reads the members of a JSON object as texts.
func parseObject(text string, into map[string]string, known []string) error {
	var object map[string]any
	if err := json.Unmarshal([]byte(text), &object); err != nil {
		return usagef("%q is not a JSON object: %w", text, err)
	}
	for key, v := range object {
		if !slices.Contains(known, key) {
			return usagef("there is no %q; there are %s", key, strings.Join(known, ", "))
		}
		value, ok := v.(string)
		if !ok {
			raw, _ := json.Marshal(v) // it came out of JSON
			value = string(raw)
		}
		into[key] = value
	}
	return nil
}

func (a *app) triggerCreate() *cobra.Command {
	var p propertyFlags
	cmd := a.command("create NAME [TYPE] [PROPERTIES]", "Create a trigger", cobra.RangeArgs(1, 3),
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
				return usagef("a trigger needs times: --crontab or --calendar")
			}
			c, err := a.connect(ctx)
			if err != nil {
				return err
			}
			trigger, err := c.Triggers.Create(ctx, request)
			if err != nil {
				return err
			}
			return a.printer().Show(trigger)
		})
	p.add(cmd.Flags())
	return creating(cmd)
}

func (a *app) triggerList() *cobra.Command {
	var l listFlags
	var name, kind, properties string
	cmd := a.command("list", "List triggers", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		c, err := l.connect(ctx, a)
		if err != nil {
			return err
		}
		all, err := collect(c.Triggers.List(ctx, l.options(map[string]string{"name": name, "type": kind, "properties": properties})))
		if err != nil {
			return err
		}
		return output.List(a.printer(), all, "id", "name", "type", "properties")
	})
	l.add(cmd.Flags())
	cmd.Flags().StringVar(&name, "name", "", "those with this in their name")
	cmd.Flags().StringVar(&kind, "type", "", "those of this type")
	cmd.Flags().StringVar(&properties, "properties", "", "those with these properties (key=value,… or JSON), or this in them")
	return cmd
}

func (a *app) triggerShow() *cobra.Command {
	next := 0
	cmd := a.command("show TRIGGER", "Show a trigger", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		c, err := a.connect(ctx)
		if err != nil {
			return err
		}
		trigger, err := a.findTrigger(ctx, c, args[0])
		if err != nil {
			return err
		}
		if next != 0 {
			if trigger, err = c.Triggers.Next(ctx, trigger.ID, next); err != nil {
				return err
			}
		}
		return a.printer().Show(trigger)
	})
	cmd.Flags().IntVar(&next, "next", 0, "show so many of its next times, too")
	return cmd
}

// nextTime is one of the times of a trigger.
type nextTime struct {
	At client.Timestamp `json:"at"`
}

func (a *app) triggerCheck() *cobra.Command {
	var p propertyFlags
	next := 0
	cmd := a.command("check [PROPERTIES]", "Show when a trigger would fire, without creating it", cobra.MaximumNArgs(1),
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
				return usagef("a trigger needs times: --crontab or --calendar")
			}
			c, err := a.connect(ctx)
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
			return output.List(a.printer(), times, "at")
		})
	p.add(cmd.Flags())
	cmd.Flags().IntVar(&next, "next", 5, "how many times to show")
	return cmd
}

func (a *app) triggerUpdate() *cobra.Command {
	var p propertyFlags
	var name, properties string
	var endless bool
	var cmd *cobra.Command
	cmd = a.command("update TRIGGER", "Change a trigger; what of its properties is not given stays", cobra.ExactArgs(1),
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
				return usagef("give one of --end-time and --no-end-time")
			}
			if change.Name == nil && given == (karbor.TriggerProperties{}) && !endless {
				return usagef("nothing to change: give --name, --crontab, --calendar, --start-time, --end-time, --no-end-time, --window, --timezone or --jitter")
			}
			c, err := a.connect(ctx)
			if err != nil {
				return err
			}
			trigger, err := a.findTrigger(ctx, c, args[0])
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
			return a.printer().Show(trigger)
		})
	f := cmd.Flags()
	f.StringVar(&name, "name", "", "new name")
	f.StringVar(&properties, "properties", "", "key=value,… or JSON")
	p.add(f)
	f.BoolVar(&endless, "no-end-time", false, "let it go on for ever: remove the end time")
	return cmd
}

// over gives the properties with those that are given in place of the old ones.
func over(old, given karbor.TriggerProperties) karbor.TriggerProperties {
	if given.Format != "" {
		old.Format = given.Format
	}
	if given.Pattern != "" {
		old.Pattern = given.Pattern
	}
	if !given.StartTime.IsZero() {
		old.StartTime = given.StartTime
	}
	if !given.EndTime.IsZero() {
		old.EndTime = given.EndTime
	}
	if given.Window != 0 {
		old.Window = given.Window
	}
	if given.Timezone != "" {
		old.Timezone = given.Timezone
	}
	if given.Jitter != 0 {
		old.Jitter = given.Jitter
	}
	return old
}

func (a *app) triggerDelete() *cobra.Command {
	return a.command("delete TRIGGER...", "Delete triggers that no scheduled operation uses", cobra.MinimumNArgs(1),
		func(ctx context.Context, args []string) error {
			c, err := a.connect(ctx)
			if err != nil {
				return err
			}
			var faults []error
			for _, ref := range args {
				trigger, err := a.findTrigger(ctx, c, ref)
				if err == nil {
					err = c.Triggers.Delete(ctx, trigger.ID)
				}
				if err != nil {
					faults = append(faults, err)
				}
			}
			return errors.Join(faults...)
		})
}

func (a *app) findTrigger(ctx context.Context, c *client.Client, ref string) (client.Trigger, error) {
	return byIDOrName(ref,
		func() (client.Trigger, error) { return c.Triggers.Show(ctx, ref) },
		func() (client.Trigger, error) {
			list := func(o client.ListOptions) iter.Seq2[client.Trigger, error] { return c.Triggers.List(ctx, o) }
			return named("trigger", ref, list, func(t client.Trigger) (string, string) { return t.ID, t.Name })
		})
}

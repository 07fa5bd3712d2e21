package triggers

import (
	"encoding/json"
	"os"
	"strings"

	"github.com/spf13/pflag"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/cli/argument"
	"github.com/karbor/karbor/internal/cli/exit"
)

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
		if members, err = argument.Members(text, "format", "pattern", "start_time", "end_time", "window", "timezone", "jitter"); err != nil {
			return out, err
		}
	}
	if p.crontab != "" && p.calendar != "" {
		return out, exit.Usagef("give one of --crontab and --calendar")
	}
	if file, ok := strings.CutPrefix(p.calendar, "@"); ok {
		pattern, err := os.ReadFile(file)
		if err != nil {
			return out, exit.Usagef("reading the calendar: %w", err)
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
		return out, exit.AsUsage(err)
	}
	return out, nil
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

package retention

import (
	"fmt"
	"time"

	"github.com/karbor/karbor"
)

// period is a keep rule: the newest of each of the newest count periods in which there
// is any is kept.
type period struct {
	// word is the period's, and rule the name of the rule on the wire.
	word, rule string
	count      int
	// name gives the period that a time is in.
	name func(time.Time) string
}

// periods gives the keep rules that ask for something.
func periods(k karbor.KeepRules) []period {
	// The offset tells the two hours apart that a clock which is put back shows twice.
	form := func(layout string) func(time.Time) string {
		return func(t time.Time) string { return t.Format(layout) }
	}
	var out []period
	for _, p := range []period{
		{"hour", "keep_hourly", k.Hourly, form("2006-01-02 15 -0700")},
		{"day", "keep_daily", k.Daily, form(time.DateOnly)},
		{"week", "keep_weekly", k.Weekly, func(t time.Time) string {
			year, week := t.ISOWeek()
			return fmt.Sprintf("%d-W%02d", year, week)
		}},
		{"month", "keep_monthly", k.Monthly, form("2006-01")},
		{"year", "keep_yearly", k.Yearly, form("2006")},
	} {
		if p.count > 0 {
			out = append(out, p)
		}
	}
	return out
}

// newest gives those that the rule keeps of checkpoints, which are sorted, the newest
// first.
func (p period) newest(of []Checkpoint, zone *time.Location) []Checkpoint {
	if zone == nil {
		zone = time.UTC
	}
	var out []Checkpoint
	last := ""
	for _, c := range of {
		if name := p.name(c.MadeAt.In(zone)); name != last {
			if len(out) == p.count {
				break
			}
			out, last = append(out, c), name
		}
	}
	return out
}

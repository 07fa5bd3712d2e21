// Package trigger computes when triggers fire, by their patterns: lines of a
// crontab, and iCalendar events (RFC 5545). Everything in it is a pure function of
// its arguments; all times that it gives are in UTC and whole seconds. Its work is
// bounded, whatever the pattern says. Errors have the kind karbor.Invalid, and
// name the property at fault.
package trigger

import (
	"time"

	"github.com/karbor/karbor"
)

// Bounds of a schedule.
const (
	// MaxPattern is the most bytes of a pattern.
	MaxPattern = 16 << 10
	// horizon is how far beyond its first run a schedule is checked for runs that
	// are too close to each other, and maxRuns how many runs are looked at.
	horizon = 5 * 366 * 24 * time.Hour
	maxRuns = 10_000
)

// Limits are what an operator allows.
type Limits struct {
	// MinWindow and MaxWindow bound the window of a trigger that names one.
	MinWindow, MaxWindow time.Duration
	// MinInterval is the least time between two runs of one trigger.
	MinInterval time.Duration
}

// Window gives the window of a trigger: its own, or the least allowed.
func (l Limits) Window(p karbor.TriggerProperties) time.Duration {
	if p.Window == 0 {
		return l.MinWindow
	}
	return p.Window
}

// runs gives times one after another, each later than the one before, and false
// when there are no more.
type runs func() (time.Time, bool)

// pattern is a pattern that was read.
type pattern interface {
	// after gives the times strictly after t.
	after(t time.Time) runs
}

// Schedule is when a trigger fires. It is safe for concurrent use.
type Schedule struct {
	pattern    pattern
	start, end time.Time
}

// Parse reads the properties of a trigger. An event that has no DTSTART of its
// own begins at the start time. Parse does not look at an operator's limits, nor
// whether the trigger fires at all, so that what was stored once stays readable;
// Check does.
func Parse(p karbor.TriggerProperties) (*Schedule, error) {
	if len(p.Pattern) > MaxPattern {
		return nil, karbor.Errorf(karbor.Invalid, "properties.pattern: it has %d bytes, and may have %d", len(p.Pattern), MaxPattern)
	}
	s := &Schedule{start: p.StartTime.UTC(), end: p.EndTime.UTC()}
	if !p.EndTime.IsZero() && !p.EndTime.After(p.StartTime) {
		return nil, karbor.Errorf(karbor.Invalid, "properties.end_time: %s is not after the start_time, %s", written(s.end), written(s.start))
	}
	zone, err := Zone(p)
	if err != nil {
		return nil, err
	}
	switch p.Format {
	case karbor.Crontab:
		s.pattern, err = parseCrontab(p.Pattern)
		if c, ok := s.pattern.(crontab); ok && zone != time.UTC {
			s.pattern = localCrontab{c, zone}
		}
	case karbor.Calendar:
		s.pattern, err = parseCalendar(p.Pattern, s.start, zone)
	default:
		err = karbor.Errorf(karbor.Invalid, "properties.format: %q is none of %s and %s", p.Format, karbor.Crontab, karbor.Calendar)
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Zone gives the zone of whose clock a trigger's pattern speaks where it names none.
func Zone(p karbor.TriggerProperties) (*time.Location, error) {
	if p.Timezone == "" {
		return time.UTC, nil
	}
	zone, err := time.LoadLocation(p.Timezone)
	if err != nil || p.Timezone == "Local" {
		return nil, karbor.Errorf(karbor.Invalid, "properties.timezone: the time zone %q is not known", cut(p.Timezone))
	}
	return zone, nil
}

// Zone gives the zone of whose clock the schedule speaks.
func (s *Schedule) Zone() *time.Location {
	switch p := s.pattern.(type) {
	case localCrontab:
		return p.zone
	case *event:
		return p.zone
	}
	return time.UTC
}

// Next gives the first run strictly after t. A run is at the start time at the
// earliest and at the end time at the latest. It is false if there is none.
func (s *Schedule) Next(t time.Time) (time.Time, bool) { return s.after(t)() }

func (s *Schedule) after(t time.Time) runs {
	if first := s.start.Add(-time.Second); t.Before(first) {
		t = first
	}
	next := s.pattern.after(t.UTC())
	return func() (time.Time, bool) {
		run, ok := next()
		if !ok || !s.end.IsZero() && run.After(s.end) {
			return time.Time{}, false
		}
		return run, true
	}
}

// Times gives the first n runs strictly after t, or fewer if there are no more.
func (s *Schedule) Times(t time.Time, n int) []time.Time {
	var out []time.Time
	next := s.after(t)
	for range n {
		run, ok := next()
		if !ok {
			break
		}
		out = append(out, run)
	}
	return out
}

// Check reads the properties of a trigger that shall be stored at the time now:
// as Parse, and it must fire at least once after now, its window must be within
// the limits, its jitter within its window, and no two of its runs may be closer than the limits allow.
func Check(p karbor.TriggerProperties, limits Limits, now time.Time) (*Schedule, error) {
	if p.Window != 0 && (p.Window < limits.MinWindow || p.Window > limits.MaxWindow) {
		return nil, karbor.Errorf(karbor.Invalid, "properties.window: %d seconds are not from %d to %d",
			int64(p.Window/time.Second), int64(limits.MinWindow/time.Second), int64(limits.MaxWindow/time.Second))
	}
	if p.Jitter < 0 || p.Jitter > limits.Window(p) {
		return nil, karbor.Errorf(karbor.Invalid, "properties.jitter: %d seconds are more than the window, %d",
			int64(p.Jitter/time.Second), int64(limits.Window(p)/time.Second))
	}
	s, err := Parse(p)
	if err != nil {
		return nil, err
	}
	next := s.after(now)
	last, ok := next()
	if !ok && s.end.IsZero() {
		return nil, karbor.Errorf(karbor.Invalid, "properties.pattern: it gives no run after %s", written(later(now, s.start)))
	}
	if !ok {
		return nil, karbor.Errorf(karbor.Invalid, "properties.pattern: it gives no run after %s until the end_time, %s", written(later(now, s.start)), written(s.end))
	}
	if c, ok := s.pattern.(crontab); ok && leastGap(c.minute, c.hour) >= limits.MinInterval {
		return s, nil
	}
	return s, checkGaps(next, last, limits.MinInterval)
}

// checkGaps looks for two runs that are closer than least, among last and those
// after it.
func checkGaps(next runs, last time.Time, least time.Duration) error {
	until := last.Add(horizon)
	for range maxRuns {
		run, ok := next()
		if !ok || run.After(until) {
			break
		}
		if d := run.Sub(last); d < least {
			return invalid("its runs at %s and %s are %d seconds apart, and must be at least %d",
				written(last), written(run), int64(d/time.Second), int64(least/time.Second))
		}
		last = run
	}
	return nil
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// written gives a time as the wire contract writes it.
func written(t time.Time) string { return t.UTC().Format(karbor.TriggerTimeLayout) }

// invalid makes an error about the pattern.
func invalid(format string, args ...any) error {
	return karbor.Errorf(karbor.Invalid, "properties.pattern: "+format, args...)
}

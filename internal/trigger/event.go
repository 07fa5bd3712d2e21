package trigger

import (
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // zones are known on a machine that has no files of them, too
)

// Bounds of an event.
const (
	maxRules = 20
	maxDates = 1000
)

// event is an iCalendar event, read: the union of its rules and dates without
// the exceptions.
type event struct {
	zone  *time.Location
	rules []*rule
	// dates are readings of the zone's clock, sorted; exceptions are instants, and
	// exceptionDays readings at midnight.
	dates         []time.Time
	exceptions    map[time.Time]bool
	exceptionDays map[time.Time]bool
}

// parseCalendar reads an event. start is its beginning if it names none, and zone that
// of a beginning that names none.
func parseCalendar(text string, start time.Time, zone *time.Location) (pattern, error) {
	lines, err := eventLines(text)
	if err != nil {
		return nil, err
	}
	e := &event{zone: zone, exceptions: map[time.Time]bool{}, exceptionDays: map[time.Time]bool{}}
	begin, own, err := e.beginning(lines, start)
	if err != nil {
		return nil, err
	}
	counted := 0
	for _, l := range lines {
		switch l.name {
		case "RRULE":
			r, err := parseRule(l.value, begin, e.zone, &counted)
			if err != nil {
				return nil, invalid("RRULE %q: %w", cut(l.value), err)
			}
			e.rules = append(e.rules, r)
		case "RDATE":
			err = e.addDates(l)
		case "EXDATE":
			err = e.addExceptions(l)
		case "EXRULE":
			err = invalid("EXRULE is not supported; list the exceptions with EXDATE")
		}
		if err != nil {
			return nil, err
		}
	}
	if n := len(e.dates) + len(e.exceptions) + len(e.exceptionDays); n > maxDates || len(e.rules) > maxRules {
		return nil, invalid("it has %d RRULEs and %d dates in RDATE and EXDATE, and may have %d and %d", len(e.rules), n, maxRules, maxDates)
	}
	switch {
	case len(e.rules) == 0 && len(e.dates) == 0:
		return nil, invalid("the VEVENT has neither RRULE nor RDATE")
	case len(e.rules) == 0 && own:
		// Without a rule, the beginning is itself a date.
		e.dates = append(e.dates, begin)
	}
	slices.SortFunc(e.dates, time.Time.Compare)
	return e, nil
}

// beginning reads DTSTART, which also gives the zone of all times that name
// none. own is false where there is no DTSTART.
func (e *event) beginning(lines []line, start time.Time) (begin time.Time, own bool, err error) {
	begin = reading(start.Truncate(time.Second), e.zone)
	for _, l := range lines {
		if l.name != "DTSTART" {
			continue
		}
		if own {
			return begin, own, invalid("the VEVENT has DTSTART twice")
		}
		own = true
		zone, err := l.zone(e.zone)
		if err != nil {
			return begin, own, err
		}
		v, err := parseValue(l.value)
		if err != nil {
			return begin, own, invalid("DTSTART: %w", err)
		}
		if v.utc {
			zone = time.UTC
		}
		e.zone, begin = zone, v.reading
	}
	if y := begin.Year(); own && (y < firstYear || y > lastYear) {
		return begin, own, invalid("DTSTART: the year %d is not from %d to %d", y, firstYear, lastYear)
	}
	return begin, own, nil
}

func (e *event) addDates(l line) error {
	zone, err := l.zone(e.zone)
	if err != nil {
		return err
	}
	for text := range strings.SplitSeq(l.value, ",") {
		v, err := parseValue(text)
		if err != nil {
			return invalid("RDATE: %w", err)
		}
		e.dates = append(e.dates, reading(v.instant(zone), e.zone))
	}
	return nil
}

// addExceptions takes exceptions in. One that is a date stands for all runs of
// that day.
func (e *event) addExceptions(l line) error {
	zone, err := l.zone(e.zone)
	if err != nil {
		return err
	}
	for text := range strings.SplitSeq(l.value, ",") {
		v, err := parseValue(text)
		switch {
		case err != nil:
			return invalid("EXDATE: %w", err)
		case v.day:
			e.exceptionDays[v.reading] = true
		default:
			e.exceptions[v.instant(zone).UTC()] = true
		}
	}
	return nil
}

// after implements pattern.
func (e *event) after(t time.Time) runs {
	from := before(t, e.zone)
	sources := make([]runs, 0, len(e.rules)+1)
	for _, r := range e.rules {
		sources = append(sources, r.from(from))
	}
	sources = append(sources, listed(e.dates))
	next := zoned(merged(sources), e.zone, false)
	return func() (time.Time, bool) {
		for {
			run, ok := next()
			if !ok {
				return time.Time{}, false
			}
			run = run.UTC()
			if run.After(t) && !e.excepted(run) {
				return run, true
			}
		}
	}
}

func (e *event) excepted(run time.Time) bool {
	if e.exceptions[run] {
		return true
	}
	if len(e.exceptionDays) == 0 {
		return false
	}
	r := reading(run, e.zone)
	return e.exceptionDays[time.Date(r.Year(), r.Month(), r.Day(), 0, 0, 0, 0, time.UTC)]
}

// listed gives the times of a list.
func listed(times []time.Time) runs {
	i := 0
	return func() (time.Time, bool) {
		if i == len(times) {
			return time.Time{}, false
		}
		i++
		return times[i-1], true
	}
}

// merged gives the times of several sources in their order, each once.
func merged(sources []runs) runs {
	type head struct {
		at time.Time
		ok bool
	}
	heads := make([]head, len(sources))
	for i, s := range sources {
		heads[i].at, heads[i].ok = s()
	}
	return func() (time.Time, bool) {
		first := head{}
		for _, h := range heads {
			if h.ok && (!first.ok || h.at.Before(first.at)) {
				first = h
			}
		}
		for i := range heads {
			for heads[i].ok && !heads[i].at.After(first.at) {
				heads[i].at, heads[i].ok = sources[i]()
			}
		}
		return first.at, first.ok
	}
}

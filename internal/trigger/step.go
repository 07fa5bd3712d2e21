package trigger

import (
	"slices"
	"time"
)

const day = 24 * time.Hour

// stepped gives the readings of a rule that repeats hourly or by the minute, from
// the day of t on: on each day that its other parts let through, those to which
// whole steps lead from the beginning.
func (r *rule) stepped(t time.Time) runs {
	days := r.plain(time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC))
	first := t
	var today []time.Time
	return func() (time.Time, bool) {
		for len(today) == 0 {
			midnight, ok := days()
			if !ok || midnight.After(r.until) || midnight.Year() >= farYear {
				return time.Time{}, false
			}
			if midnight.Add(day).After(first) {
				today = r.timesOf(midnight)
			}
		}
		at := today[0]
		today = today[1:]
		return at, true
	}
}

// timesOf gives the readings of one day.
func (r *rule) timesOf(midnight time.Time) []time.Time {
	// Steps are counted between whole hours, or whole minutes.
	unit := time.Minute
	if r.hourly {
		unit = time.Hour
	}
	from := r.begin.Truncate(unit)
	at := midnight
	if past := midnight.Sub(from) % r.step; past > 0 {
		at = midnight.Add(r.step - past)
	} else if past < 0 {
		at = midnight.Add(-past)
	}
	var out []time.Time
	for end := midnight.Add(day); at.Before(end); at = at.Add(r.step) {
		if r.hours != nil && !slices.Contains(r.hours, at.Hour()) {
			// To the last step of the hour.
			left := time.Hour - time.Duration(at.Minute())*time.Minute
			at = at.Add((left - 1) / r.step * r.step)
			continue
		}
		if !r.hourly && r.minutes != nil && !slices.Contains(r.minutes, at.Minute()) {
			continue
		}
		out = r.timesWithin(out, at)
	}
	return out
}

// timesWithin adds the readings within one hour or one minute.
func (r *rule) timesWithin(out []time.Time, at time.Time) []time.Time {
	minutes := []int{0}
	if r.hourly {
		minutes = r.minutes
	}
	for _, m := range minutes {
		for _, s := range r.seconds {
			out = append(out, at.Add(time.Duration(m)*time.Minute+time.Duration(s)*time.Second))
		}
	}
	return out
}

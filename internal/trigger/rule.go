package trigger

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/teambition/rrule-go"
)

// Bounds of a rule.
const (
	// The years in which an event may begin. Dates are sought up to farYear.
	firstYear, lastYear = 1970, 2199
	farYear             = 2250
	// shiftYears moves a rule's dates close to the year 9999, where rrule-go gives
	// up: a rule that no date satisfies then costs milliseconds. The calendar
	// repeats itself every 400 years, days of the week included.
	shiftYears = 19 * 400
	// maxInterval bounds INTERVAL, maxCount the sum of the COUNTs of an event.
	maxInterval = 100_000
	maxCount    = 10_000
	// maxPerDay bounds the times of one day of a rule that repeats daily or more
	// rarely: rrule-go makes all those of a year at once.
	maxPerDay = 288
)

// rule is one RRULE. It computes with readings of a clock (see clock.go), so that
// 02:00 stays 02:00 when the clock changes.
type rule struct {
	// days is the rule for rrule-go: whole if it repeats daily or more rarely, else
	// only its days.
	days rrule.ROption
	// begin is the reading of DTSTART, until the last that there may be.
	begin, until time.Time
	// step is INTERVAL of a rule that repeats hourly or by the minute; 0 for others.
	step time.Duration
	// times are those of an hour or minute that a step leads to.
	hours, minutes, seconds []int
	hourly                  bool
}

// parseRule reads the value of an RRULE. begin is the reading of DTSTART. counted
// is the sum of the COUNTs so far.
func parseRule(text string, begin time.Time, zone *time.Location, counted *int) (*rule, error) {
	parts, err := ruleParts(text)
	if err != nil {
		return nil, err
	}
	count, until := parts["COUNT"], parts["UNTIL"]
	delete(parts, "COUNT")
	delete(parts, "UNTIL")
	o, err := ruleOption(parts)
	if err != nil {
		return nil, err
	}
	r := &rule{days: o, begin: begin, until: time.Date(farYear, 1, 1, 0, 0, 0, 0, time.UTC)}
	if err := r.complete(); err != nil {
		return nil, err
	}
	switch {
	case count != "" && until != "":
		return nil, errors.New("it has both COUNT and UNTIL")
	case until != "":
		err = r.setUntil(until, zone)
	case count != "":
		err = r.setCount(count, counted)
	}
	if err != nil {
		return nil, err
	}
	if _, ok := r.from(begin)(); !ok {
		return nil, errors.New("no date satisfies it")
	}
	return r, nil
}

// ruleParts takes a rule apart; a semicolon at its end is forgiven.
func ruleParts(text string) (map[string]string, error) {
	parts := map[string]string{}
	for part := range strings.SplitSeq(strings.TrimSuffix(strings.TrimSpace(text), ";"), ";") {
		name, value, ok := strings.Cut(strings.ToUpper(strings.TrimSpace(part)), "=")
		switch {
		case !ok || value == "" || name == "":
			return nil, fmt.Errorf("%q is not of the form NAME=VALUE", cut(part))
		case parts[name] != "":
			return nil, fmt.Errorf("it has %s twice", cut(name))
		case name == "DTSTART" || name == "BYEASTER":
			return nil, fmt.Errorf("there is no part %s in a rule", name)
		}
		parts[name] = value
	}
	return parts, nil
}

// ruleOption reads the parts and checks what rrule-go leaves open.
func ruleOption(parts map[string]string) (rrule.ROption, error) {
	if parts["FREQ"] == "" {
		return rrule.ROption{}, errors.New("it has no FREQ")
	}
	var texts []string
	for name, v := range parts {
		texts = append(texts, name+"="+v)
	}
	read, err := rrule.StrToROption(strings.Join(texts, ";"))
	if e, ok := errors.AsType[*strconv.NumError](err); ok {
		return rrule.ROption{}, fmt.Errorf("%q is not a number", cut(e.Num))
	}
	if err != nil {
		return rrule.ROption{}, err
	}
	o := *read
	for _, list := range []*[]int{&o.Bysetpos, &o.Bymonth, &o.Bymonthday, &o.Byyearday, &o.Byweekno, &o.Byhour, &o.Byminute, &o.Bysecond} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
	if _, given := parts["INTERVAL"]; given && (o.Interval < 1 || o.Interval > maxInterval) {
		return o, fmt.Errorf("INTERVAL is not from 1 to %d", maxInterval)
	}
	o.Interval = max(o.Interval, 1)
	var days []rrule.Weekday
	for _, day := range o.Byweekday {
		n, most := day.N(), 0
		switch {
		case o.Freq == rrule.YEARLY && len(o.Bymonth) == 0 && len(o.Byweekno) == 0:
			most = 53
		case o.Freq == rrule.YEARLY && len(o.Byweekno) == 0, o.Freq == rrule.MONTHLY:
			most = 5
		}
		if n > most || n < -most {
			return o, fmt.Errorf("BYDAY has the number %d, which it can't have here", n)
		}
		if !slices.Contains(days, day) {
			days = append(days, day)
		}
	}
	o.Byweekday = days
	if o.Wkst.N() != 0 {
		return o, errors.New("WKST is not a day of the week")
	}
	_, err = rrule.NewRRule(o)
	return o, err
}

// complete fills in what the rule takes from its beginning, so that it stays the
// same when rrule-go is started later than there; and takes the steps of less
// than a day out of it.
func (r *rule) complete() error {
	o := &r.days
	r.hours, r.minutes, r.seconds = o.Byhour, o.Byminute, o.Bysecond
	if r.seconds == nil {
		r.seconds = []int{r.begin.Second()}
	}
	if o.Freq == rrule.SECONDLY {
		return errors.New("FREQ=SECONDLY is not supported")
	}
	if o.Freq > rrule.DAILY {
		if len(o.Bysetpos) > 0 {
			return errors.New("BYSETPOS is not supported with this FREQ")
		}
		r.step = time.Duration(o.Interval) * time.Minute
		if r.hourly = o.Freq == rrule.HOURLY; r.hourly {
			r.step *= 60
			if r.minutes == nil {
				r.minutes = []int{r.begin.Minute()}
			}
		}
		o.Freq, o.Interval, o.Byhour, o.Byminute, o.Bysecond = rrule.DAILY, 1, []int{0}, []int{0}, []int{0}
		return nil
	}
	if o.Byhour == nil {
		o.Byhour = []int{r.begin.Hour()}
	}
	if o.Byminute == nil {
		o.Byminute = []int{r.begin.Minute()}
	}
	o.Bysecond = r.seconds
	if n := len(o.Byhour) * len(o.Byminute) * len(o.Bysecond); n > maxPerDay {
		return fmt.Errorf("it gives %d times a day, and may give %d", n, maxPerDay)
	}
	if len(o.Byweekno)+len(o.Byyearday)+len(o.Bymonthday)+len(o.Byweekday) > 0 {
		return nil
	}
	switch o.Freq {
	case rrule.YEARLY:
		if len(o.Bymonth) == 0 {
			o.Bymonth = []int{int(r.begin.Month())}
		}
		o.Bymonthday = []int{r.begin.Day()}
	case rrule.MONTHLY:
		o.Bymonthday = []int{r.begin.Day()}
	case rrule.WEEKLY:
		monday := []rrule.Weekday{rrule.MO, rrule.TU, rrule.WE, rrule.TH, rrule.FR, rrule.SA, rrule.SU}
		o.Byweekday = []rrule.Weekday{monday[(int(r.begin.Weekday())+6)%7]}
	default:
	}
	return nil
}

// setUntil sets the last reading. A date stands for its whole day.
func (r *rule) setUntil(text string, zone *time.Location) error {
	v, err := parseValue(text)
	switch {
	case err != nil:
		return fmt.Errorf("UNTIL: %w", err)
	case v.utc:
		r.until = reading(v.reading, zone)
	case v.day:
		r.until = v.reading.Add(24*time.Hour - time.Second)
	default:
		r.until = v.reading
	}
	return nil
}

// setCount turns COUNT into the last reading.
func (r *rule) setCount(text string, counted *int) error {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > maxCount-*counted {
		return fmt.Errorf("COUNT is not from 1 to %d, all rules together", maxCount)
	}
	*counted += n
	next := r.from(r.begin)
	last := time.Time{}
	for range n {
		at, ok := next()
		if !ok {
			return nil
		}
		last = at
	}
	r.until = last
	return nil
}

// from gives the readings at or after t.
func (r *rule) from(t time.Time) runs {
	if t.Before(r.begin) {
		t = r.begin
	}
	next := r.plain(t)
	if r.step > 0 {
		next = r.stepped(t)
	}
	return func() (time.Time, bool) {
		for {
			at, ok := next()
			if !ok || at.After(r.until) {
				return time.Time{}, false
			}
			if !at.Before(t) {
				return at, true
			}
		}
	}
}

// plain runs rrule-go from shortly before t on.
func (r *rule) plain(t time.Time) runs {
	o := r.days
	o.Dtstart = r.startBefore(t).AddDate(shiftYears, 0, 0)
	// The options have passed NewRRule before.
	made, err := rrule.NewRRule(o)
	if err != nil {
		return func() (time.Time, bool) { return time.Time{}, false }
	}
	next := made.Iterator()
	return func() (time.Time, bool) {
		at, ok := next()
		return at.AddDate(-shiftYears, 0, 0), ok
	}
}

// startBefore gives a reading that the rule may be started at in place of its
// beginning, as far as the times at or after t go: a whole number of intervals
// after the beginning, and at least one before t.
func (r *rule) startBefore(t time.Time) time.Time {
	interval := r.days.Interval
	skip := func(passed int) int { return max(passed/interval-1, 0) * interval }
	days := int(t.Sub(r.begin) / (24 * time.Hour))
	months := (t.Year()-r.begin.Year())*12 + int(t.Month()-r.begin.Month())
	switch r.days.Freq {
	case rrule.DAILY:
		day := r.begin.AddDate(0, 0, skip(days))
		if r.step > 0 {
			return time.Date(day.Year(), day.Month(), day.Day(), 0, 0, 0, 0, time.UTC)
		}
		return day
	case rrule.WEEKLY:
		return r.begin.AddDate(0, 0, 7*skip(days/7))
	case rrule.MONTHLY:
		if n := skip(months); n > 0 {
			return time.Date(r.begin.Year(), r.begin.Month()+time.Month(n), 1, 0, 0, 0, 0, time.UTC)
		}
	case rrule.YEARLY:
		if n := skip(t.Year() - r.begin.Year()); n > 0 {
			return time.Date(r.begin.Year()+n, 1, 1, 0, 0, 0, 0, time.UTC)
		}
	default:
	}
	return r.begin
}

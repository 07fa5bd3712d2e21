package trigger

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/adhocore/gronx"
)

// crontab is a line of five fields. It fires at the minutes in UTC that all fields
// match; where neither the day of the month nor the day of the week begins with
// '*', a day that matches one of both is enough, as in every cron.
type crontab struct {
	expression string
	// minute and hour are two of its fields.
	minute, hour string
	// months says of each month whether it can match; earliest is the first day of a month
	// that can.
	months   [13]bool
	earliest int
}

// field is one of the five.
type field struct {
	name     string
	min, max int
	// names stand for min, min+1 and so on.
	names []string
	// special are the forms beside numbers, ranges and steps; its first group, if it
	// is there, is a value.
	special *regexp.Regexp
}

var fields = []field{
	{name: "minute", min: 0, max: 59},
	{name: "hour", min: 0, max: 23},
	// The last day, and the working day that is nearest to a day.
	{name: "day of month", min: 1, max: 31, special: regexp.MustCompile(`^(?:L|([0-9]+)W)$`)},
	{name: "month", min: 1, max: 12, names: []string{"JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"}},
	// The last of its kind in a month, and the first to the fifth; 7 is Sunday, too.
	{name: "day of week", min: 0, max: 7, names: []string{"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"}, special: regexp.MustCompile(`^([0-7]|[A-Z]{3})(?:L|#[1-5])$`)},
}

// parseCrontab checks every part of every field itself: gronx looks only as far
// as it needs for the time at hand.
func parseCrontab(text string) (pattern, error) {
	parts := strings.Fields(text)
	if len(parts) != len(fields) {
		return nil, invalid("a crontab has the %d fields minute, hour, day of month, month and day of week, and this one has %d", len(fields), len(parts))
	}
	for i, f := range fields {
		var err error
		if parts[i], err = f.normal(strings.ToUpper(parts[i])); err != nil {
			return nil, invalid("the field %s: %w", f.name, err)
		}
	}
	c := crontab{expression: strings.Join(parts, " "), minute: parts[0], hour: parts[1]}
	if !gronx.IsValid(c.expression) {
		return nil, invalid("it is not a crontab: %q", cut(text))
	}
	for m := range c.months[1:] {
		// The fields were checked: there is no error.
		c.months[m+1], _ = monthMatches(parts[3], time.Month(m+1))
	}
	c.earliest = earliestDay(parts[2], parts[4])
	return c, nil
}

func monthMatches(field string, m time.Month) (bool, error) {
	checker := gronx.SegmentChecker{}
	checker.SetRef(time.Date(2000, m, 1, 0, 0, 0, 0, time.UTC))
	return checker.CheckDue(field, 4)
}

// earliestDay gives the first day of a month that the fields day of month and day of week
// can match: where that is not plain, the first of all.
func earliestDay(days, weekdays string) int {
	least := 31
	if !strings.HasPrefix(weekdays, "*") {
		return 1 // any day may be one of them
	}
	for part := range strings.SplitSeq(days, ",") {
		day, _, _ := strings.Cut(part, "-")
		n, err := number(day)
		if err != nil {
			return 1
		}
		least = min(least, n)
	}
	return least
}

// leastGap gives the least time between two runs within a day, or over the midnight
// between two days, of the fields minute and hour.
func leastGap(minute, hour string) time.Duration {
	checker := gronx.SegmentChecker{}
	first, last, least := -1, 0, 24*time.Hour
	for m := range 24 * 60 {
		checker.SetRef(time.Date(2000, 1, 1, m/60, m%60, 0, 0, time.UTC))
		// The fields were checked: there is no error.
		if ok, _ := checker.CheckDue(hour, 2); !ok {
			continue
		}
		if ok, _ := checker.CheckDue(minute, 1); !ok {
			continue
		}
		if first < 0 {
			first = m
		} else {
			least = min(least, time.Duration(m-last)*time.Minute)
		}
		last = m
	}
	return min(least, time.Duration(first+24*60-last)*time.Minute)
}

// normal checks a field and gives it with numbers in place of names, and without
// parts that come twice.
func (f field) normal(text string) (string, error) {
	var out []string
	for part := range strings.SplitSeq(text, ",") {
		normal, err := f.part(part)
		if err != nil {
			return "", err
		}
		if normal == "*" || normal == "?" {
			// Together with others it is the whole field.
			return "*", nil
		}
		if !slices.Contains(out, normal) {
			out = append(out, normal)
		}
	}
	return strings.Join(out, ","), nil
}

// part checks one of the parts between commas.
func (f field) part(text string) (string, error) {
	if f.special != nil {
		if m := f.special.FindStringSubmatch(text); m != nil {
			return f.specialPart(text, m[1])
		}
	}
	span, step, stepped := strings.Cut(text, "/")
	if stepped {
		if n, err := number(step); err != nil || n < 1 || n > f.max {
			return "", fmt.Errorf("%q is not a step from 1 to %d", cut(step), f.max)
		}
		step = "/" + strings.TrimLeft(step, "0")
	}
	if span == "*" || span == "?" && !stepped {
		return span + step, nil
	}
	first, last, ranged := strings.Cut(span, "-")
	a, err := f.value(first)
	if err != nil {
		return "", err
	}
	if !ranged {
		return strconv.Itoa(a) + step, nil
	}
	b, err := f.value(last)
	if err != nil {
		return "", err
	}
	if a == 7 && f.max == 7 {
		a = 0
	}
	if b < a {
		return "", fmt.Errorf("the range %q ends before it begins", cut(span))
	}
	return strconv.Itoa(a) + "-" + strconv.Itoa(b) + step, nil
}

// specialPart checks the value in a special form, such as 15W or FRI#2.
func (f field) specialPart(text, value string) (string, error) {
	if value == "" {
		return text, nil
	}
	n, err := f.value(value)
	return strconv.Itoa(n) + strings.TrimPrefix(text, value), err
}

func (f field) value(text string) (int, error) {
	if i := slices.Index(f.names, text); i >= 0 {
		return f.min + i, nil
	}
	n, err := number(text)
	if err != nil || n < f.min || n > f.max {
		return 0, fmt.Errorf("%q is not from %d to %d", cut(text), f.min, f.max)
	}
	return n, nil
}

// number reads digits only.
func number(text string) (int, error) {
	if text == "" || strings.Trim(text, "0123456789") != "" {
		return 0, errors.New("no number")
	}
	return strconv.Atoi(text)
}

func (c crontab) after(t time.Time) runs {
	return func() (time.Time, bool) {
		from := c.skip(t)
		// gronx gives up after some hundred steps where no date matches.
		next, err := gronx.NextTickAfter(c.expression, from, from.After(t))
		if err != nil || !next.After(t) {
			return time.Time{}, false
		}
		t = next
		return next, true
	}
}

// skip gives the beginning of the first month after t's that can match, if t's can't: gronx
// looks at all fields for each month. Where none can for years, it is t.
func (c crontab) skip(t time.Time) time.Time {
	const most = 9 * 12 // 29 February is eight years from the last around 2100
	from, year, month := t, t.Year(), t.Month()
	for range most {
		if last := time.Date(year, month+1, 0, 0, 0, 0, 0, time.UTC).Day(); c.months[month] && c.earliest <= last {
			return from
		}
		if month++; month > time.December {
			year, month = year+1, time.January
		}
		from = time.Date(year, month, 1, 0, 0, 0, 0, time.UTC)
	}
	return t
}

// cut shortens a text of the tenant's for a message.
func cut(text string) string {
	const most = 80
	if r := []rune(text); len(r) > most {
		return string(r[:most]) + "…"
	}
	return text
}

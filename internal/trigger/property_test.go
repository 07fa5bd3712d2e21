package trigger_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/trigger"
)

// drawField gives a field of a crontab, and which values it lets through.
func drawField(t *rapid.T, name string, least, most int) (string, func(int) bool) {
	switch rapid.IntRange(0, 4).Draw(t, name) {
	case 0:
		return "*", func(int) bool { return true }
	case 1:
		step := rapid.IntRange(1, most).Draw(t, "step")
		return "*/" + strconv.Itoa(step), func(v int) bool { return (v-least)%step == 0 }
	case 2:
		a := rapid.IntRange(least, most).Draw(t, "first")
		b := rapid.IntRange(a, most).Draw(t, "last")
		step := rapid.IntRange(1, 5).Draw(t, "step")
		return fmt.Sprintf("%d-%d/%d", a, b, step), func(v int) bool { return v >= a && v <= b && (v-a)%step == 0 }
	default:
		values := rapid.SliceOfNDistinct(rapid.IntRange(least, most), 1, 4, rapid.ID[int]).Draw(t, "values")
		texts := make([]string, len(values))
		for i, v := range values {
			texts[i] = strconv.Itoa(v)
		}
		return strings.Join(texts, ","), func(v int) bool { return slices.Contains(values, v) }
	}
}

func drawInstant(t *rapid.T) time.Time {
	return time.Unix(rapid.Int64Range(1_700_000_000, 2_500_000_000).Draw(t, "instant"), 0).UTC()
}

// TestCrontabGivesTheFirstMinuteThatMatches compares with a walk over all days.
func TestCrontabGivesTheFirstMinuteThatMatches(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		minute, minuteIs := drawField(t, "minute", 0, 59)
		hour, hourIs := drawField(t, "hour", 0, 23)
		monthDay, monthDayIs := drawField(t, "day of month", 1, 31)
		month, monthIs := drawField(t, "month", 1, 12)
		weekDay, weekDayIs := drawField(t, "day of week", 0, 6)
		pattern := strings.Join([]string{minute, hour, monthDay, month, weekDay}, " ")
		dayIs := func(d time.Time) bool {
			a, b := monthDayIs(d.Day()), weekDayIs(int(d.Weekday()))
			if strings.HasPrefix(monthDay, "*") || strings.HasPrefix(weekDay, "*") {
				return a && b
			}
			return a || b
		}
		from := drawInstant(t)
		want, found := time.Time{}, false
		for d := from.Truncate(24 * time.Hour); !found && d.Before(from.AddDate(9, 0, 0)); d = d.AddDate(0, 0, 1) {
			if !monthIs(int(d.Month())) || !dayIs(d) {
				continue
			}
			for m := 0; m < 24*60 && !found; m++ {
				want = d.Add(time.Duration(m) * time.Minute)
				found = hourIs(m/60) && minuteIs(m%60) && want.After(from)
			}
		}
		s, err := trigger.Parse(karbor.TriggerProperties{Format: karbor.Crontab, Pattern: pattern})
		if err != nil {
			t.Fatalf("%s: %v", pattern, err)
		}
		// What lies further away is not compared: 29 February on a certain weekday.
		got, ok := s.Next(from)
		if found && (!ok || !got.Equal(want)) || ok && got.Before(from.AddDate(9, 0, 0)) && !found {
			t.Fatalf("%s after %v: %v %t, want %v %t", pattern, from, got, ok, want, found)
		}
	})
}

// drawRule gives a rule and which readings of the clock it lets through, its steps
// left aside.
func drawRule(t *rapid.T) (string, func(time.Time) bool) {
	var parts []string
	checks := []func(time.Time) bool{}
	add := func(name string, least, most int, of func(time.Time) int) {
		if !rapid.Bool().Draw(t, name) {
			return
		}
		values := rapid.SliceOfNDistinct(rapid.IntRange(least, most), 1, 4, rapid.ID[int]).Draw(t, name)
		texts := make([]string, len(values))
		for i, v := range values {
			texts[i] = strconv.Itoa(v)
		}
		parts = append(parts, name+"="+strings.Join(texts, ","))
		checks = append(checks, func(r time.Time) bool { return slices.Contains(values, of(r)) })
	}
	freq := rapid.SampledFrom([]string{"YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY", "MINUTELY"}).Draw(t, "FREQ")
	parts = append(parts, "FREQ="+freq, fmt.Sprintf("INTERVAL=%d", rapid.IntRange(1, 40).Draw(t, "INTERVAL")))
	add("BYMONTH", 1, 12, func(r time.Time) int { return int(r.Month()) })
	add("BYMONTHDAY", 1, 28, time.Time.Day)
	add("BYHOUR", 0, 23, time.Time.Hour)
	add("BYMINUTE", 0, 59, time.Time.Minute)
	if rapid.Bool().Draw(t, "BYDAY") {
		parts = append(parts, "BYDAY=MO,WE,SU")
		checks = append(checks, func(r time.Time) bool {
			return r.Weekday() == time.Monday || r.Weekday() == time.Wednesday || r.Weekday() == time.Sunday
		})
	}
	return strings.Join(parts, ";"), func(r time.Time) bool {
		for _, c := range checks {
			if !c(r) {
				return false
			}
		}
		return true
	}
}

// TestCalendarRunsIncreaseMatchAndDoNotDependOnWhereOneLooksFrom checks what must
// hold for all rules, in zones whose clocks change by an hour, half an hour, or
// never.
func TestCalendarRunsIncreaseMatchAndDoNotDependOnWhereOneLooksFrom(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.SampledFrom([]string{"UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"}).Draw(t, "zone")
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		text, matches := drawRule(t)
		begin := drawInstant(t)
		p := karbor.TriggerProperties{Format: karbor.Calendar, StartTime: begin, EndTime: begin.AddDate(60, 0, 0),
			Pattern: event("DTSTART;TZID="+name+":"+begin.In(zone).Format("20060102T150405"), "RRULE:"+text)}
		s, err := trigger.Parse(p)
		if err != nil {
			return // most often a rule that no date satisfies
		}
		from := begin.Add(time.Duration(rapid.Int64Range(-1e6, 1e9).Draw(t, "later")) * time.Second)
		var all []time.Time
		last := from
		for range 12 {
			next, ok := s.Next(last)
			if !ok {
				break
			}
			if !next.After(last) || next.Before(begin) || next.After(p.EndTime) || next.Location() != time.UTC {
				t.Fatalf("%s: the run after %v is %v", p.Pattern, last, next)
			}
			if again, ok := s.Next(next.Add(-time.Second)); !ok || !again.Equal(next) {
				t.Fatalf("%s: a second before %v the next run is %v", p.Pattern, next, again)
			}
			wall := next.In(zone)
			_, before := next.Add(-3 * time.Hour).In(zone).Zone()
			_, after := wall.Zone()
			// What a clock has just jumped over is shown by the clock as it was before.
			skipped := next.In(time.FixedZone("", before))
			if !matches(wall) && !(before != after && matches(skipped)) {
				t.Fatalf("%s: the run %v does not match", p.Pattern, wall)
			}
			all = append(all, next)
			last = next
		}
		// Looked at from the middle, the rest is the same.
		if len(all) > 4 {
			if next, _ := s.Next(all[2].Add(time.Second)); !next.Equal(all[3]) {
				t.Fatalf("%s: after %v comes %v, and later %v", p.Pattern, all[2], next, all[3])
			}
		}
	})
}

// TestStepsAreCountedFromTheBeginning compares hourly and minutely rules with a walk
// over all of their steps.
func TestStepsAreCountedFromTheBeginning(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		unit, freq := time.Minute, "MINUTELY"
		if rapid.Bool().Draw(t, "hourly") {
			unit, freq = time.Hour, "HOURLY"
		}
		interval := rapid.IntRange(1, 100).Draw(t, "INTERVAL")
		hours := rapid.SliceOfNDistinct(rapid.IntRange(0, 23), 1, 4, rapid.ID[int]).Draw(t, "BYHOUR")
		texts := make([]string, len(hours))
		for i, h := range hours {
			texts[i] = strconv.Itoa(h)
		}
		begin := drawInstant(t)
		from := begin.Add(time.Duration(rapid.IntRange(0, 100).Draw(t, "later")) * time.Hour)
		want := time.Time{}
		for k := range 40_000 {
			at := begin.Add(time.Duration(k*interval) * unit)
			if slices.Contains(hours, at.Hour()) && at.After(from) {
				want = at
				break
			}
		}
		s, err := trigger.Parse(karbor.TriggerProperties{Format: karbor.Calendar, Pattern: event("DTSTART:"+begin.Format("20060102T150405Z"),
			fmt.Sprintf("RRULE:FREQ=%s;INTERVAL=%d;BYHOUR=%s", freq, interval, strings.Join(texts, ",")))})
		if err != nil {
			if !want.IsZero() {
				t.Fatalf("%v, but it runs at %v", err, want)
			}
			return
		}
		if got, _ := s.Next(from); !got.Equal(want) {
			t.Fatalf("%s every %d from %v at %v: after %v comes %v, want %v", freq, interval, begin, hours, from, got, want)
		}
	})
}

// FuzzParse looks for patterns that break the reader, cost much, or give runs out
// of order.
func FuzzParse(f *testing.F) {
	for _, pattern := range []string{
		"0 0 * * *", "*/15 1-5/2 L,15W JAN-MAR FRI#2", "0 0 30 2 *",
		event("DTSTART;TZID=Europe/Berlin:20260101T023000", "RRULE:FREQ=DAILY"),
		event("DTSTART;VALUE=DATE:20260101", "RRULE:FREQ=YEARLY;BYWEEKNO=1,-1,53;BYDAY=MO,SU;WKST=SU", "EXDATE:20270101"),
		event("DTSTART:20260101T000000Z", "RRULE:FREQ=MONTHLY;BYDAY=-1FR,2MO;BYSETPOS=-1;COUNT=12", "RDATE:20260301T120000Z"),
		event("DTSTART:20260101T000000Z", "RRULE:FREQ=YEARLY;BYYEARDAY=-1,366;UNTIL=20300101T000000Z"),
		event("DTSTART:20260101T000000Z", "RRULE:FREQ=MINUTELY;INTERVAL=97;BYHOUR=3;BYMONTHDAY=-1"),
		`BEGIN:VEVENT\nRRULE:FREQ=HOURLY;INTERVAL=1;\nEND:VEVENT`,
	} {
		f.Add(pattern)
	}
	start := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, text string) {
		for _, format := range []karbor.TriggerFormat{karbor.Crontab, karbor.Calendar} {
			p := karbor.TriggerProperties{Format: format, Pattern: text, StartTime: start}
			s, err := trigger.Check(p, trigger.Limits{MinInterval: time.Minute}, start)
			if err != nil {
				if karbor.KindOf(err) != karbor.Invalid {
					t.Fatalf("%q: %v", text, err)
				}
				continue
			}
			last := start
			for range 5 {
				next, ok := s.Next(last)
				if !ok {
					break
				}
				if !next.After(last) || next.Nanosecond() != 0 {
					t.Fatalf("%q: after %v comes %v", text, last, next)
				}
				last = next
			}
		}
	})
}

// BenchmarkImpossible is the dearest that a tenant can ask for: rules that no date
// satisfies.
func BenchmarkImpossible(b *testing.B) {
	for _, rule := range []string{"FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", "FREQ=MINUTELY;BYMONTH=2;BYMONTHDAY=30",
		"FREQ=MINUTELY;INTERVAL=1440;BYHOUR=5", "FREQ=WEEKLY;BYMONTH=2;BYMONTHDAY=30"} {
		b.Run(rule, func(b *testing.B) {
			p := karbor.TriggerProperties{Format: karbor.Calendar, Pattern: event("DTSTART:20260101T000000Z", "RRULE:"+rule)}
			for b.Loop() {
				if _, err := trigger.Parse(p); err == nil {
					b.Fatal("it was accepted")
				}
			}
		})
	}
}

// BenchmarkCheck is what storing a trigger costs.
func BenchmarkCheck(b *testing.B) {
	start := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	for _, p := range []karbor.TriggerProperties{
		{Format: karbor.Crontab, Pattern: "0 2 * * *"},
		{Format: karbor.Crontab, Pattern: "0 * * * *"},
		{Format: karbor.Crontab, Pattern: "0 0 29 2 *"},
		{Format: karbor.Calendar, Pattern: event("DTSTART;TZID=Europe/Berlin:20200101T020000", "RRULE:FREQ=DAILY")},
		{Format: karbor.Calendar, Pattern: event("DTSTART;TZID=Europe/Berlin:20200101T020000", "RRULE:FREQ=HOURLY")},
		{Format: karbor.Calendar, Pattern: event(slices.Repeat([]string{"RRULE:FREQ=MINUTELY;INTERVAL=60;BYMONTHDAY=29;BYMONTH=2;BYDAY=MO"}, 20)...)},
		{Format: karbor.Calendar, Pattern: event(slices.Repeat([]string{"RRULE:FREQ=MINUTELY;INTERVAL=1;BYHOUR=3;BYMINUTE=7;COUNT=500"}, 20)...)},
	} {
		p.StartTime = start
		b.Run(p.Pattern[:min(len(p.Pattern), 90)], func(b *testing.B) {
			for b.Loop() {
				if _, err := trigger.Check(p, trigger.Limits{MinInterval: time.Hour}, start); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

package trigger_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/trigger"
)

var limits = trigger.Limits{MinWindow: 15 * time.Minute, MaxWindow: 30 * time.Minute, MinInterval: time.Hour}

func at(t testing.TB, text string) time.Time {
	t.Helper()
	v, err := time.Parse(time.DateTime, text)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// first gives the first n runs after from.
func first(t testing.TB, p karbor.TriggerProperties, from string, n int) []string {
	t.Helper()
	s, err := trigger.Parse(p)
	if err != nil {
		t.Fatalf("%q: %v", p.Pattern, err)
	}
	var out []string
	now := at(t, from)
	for range n {
		next, ok := s.Next(now)
		if !ok {
			break
		}
		out = append(out, next.Format(time.DateTime))
		now = next
	}
	return out
}

func TestCrontabRunsAtTheseTimes(t *testing.T) {
	t.Parallel()
	// 2026-11-21 is a Saturday; 2028 is a leap year; February 2027 begins on a Monday.
	const from = "2026-11-21 10:30:15"
	for pattern, want := range map[string][]string{
		"0 * * * *":       {"2026-11-21 11:00:00", "2026-11-21 12:00:00"},
		"30 10 * * *":     {"2026-11-22 10:30:00", "2026-11-23 10:30:00"},
		"31 10 * * *":     {"2026-11-21 10:31:00", "2026-11-22 10:31:00"},
		"0 2 * * 7":       {"2026-11-22 02:00:00", "2026-11-29 02:00:00"},
		"0 2 * * 0":       {"2026-11-22 02:00:00", "2026-11-29 02:00:00"},
		"0 2 * * SUN":     {"2026-11-22 02:00:00", "2026-11-29 02:00:00"},
		"0 2 * * 6-7":     {"2026-11-22 02:00:00", "2026-11-28 02:00:00"},
		"0 2 * * mon-fri": {"2026-11-23 02:00:00", "2026-11-24 02:00:00"},
		"0 0 31 * *":      {"2026-12-31 00:00:00", "2027-01-31 00:00:00", "2027-03-31 00:00:00"},
		"0 0 29 2 *":      {"2028-02-29 00:00:00", "2032-02-29 00:00:00"},
		"0 0 L * *":       {"2026-11-30 00:00:00", "2026-12-31 00:00:00", "2027-01-31 00:00:00", "2027-02-28 00:00:00"},
		"0 0 * * 5L":      {"2026-11-27 00:00:00", "2026-12-25 00:00:00"},
		"0 0 * * FRI#1":   {"2026-12-04 00:00:00", "2027-01-01 00:00:00"},
		"0 0 * * 1#5":     {"2026-11-30 00:00:00", "2027-03-29 00:00:00"},
		"0 0 15W * *":     {"2026-12-15 00:00:00", "2027-01-15 00:00:00", "2027-02-15 00:00:00"},
		"0 0 22W * *":     {"2026-11-23 00:00:00", "2026-12-22 00:00:00"},
		// Either of the two day fields is enough...
		"0 0 1 * 1": {"2026-11-23 00:00:00", "2026-11-30 00:00:00", "2026-12-01 00:00:00", "2026-12-07 00:00:00"},
		// ... unless one of them begins with a star.
		"0 0 */2 * 1":       {"2026-11-23 00:00:00", "2026-12-07 00:00:00"},
		"0 */8 * JAN *":     {"2027-01-01 00:00:00", "2027-01-01 08:00:00"},
		"10-50/20 22 * * *": {"2026-11-21 22:10:00", "2026-11-21 22:30:00", "2026-11-21 22:50:00", "2026-11-22 22:10:00"},
		"0 1,13 * * ?":      {"2026-11-21 13:00:00", "2026-11-22 01:00:00"},
		"59 23 31 12 *":     {"2026-12-31 23:59:00", "2027-12-31 23:59:00"},
		"  0\t5 *  * * ":    {"2026-11-22 05:00:00"},
	} {
		got := first(t, karbor.TriggerProperties{Format: karbor.Crontab, Pattern: pattern}, from, len(want))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", pattern, diff)
		}
	}
	// 2100 is no leap year.
	got := first(t, karbor.TriggerProperties{Format: karbor.Crontab, Pattern: "0 0 29 2 *"}, "2096-03-01 00:00:00", 1)
	if diff := cmp.Diff([]string{"2104-02-29 00:00:00"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestCrontabsThatAreRefused(t *testing.T) {
	t.Parallel()
	now := at(t, "2026-11-21 10:00:00")
	for pattern, want := range map[string]string{
		"":                  "5 fields",
		"* * * *":           "5 fields",
		"0 0 0 * * *":       "5 fields",
		"0 0 * * * 2030":    "5 fields",
		"@daily":            "5 fields",
		"0 0 30 2 *":        "no run after",
		"0 0 31 4,6,9,11 *": "no run after",
		"60 * * * *":        `minute: "60"`,
		"0 24 * * *":        `hour: "24"`,
		"0 0 0 * *":         `day of month: "0"`,
		"0 0 32 * *":        `day of month: "32"`,
		"0 0 40W * *":       `day of month: "40"`,
		"0 0 * 13 *":        `month: "13"`,
		"0 0 * 1JAN *":      `month: "1JAN"`,
		"0 0 * SUN *":       `month: "SUN"`,
		"0 0 * * 8":         `day of week: "8"`,
		"0 0 * * FRI#6":     "day of week",
		"0 0 * * XYZL":      "day of week",
		"0 22-2 * * *":      `range "22-2"`,
		"0 */0 * * *":       `"0" is not a step`,
		"0 */25 * * *":      `"25" is not a step`,
		"0 1, * * *":        `hour: ""`,
		"0 -1 * * *":        `hour: ""`,
		"0 +1 * * *":        `hour: "+1"`,
		"0 1-2-3 * * *":     "hour",
		"1,x 0 * * *":       `minute: "X"`,
		"*/30 * * * *":      "1800 seconds apart, and must be at least 3600",
		"0,59 0 1 1 *":      "3540 seconds apart",
		"* * * * *":         "60 seconds apart",
	} {
		_, err := trigger.Check(karbor.TriggerProperties{Format: karbor.Crontab, Pattern: pattern, StartTime: now}, limits, now)
		if karbor.KindOf(err) != karbor.Invalid || !strings.Contains(karbor.Sentence(err), want) || !strings.HasPrefix(karbor.Sentence(err), "properties.pattern: ") {
			t.Errorf("%q: error %v, want one with %q", pattern, err, want)
		}
	}
}

func TestRunsLieBetweenStartAndEnd(t *testing.T) {
	t.Parallel()
	p := karbor.TriggerProperties{Format: karbor.Crontab, Pattern: "0 12 * * *",
		StartTime: at(t, "2026-12-01 12:00:00"), EndTime: at(t, "2026-12-03 12:00:00")}
	want := []string{"2026-12-01 12:00:00", "2026-12-02 12:00:00", "2026-12-03 12:00:00"}
	if diff := cmp.Diff(want, first(t, p, "2026-11-21 00:00:00", 9)); diff != "" {
		t.Error(diff)
	}
	p.Format, p.Pattern = karbor.Calendar, "BEGIN:VEVENT\nRRULE:FREQ=DAILY\nEND:VEVENT"
	if diff := cmp.Diff(want, first(t, p, "2026-11-21 00:00:00", 9)); diff != "" {
		t.Error(diff)
	}
}

func TestCheckNamesWhatIsWrong(t *testing.T) {
	t.Parallel()
	now := at(t, "2026-11-21 10:00:00")
	good := karbor.TriggerProperties{Format: karbor.Crontab, Pattern: "0 0 * * *", StartTime: now}
	if _, err := trigger.Check(good, limits, now); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*karbor.TriggerProperties){
		`properties.format: "cron" is none of crontab and calendar`:                                             func(p *karbor.TriggerProperties) { p.Format = "cron" },
		"properties.pattern: it has 16385 bytes, and may have 16384":                                            func(p *karbor.TriggerProperties) { p.Pattern = strings.Repeat("0", 16385) },
		"properties.window: 899 seconds are not from 900 to 1800":                                               func(p *karbor.TriggerProperties) { p.Window = 899 * time.Second },
		"properties.window: 1801 seconds are not from 900 to 1800":                                              func(p *karbor.TriggerProperties) { p.Window = 1801 * time.Second },
		"properties.end_time: 2026-11-21 10:00:00 is not after the start_time, 2026-11-21 10:00:00":             func(p *karbor.TriggerProperties) { p.EndTime = now },
		"properties.pattern: it gives no run after 2026-11-21 10:00:00 until the end_time, 2026-11-21 23:59:59": func(p *karbor.TriggerProperties) { p.EndTime = at(t, "2026-11-21 23:59:59") },
		"properties.pattern: it gives no run after 2026-11-21 10:00:00 until the end_time, 2020-01-02 00:00:00": func(p *karbor.TriggerProperties) {
			p.StartTime, p.EndTime = at(t, "2020-01-01 00:00:00"), at(t, "2020-01-02 00:00:00")
		},
	} {
		p := good
		change(&p)
		_, err := trigger.Check(p, limits, now)
		if karbor.KindOf(err) != karbor.Invalid || karbor.Sentence(err) != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	for _, window := range []time.Duration{900, 1200, 1800} {
		good.Window = window * time.Second
		if _, err := trigger.Check(good, limits, now); err != nil {
			t.Errorf("window %d: %v", window, err)
		}
	}
	if got := limits.Window(karbor.TriggerProperties{}); got != 15*time.Minute {
		t.Errorf("the window of a trigger without one is %v", got)
	}
}

func TestEachTriggersOwnFormatDecides(t *testing.T) {
	t.Parallel()
	for format, pattern := range map[karbor.TriggerFormat]string{
		karbor.Calendar: "0 0 * * *",
		karbor.Crontab:  "BEGIN:VEVENT\nRRULE:FREQ=DAILY\nEND:VEVENT",
	} {
		if _, err := trigger.Parse(karbor.TriggerProperties{Format: format, Pattern: pattern}); karbor.KindOf(err) != karbor.Invalid {
			t.Errorf("%s takes %q: %v", format, pattern, err)
		}
	}
}

func TestRunsAreAsFarApartAsTheOperatorAsks(t *testing.T) {
	t.Parallel()
	now := at(t, "2026-11-21 10:00:00")
	for _, test := range []struct {
		pattern  string
		interval time.Duration
		apart    bool
	}{
		{"0 * * * *", time.Hour, true},
		{"0 * * * *", time.Hour + time.Minute, false},
		{"0 0,23 * * *", 2 * time.Hour, false},
		// No two of its days lie side by side.
		{"0 0,23 * * MON", 2 * time.Hour, true},
		{"0 0,23 1,L * *", 2 * time.Hour, false},
		{"0 12 * * *", 24 * time.Hour, true},
		{"0 12 * * *", 25 * time.Hour, false},
		{"0 12 * * SUN", 7 * 24 * time.Hour, true},
		{"*/20 * * * *", 20 * time.Minute, true},
		{"*/7 * * * *", 5 * time.Minute, false}, // from 56 to 0
	} {
		l := trigger.Limits{MinInterval: test.interval}
		_, err := trigger.Check(karbor.TriggerProperties{Format: karbor.Crontab, Pattern: test.pattern, StartTime: now}, l, now)
		if (err == nil) != test.apart {
			t.Errorf("%s with %v between two runs: %v", test.pattern, test.interval, err)
		}
	}
}

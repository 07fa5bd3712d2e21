package trigger_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/trigger"
)

// local makes the schedule of a crontab in a zone.
func local(t testing.TB, pattern, zone string) *trigger.Schedule {
	t.Helper()
	s, err := trigger.Parse(karbor.TriggerProperties{Format: karbor.Crontab, Pattern: pattern, Timezone: zone})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestACrontabFollowsTheClockOfItsZone(t *testing.T) {
	for _, test := range []struct {
		name, pattern, after string
		want                 []string
	}{
		{"summer and winter", "0 3 * * *", "2026-10-23T12:00:00Z", []string{"2026-10-24T01:00:00Z", "2026-10-25T02:00:00Z", "2026-10-26T02:00:00Z"}},
		{"a night is not left without its run in spring", "30 2 * * *", "2026-03-27T12:00:00Z", []string{"2026-03-28T01:30:00Z", "2026-03-29T01:30:00Z", "2026-03-30T00:30:00Z"}},
		{"nor has one two in autumn", "30 2 * * *", "2026-10-24T12:00:00Z", []string{"2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"}},
		{"asked between the two", "30 2 * * *", "2026-10-25T00:40:00Z", []string{"2026-10-26T01:30:00Z"}},
		{"an interval goes on through the hour that comes twice", "*/30 * * * *", "2026-10-24T23:45:00Z", []string{
			"2026-10-25T00:00:00Z", "2026-10-25T00:30:00Z", "2026-10-25T01:00:00Z", "2026-10-25T01:30:00Z", "2026-10-25T02:00:00Z"}},
		{"and over the hour that does not come", "*/30 * * * *", "2026-03-29T00:15:00Z", []string{
			"2026-03-29T00:30:00Z", "2026-03-29T01:00:00Z", "2026-03-29T01:30:00Z", "2026-03-29T02:00:00Z"}},
		{"the day is that of the zone", "0 0 1 * *", "2026-11-21T00:00:00Z", []string{"2026-11-30T23:00:00Z", "2026-12-31T23:00:00Z"}},
	} {
		at, err := time.Parse(time.RFC3339, test.after)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, run := range local(t, test.pattern, "Europe/Berlin").Times(at, len(test.want)) {
			got = append(got, run.Format(time.RFC3339))
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

func TestTheTimezoneIsThatOfAnEventThatNamesNone(t *testing.T) {
	for text, want := range map[string]string{
		"DTSTART:20261201T030000":                   "2026-12-01T02:00:00Z",
		"DTSTART:20261201T030000Z":                  "2026-12-01T03:00:00Z",
		"DTSTART;TZID=Asia/Tokyo:20261201T030000":   "2026-11-30T18:00:00Z",
		"DTSTART;TZID=Europe/London:20261201T03000": "",
	} {
		s, err := trigger.Parse(karbor.TriggerProperties{Format: karbor.Calendar, Timezone: "Europe/Berlin",
			Pattern: "BEGIN:VEVENT\n" + text + "\nRRULE:FREQ=DAILY\nEND:VEVENT"})
		if err != nil {
			if want != "" {
				t.Errorf("%s: %v", text, err)
			}
			continue
		}
		run, _ := s.Next(time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC))
		if got := run.Format(time.RFC3339); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}

func TestAnUnknownTimezoneIsRefused(t *testing.T) {
	for _, zone := range []string{"Local", "Berlin", "../etc/passwd", "Europe/Atlantis"} {
		_, err := trigger.Parse(karbor.TriggerProperties{Format: karbor.Crontab, Pattern: "0 0 * * *", Timezone: zone})
		if karbor.KindOf(err) != karbor.Invalid {
			t.Errorf("%q: %v", zone, err)
		}
	}
}

// The next run after any instant is the same whether one comes to it run by run or
// asks for it: what is stored as the next time does not depend on when it was asked.
func TestRunsInAZoneAreTheSameFromEverywhere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pattern := rapid.SampledFrom([]string{"*/20 * * * *", "15 2 * * *", "0,30 1-3 * * *", "45 */2 * * *"}).Draw(t, "pattern")
		zone := rapid.SampledFrom([]string{"Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"}).Draw(t, "zone")
		s, err := trigger.Parse(karbor.TriggerProperties{Format: karbor.Crontab, Pattern: pattern, Timezone: zone})
		if err != nil {
			t.Fatal(err)
		}
		// About the changes of the clock in 2026, south and north.
		day := rapid.SampledFrom([]string{"2026-03-07", "2026-03-28", "2026-04-04", "2026-10-03", "2026-10-24", "2026-10-31"}).Draw(t, "day")
		from, _ := time.Parse(time.DateOnly, day)
		at := from
		for i, run := range s.Times(from, 150) {
			if next, ok := s.Next(at.Add(time.Duration(rapid.Int64Range(0, int64(run.Sub(at)-1)).Draw(t, "d")))); !ok || !next.Equal(run) {
				t.Fatalf("run %d is %s; asked after %s it is %s", i, run, at, next)
			}
			at = run
		}
	})
}

func BenchmarkNextOfACrontabInAZone(b *testing.B) {
	s := local(b, "*/5 * * * *", "Europe/Berlin")
	at := time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)
	for b.Loop() {
		s.Next(at)
	}
}

package trigger_test

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/trigger"
)

// TestTheTenantsPageSaysWhatIsSo reads the examples of docs/tenants/schedules.md.
func TestTheTenantsPageSaysWhatIsSo(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/tenants/schedules.md")
	if err != nil {
		t.Fatal(err)
	}
	const now = "2026-12-01 00:00:00"
	crontabs, calendars := 0, 0
	check := func(format karbor.TriggerFormat, pattern string) karbor.TriggerProperties {
		p := karbor.TriggerProperties{Format: format, Pattern: pattern, StartTime: at(t, now)}
		if _, err := trigger.Check(p, limits, at(t, now)); err != nil {
			t.Errorf("%q: %v", pattern, err)
		}
		return p
	}
	_, section, ok := strings.Cut(string(text), "first runs after "+now)
	if !ok {
		t.Fatal("the page has no table of crontabs")
	}
	for line := range strings.Lines(section) {
		cells := strings.Split(line, "|")
		if len(cells) != 5 || !strings.Contains(cells[1], "`") {
			if strings.HasPrefix(line, "## ") {
				break
			}
			continue
		}
		crontabs++
		p := check(karbor.Crontab, strings.Trim(cells[1], " `"))
		want := strings.Split(strings.TrimSpace(cells[3]), ", ")
		if diff := cmp.Diff(want, first(t, p, now, len(want))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", cells[1], diff)
		}
	}
	want := [][]string{
		{"2026-12-01 02:00:00", "2026-12-02 02:00:00"},
		{"2026-12-01 06:00:00", "2026-12-01 12:00:00"},
		{"2026-12-06 04:00:00", "2026-12-13 04:00:00", "2026-12-20 04:00:00", "2027-01-02 20:00:00", "2027-01-03 04:00:00"},
		{"2026-12-07 01:00:00", "2026-12-21 01:00:00"},
	}
	for _, block := range strings.Split(string(text), "```ics\n")[1:] {
		pattern, _, _ := strings.Cut(block, "\n```")
		p := check(karbor.Calendar, pattern)
		if calendars < len(want) {
			if diff := cmp.Diff(want[calendars], first(t, p, now, len(want[calendars]))); diff != "" {
				t.Errorf("%s (-want +got):\n%s", pattern, diff)
			}
		}
		calendars++
	}
	if crontabs < 10 || calendars != len(want) {
		t.Errorf("the page has %d crontabs and %d calendars", crontabs, calendars)
	}
}

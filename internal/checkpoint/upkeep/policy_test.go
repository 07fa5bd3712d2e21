package upkeep_test

import (
	"testing"
	"time"

	"github.com/karbor/karbor/internal/checkpoint/upkeep"
)

func TestHoursAreThoseOfTheirZoneAndGoOverMidnight(t *testing.T) {
	for _, test := range []struct {
		hours, zone, at string
		open            bool
	}{
		{"22:00-06:00", "", "2026-11-21T22:00:00Z", true},
		{"22:00-06:00", "", "2026-11-21T05:59:59Z", true},
		{"22:00-06:00", "", "2026-11-21T06:00:00Z", false},
		{"22:00-06:00", "", "2026-11-21T21:59:59Z", false},
		{"01:30-04:00", "", "2026-11-21T01:30:00Z", true},
		{"01:30-04:00", "", "2026-11-21T04:00:00Z", false},
		{"22:00-06:00", "Europe/Berlin", "2026-11-21T21:00:00Z", true},
		{"22:00-06:00", "Europe/Berlin", "2026-07-21T20:00:00Z", true},
		{"22:00-06:00", "Europe/Berlin", "2026-11-21T05:00:00Z", false},
	} {
		h, err := upkeep.ParseHours(test.hours, test.zone)
		if err != nil {
			t.Fatal(err)
		}
		at, err := time.Parse(time.RFC3339, test.at)
		if err != nil || h.Open(at) != test.open {
			t.Errorf("%s at %s: %v, %v", h, test.at, h.Open(at), err)
		}
	}
	if !(upkeep.Hours{}).Open(time.Unix(0, 0)) {
		t.Error("no hours are not all day")
	}
	for _, bad := range [][2]string{{"", ""}, {"22:00", ""}, {"22:00-22:00", ""}, {"25:00-06:00", ""}, {"22-6", ""}, {"22:00-06:00", "Nowhere/At all"}} {
		if h, err := upkeep.ParseHours(bad[0], bad[1]); err == nil {
			t.Errorf("%q are %s", bad, h)
		}
	}
}

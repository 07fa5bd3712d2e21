package configured

import (
	"testing"
	"time"
)

func TestAgesAreDaysWeeksOrHours(t *testing.T) {
	for text, want := range map[string]time.Duration{"90d": 90 * 24 * time.Hour, "2w": 14 * 24 * time.Hour, "0h": 0} {
		if got, err := ParseAge(text); err != nil || got != want {
			t.Errorf("%s is %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "d", "90", "-1d", "1.5d", "90 d", "1y", "99999999d", "18446744073709551615h"} {
		if _, err := ParseAge(text); err == nil {
			t.Errorf("%q was accepted", text)
		}
	}
}

package operationengine

import (
	"context"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
)

// oneTrigger is a shelf with a trigger, and nothing else.
type oneTrigger struct {
	Shelf
	trigger karbor.Trigger
}

func (s oneTrigger) Trigger(context.Context, string, string) (karbor.Trigger, error) {
	return s.trigger, nil
}

func TestADayHasTheTimesThatAreLeftOfItWhicheverTheyAre(t *testing.T) {
	midnight := time.Date(2026, 11, 3, 0, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		pattern string
		at      time.Duration
		want    int
	}{
		{"0 5 * * *", 5 * time.Hour, 1},
		{"0 */6 * * *", 6 * time.Hour, 3},
		{"0 * * * *", 0, 24},
		{"*/30 * * * *", 12*time.Hour + 30*time.Minute, 23},
		{"* * * * *", 0, 1440},
		{"* * * * *", 23 * time.Hour, 60},
		{"*/7 9-17 * * *", 9 * time.Hour, 81},
		{"* 9-10 * * *", 9 * time.Hour, 900}, // 120, and so as many as without a break
	} {
		since, runs, err := dayOf(t.Context(), oneTrigger{trigger: karbor.Trigger{
			Properties: karbor.TriggerProperties{Format: karbor.Crontab, Pattern: test.pattern},
		}}, store.ClaimedRun{ScheduledRun: karbor.ScheduledRun{ExpectedAt: midnight.Add(test.at)}})
		if err != nil || runs != test.want || !since.Equal(midnight) {
			t.Errorf("%s at %s: %d times of the day that began at %s, %v; want %d", test.pattern, test.at, runs, since, err, test.want)
		}
	}
}

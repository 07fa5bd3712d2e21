package trigger

import (
	"strings"
	"time"
)

// localCrontab is a crontab that speaks of the clock of a zone.
type localCrontab struct {
	crontab
	zone *time.Location
}

// after implements pattern. A time that the clock jumps over runs as if it had not been
// set forward. One that the clock shows twice runs the first time; where the crontab
// runs at any hour it goes on the second time too, as such a line means an interval.
func (c localCrontab) after(t time.Time) runs {
	next := zoned(c.crontab.after(before(t, c.zone)), c.zone, strings.HasPrefix(c.hour, "*"))
	return func() (time.Time, bool) {
		for {
			run, ok := next()
			if !ok || run.After(t) {
				return run.UTC(), ok
			}
		}
	}
}

package trigger

import (
	"slices"
	"time"
)

// Recurrence rules compute with what a clock on the wall shows. Here such a
// reading is a time.Time in UTC with the same fields, a "reading".

// reading gives what a clock in loc shows at an instant.
func reading(instant time.Time, loc *time.Location) time.Time {
	y, m, d := instant.In(loc).Date()
	h, mi, s := instant.In(loc).Clock()
	return time.Date(y, m, d, h, mi, s, 0, time.UTC)
}

// widestJump is more than any clock is ever set forward or back.
const widestJump = 25 * time.Hour

// instant gives the instant at which a clock in loc shows the reading: the first
// one, if it is shown twice. A reading that the clock jumps over stands for the
// instant at which the clock would show it had it not been set forward (RFC 5545,
// 3.3.5), and skipped is true.
func instant(reading time.Time, loc *time.Location) (at time.Time, skipped bool) {
	// The clock changes at most once within two days.
	before := reading.Add(-offset(reading.Add(-24*time.Hour), loc))
	if sameReading(before, reading, loc) {
		return before, false
	}
	after := reading.Add(-offset(reading.Add(24*time.Hour), loc))
	if sameReading(after, reading, loc) {
		return after, false
	}
	return before, true
}

func offset(at time.Time, loc *time.Location) time.Duration {
	_, seconds := at.In(loc).Zone()
	return time.Duration(seconds) * time.Second
}

func sameReading(at, want time.Time, loc *time.Location) bool { return reading(at, loc).Equal(want) }

// before gives the reading behind which those of all instants after t lie. What a clock
// has jumped over, or will show again, lies before t's there, and comes after t here.
func before(t time.Time, loc *time.Location) time.Time {
	if now := offset(t, loc); now == offset(t.Add(-widestJump), loc) && now == offset(t.Add(widestJump), loc) {
		return reading(t, loc)
	}
	return reading(t, loc).Add(-widestJump)
}

// again gives the second instant at which a clock in loc shows the reading, if there is
// one behind the first.
func again(first, reading time.Time, loc *time.Location) (time.Time, bool) {
	second := reading.Add(-offset(reading.Add(24*time.Hour), loc))
	return second, second.After(first) && sameReading(second, reading, loc)
}

// zoned turns ascending readings of a clock in loc into ascending instants, each
// once; twice gives both instants of a reading that the clock shows twice.
func zoned(next runs, loc *time.Location, twice bool) runs {
	if loc == time.UTC {
		return next
	}
	var pending []time.Time
	var peeked time.Time
	var have bool
	take := func() (time.Time, bool) {
		if have {
			have = false
			return peeked, true
		}
		return next()
	}
	last := time.Time{}
	return func() (time.Time, bool) {
		for {
			if len(pending) == 0 {
				r, ok := take()
				if !ok {
					return time.Time{}, false
				}
				at, skipped := instant(r, loc)
				pending = append(pending, at)
				// What was jumped over comes later than some readings behind it.
				for skipped {
					if peeked, have = next(); !have || peeked.After(reading(pending[0], loc)) {
						break
					}
					have = false
					at, _ := instant(peeked, loc)
					pending = append(pending, at)
				}
				// And what comes again, later than those that come again behind it.
				for repeats := twice && !skipped; repeats; {
					var second time.Time
					if second, repeats = again(at, r, loc); !repeats {
						break
					}
					pending = append(pending, second)
					if peeked, have = next(); !have {
						break
					}
					r, have = peeked, false
					at, _ = instant(r, loc)
					pending = append(pending, at)
				}
				slices.SortFunc(pending, time.Time.Compare)
			}
			at := pending[0]
			pending = pending[1:]
			if at.After(last) {
				last = at
				return at, true
			}
		}
	}
}

package upkeep

import (
	"time"
)

// care is what is known of a domain. All times are the bank's.
type care struct {
	// collected is when the last collection that came to its end began, or, before the first, when
	// the domain was made.
	collected time.Time
	// deleted is when something in it was deleted last, as far as that is known.
	deleted time.Time
	// again is when it is to be collected once more, as something was left; zero is not.
	again time.Time
	// retry is before when it is not tried again; failures is how often it was tried in vain.
	retry    time.Time
	failures int
	// told is the failure that was logged last.
	told string
}

// due is when the domain is to be collected.
func (c *care) due(p Policy) time.Time {
	at := c.collected.Add(p.Every)
	if !c.deleted.IsZero() && !c.deleted.Before(c.collected) { // clocks of banks may count whole seconds
		at = earlier(at, c.deleted.Add(p.After))
	}
	if !c.again.IsZero() {
		at = earlier(at, c.again)
	}
	if at.Before(c.retry) {
		return c.retry
	}
	return at
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

const (
	// firstRetry doubles with each failure up to lastRetry.
	firstRetry = 5 * time.Minute
	lastRetry  = 12 * time.Hour
	// closedRetry is when a domain is looked at again that can't be opened.
	closedRetry = time.Hour
)

// failed notes a failure.
func (c *care) failed(now time.Time) {
	c.retry = now.Add(min(firstRetry<<min(c.failures, 16), lastRetry))
	c.failures++
}

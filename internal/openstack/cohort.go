package openstack

import (
	"container/list"
	"context"
	"math"
	"sync"
	"time"
)

// Cohort is the waits of hooks that asked the cloud for alike things at about the same time, as
// for the snapshots of all volumes of one checkpoint. Such things are done at about the same time,
// too. So each wait looks at moments of its own, and whoever sees that the cloud is done has
// others look at once: those whose last look is the longest ago. The first of many looks comes
// soon after the cloud is done, and the rest follow it. Who looked in vain looks sooner a few times.
//
// The zero value is ready. It is safe for concurrent use.
type Cohort struct {
	mu     sync.Mutex
	begun  int
	asleep list.List // of chan struct{}, in the order of their last looks
}

// followers is how many look when one wait is over: two, so that all that are done are found even
// where one that is not done is among them.
const followers = 2

type cohortKey struct{}

// WithCohort makes each Poll with this context one of the cohort's waits.
func WithCohort(ctx context.Context, c *Cohort) context.Context {
	return context.WithValue(ctx, cohortKey{}, c)
}

// cohortOf gives the context's cohort; a wait without one is alone in its own.
func cohortOf(ctx context.Context) *Cohort {
	if c, ok := ctx.Value(cohortKey{}).(*Cohort); ok {
		return c
	}
	return &Cohort{}
}

// wait is one wait of a cohort. It belongs to one goroutine.
type wait struct {
	cohort         *Cohort
	pause, longest time.Duration
	late           time.Duration // how much later than after its first pause it looks
	soon           time.Duration // the next pause since it was woken in vain; 0 is as always
}

// begin begins a wait. Pauses grow by the same factor each time, so the looks of all waits are
// spread evenly when their first pauses are, over one step, and what comes before, over one pause.
func (c *Cohort) begin(longest time.Duration) *wait {
	c.mu.Lock()
	defer c.mu.Unlock()
	pause := min(firstPoll, longest)
	// The fractions of the multiples of the golden ratio are spread evenly, however many there are.
	_, place := math.Modf(float64(c.begun) * math.Phi)
	c.begun++
	late := time.Duration(place * float64(pause))
	return &wait{cohort: c, pause: pause + late/growth, longest: longest, late: late}
}

// sleep waits until the next look, or until another wait is over. It gives how long
// that was, at least.
func (w *wait) sleep(ctx context.Context) (slept time.Duration, err error) {
	if w.soon == 0 {
		woken, err := w.cohort.sleep(ctx, w.late+w.pause)
		switch {
		case err != nil:
			return 0, err
		case woken:
			w.soon = max(w.pause/growth, time.Millisecond)
			return 0, nil
		}
		slept, w.late = w.late+w.pause, 0
		w.pause = max(min(w.pause+w.pause/growth, w.longest), time.Millisecond)
		return slept, nil
	}
	// The cloud is done with what it was asked for together with this: it is probably about to be.
	slept = w.soon
	if w.soon *= 2; w.soon >= w.pause {
		w.soon = 0
	}
	return slept, sleep(ctx, slept)
}

// over tells others that the wait is over.
func (w *wait) over() { w.cohort.over() }

// sleep waits until a time is over, or it is woken as somebody else's wait is.
func (c *Cohort) sleep(ctx context.Context, d time.Duration) (woken bool, err error) {
	wake := make(chan struct{})
	c.mu.Lock()
	place := c.asleep.PushBack(wake)
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.asleep.Remove(place)
	}()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return false, nil
	case <-wake:
		return true, nil
	case <-ctx.Done():
		return false, ctx.Err()
	}
}

// over tells the others that one wait is over.
func (c *Cohort) over() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for range followers {
		next := c.asleep.Front()
		if next == nil {
			return
		}
		c.asleep.Remove(next)
		if wake, ok := next.Value.(chan struct{}); ok {
			close(wake)
		}
	}
}

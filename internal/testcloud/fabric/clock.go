package fabric

import (
	"context"
	"sync"
	"time"
)

// Clock tells the time and owns every goroutine that works in the background.
type Clock struct {
	now  func() time.Time
	ctx  context.Context
	stop context.CancelFunc
	mu   sync.Mutex
	done bool
	wg   sync.WaitGroup
}

// NewClock makes a clock that asks now for the time. Close ends it.
func NewClock(now func() time.Time) *Clock {
	ctx, stop := context.WithCancel(context.Background())
	return &Clock{now: now, ctx: ctx, stop: stop}
}

// Now gives the time in UTC.
func (c *Clock) Now() time.Time { return c.now().UTC() }

// After calls f in a goroutine of its own when d has passed, unless the clock
// is closed first. The context ends when the clock is closed.
func (c *Clock) After(d time.Duration, f func(ctx context.Context)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done {
		return
	}
	c.wg.Go(func() {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
			f(c.ctx)
		case <-c.ctx.Done():
		}
	})
}

// Done is closed when the clock is.
func (c *Clock) Done() <-chan struct{} { return c.ctx.Done() }

// Close ends the contexts and waits for every function that runs. What had
// not started is dropped; its service finds it again at the next start.
func (c *Clock) Close() {
	c.mu.Lock()
	c.done = true
	c.mu.Unlock()
	c.stop()
	c.wg.Wait()
}

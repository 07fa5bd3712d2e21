package leftover

import (
	"context"
	"errors"
	"sync"
	"time"
)

const (
	// atOnce is how much is tried at a time, and ofProject how much of one project: a cloud that hangs
	// does so until tryTimeout, each time, and takes no more of the places than that.
	atOnce    = 16
	ofProject = 2
	// clearAtOnce is how much is tried at a time of a checkpoint that is being deleted.
	clearAtOnce = 4
	// claimTime is for how long a leftover is a try's unless that says that it goes on: it is what a
	// process that dies leaves behind. claimedPause is between two looks at what another tries.
	claimTime    = 2 * time.Minute
	claimedPause = time.Second
)

// tries are the places of what is tried here. It is safe for concurrent use.
type tries struct {
	// ended hears that a place is free.
	ended chan struct{}

	mu    sync.Mutex
	taken map[string]int
	all   int
}

func newTries() *tries { return &tries{ended: make(chan struct{}, 1), taken: map[string]int{}} }

// enter takes a place for a project, if there is one.
func (t *tries) enter(project string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.all == atOnce || t.taken[project] == ofProject {
		return false
	}
	t.all++
	t.taken[project]++
	return true
}

// leave gives a place back.
func (t *tries) leave(project string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.all--
	if t.taken[project]--; t.taken[project] == 0 {
		delete(t.taken, project)
	}
}

// end gives a place back after a try, and says so.
func (t *tries) end(project string) {
	t.leave(project)
	select {
	case t.ended <- struct{}{}:
	default: // it is said already
	}
}

// errLost is why a try ends whose leftover another has taken, or may have.
var errLost = errors.New("what is left in the cloud is removed elsewhere")

// held gives a context for what has claimed something for a time. Until release is called, renew is
// called again and again, and reports whether the claim still holds: when it does not, or could not be
// renewed for that time, the context ends.
func held(ctx context.Context, lasts time.Duration, renew func(context.Context) (bool, error)) (within context.Context, release func()) {
	ctx, end := context.WithCancelCause(ctx)
	var renewing sync.WaitGroup
	renewing.Go(func() {
		over := time.NewTimer(lasts)
		defer over.Stop()
		ticker := time.NewTicker(lasts / 4)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-over.C:
				end(errLost)
				return
			case <-ticker.C:
			}
			limited, cancel := context.WithTimeout(ctx, lasts/4)
			holds, err := renew(limited)
			cancel()
			switch {
			case err == nil && !holds:
				end(errLost)
				return
			case err == nil:
				over.Reset(lasts)
			}
		}
	})
	return ctx, func() {
		end(nil)
		renewing.Wait()
	}
}

package deadline

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protection"
)

// ErrStalled is what the error of a hook wraps that was ended because nothing moved.
var ErrStalled = errors.New("nothing moved for too long")

// defaultGrace is Limits.Grace where that is 0.
const defaultGrace = time.Minute

// Options of New. All but Stuck and Queued are needed.
type Options struct {
	// Limits are the operator's; Phase is the word of the phase, whose limit counts.
	Limits Limits
	Phase  string
	// Queued reports whether the hook waits for its turn: that is not its fault.
	Queued func() bool
	// Stuck is called, with the sentence for the tenant, where the hook does not return
	// although its context has ended: after the grace, and again and again until it gives
	// nil. Its context does not end with the hook's.
	Stuck func(ctx context.Context, sentence string) error
	Now   func() time.Time
}

// Watch follows one run of one hook. It is safe for concurrent use.
type Watch struct {
	o     Options
	limit time.Duration

	mu          sync.Mutex
	moved       time.Time
	done, total int64
	stalled     error
}

// New makes a watch.
func New(o Options) *Watch { return &Watch{o: o, limit: o.Limits.Of(o.Phase), moved: o.Now()} }

// Moved says that the hook has got further.
func (w *Watch) Moved() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.moved = w.o.Now()
}

// progress says how far the hook is. The same as before is no movement.
func (w *Watch) progress(done, total int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if done != w.done || total != w.total {
		w.done, w.total, w.moved = done, total, w.o.Now()
	}
}

// Run runs the hook with a call that tells the watch what moves. If nothing does for the
// limit, the hook's context ends, and what it returns then is an error that is for the tenant,
// is not transient, and wraps ErrStalled.
func (w *Watch) Run(ctx context.Context, hook protection.Hook, call *protection.Call) error {
	if w.limit <= 0 {
		return hook(ctx, call)
	}
	w.Moved()
	run, end := context.WithCancelCause(ctx)
	over := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() { w.follow(ctx, end, over) })
	err := func() error {
		defer func() {
			close(over)
			watching.Wait()
			end(nil)
		}()
		return hook(run, w.watched(call))
	}()
	if err != nil && w.stalled != nil {
		return &karbor.Error{Kind: karbor.Unavailable, Message: karbor.Sentence(w.stalled), Cause: errors.Join(w.stalled, err)}
	}
	return err
}

// follow waits until the hook is over, or ends its context.
func (w *Watch) follow(ctx context.Context, end context.CancelCauseFunc, over <-chan struct{}) {
	timer := time.NewTimer(w.limit)
	defer timer.Stop()
	for {
		select {
		case <-over:
			return
		case <-ctx.Done():
			return // it is being ended anyway
		case <-timer.C:
		}
		left := w.left()
		if left <= 0 {
			break
		}
		timer.Reset(left)
	}
	w.stalled = &karbor.Error{
		Kind: karbor.Unavailable, Cause: ErrStalled,
		Message: fmt.Sprintf("it got no further in its phase %s for %v, and was ended", w.o.Phase, w.limit),
	}
	end(w.stalled)
	w.insist(ctx, over)
}

// left is how long nothing may move from now on.
func (w *Watch) left() time.Duration {
	if w.o.Queued != nil && w.o.Queued() {
		w.Moved()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.limit - w.o.Now().Sub(w.moved)
}

// insist tells of a hook that does not return.
func (w *Watch) insist(ctx context.Context, over <-chan struct{}) {
	grace := cmp.Or(w.o.Limits.Grace, defaultGrace)
	ticker := time.NewTicker(grace)
	defer ticker.Stop()
	for told := w.o.Stuck == nil; ; {
		select {
		case <-over:
			return
		case <-ticker.C:
		}
		if told {
			continue
		}
		asking, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
		told = w.o.Stuck(asking, karbor.Sentence(w.stalled)) == nil
		cancel()
	}
}

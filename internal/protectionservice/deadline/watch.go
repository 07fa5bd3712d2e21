package deadline

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/workflow"
	"github.com/karbor/karbor/protection"
)

// ErrStalled is what the error of a hook wraps that was ended because nothing moved.
var ErrStalled = errors.New("nothing moved for too long")

// defaultGrace is Limits.Grace where that is 0. A hook that was told to return may clear away
// what it has written before it does.
const defaultGrace = 15 * time.Minute

// Options of New. All but Queued, Stuck and Returned are needed.
type Options struct {
	// Limits are the operator's; Phase is the word of the phase, whose limit counts.
	Limits Limits
	Phase  string
	// Queued reports whether the hook waits for its turn: that is not its fault.
	Queued func() bool
	// Stuck is called, with the sentence for the tenant, where the hook does not return
	// although its context has ended: after the grace, and again and again until the hook
	// returns or Stuck reports that there is nothing left to end.
	Stuck func(ctx context.Context, sentence string) (over bool)
	// Returned is called, with the same sentence, when a hook does return after all of
	// which Stuck was told, before Run does. The contexts of both last for the grace, and
	// have the values of the hook's, but do not end with it.
	Returned func(ctx context.Context, sentence string)
	Now      func() time.Time
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

// ended says that something has ended that is movement unless it has failed.
func (w *Watch) ended(err error) {
	if err == nil {
		w.Moved()
	}
}

// bytes says that so many have passed.
func (w *Watch) bytes(n int) {
	if n > 0 {
		w.Moved()
	}
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
// is not transient, and wraps ErrStalled. That the operation is stopped, or a time-out comes,
// ends the hook's context, but not the watch; any other end of ctx does, as the hook may go on
// in another process.
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
	done := ctx.Done()
	for {
		select {
		case <-over:
			return
		case <-done:
			if lost(ctx) {
				return
			}
			done = nil // it should return now, and may not
			continue
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

// lost reports whether ctx has ended in a way that may have the hook run elsewhere.
func lost(ctx context.Context) bool {
	cause := context.Cause(ctx)
	return cause != nil && !errors.Is(cause, workflow.ErrStopped) && !errors.Is(cause, context.DeadlineExceeded)
}

// insist tells of a hook that does not return, and takes that back when it does.
func (w *Watch) insist(ctx context.Context, over <-chan struct{}) {
	grace, sentence := cmp.Or(w.o.Limits.Grace, defaultGrace), karbor.Sentence(w.stalled)
	ticker := time.NewTicker(grace)
	defer ticker.Stop()
	told, ended := false, w.o.Stuck == nil
	for {
		select {
		case <-over:
			if told && w.o.Returned != nil {
				within(ctx, grace, func(ctx context.Context) { w.o.Returned(ctx, sentence) })
			}
			return
		case <-ticker.C:
		}
		if ended || lost(ctx) {
			continue
		}
		told = true
		within(ctx, grace, func(ctx context.Context) { ended = w.o.Stuck(ctx, sentence) })
	}
}

// within calls f with a context that lasts for a time, whether ctx has ended or not.
func within(ctx context.Context, limit time.Duration, f func(context.Context)) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer cancel()
	f(ctx)
}

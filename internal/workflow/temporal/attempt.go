package temporal

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync/atomic"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/workflow"
)

// task is what a worker gets of a step.
type task struct {
	Operation string        `json:"operation"`
	Position  int           `json:"position"`
	Step      string        `json:"step"`
	Action    string        `json:"action"`
	Input     string        `json:"input,omitempty"`
	Attempt   int           `json:"attempt"`
	Limit     string        `json:"limit,omitempty"`
	Timeout   time.Duration `json:"timeout,omitempty"`
	Failure   *failure      `json:"failure,omitempty"`
	// Ask says that there is a failure which is too long to be sent along.
	Ask bool `json:"ask,omitempty"`
}

// failure is workflow.Failure.
type failure workflow.Failure

// mostFailure is the most bytes of a failure that are sent along.
const mostFailure = 16 << 10

func (f *failure) size() int {
	if f == nil {
		return 0
	}
	n := len(f.Cancelled)
	for _, s := range f.Steps {
		n += len(s.Step) + len(s.Sentence)
	}
	return n
}

// kind says how an attempt ended.
type kind string

const (
	succeeded kind = "succeeded"
	failed    kind = "failed"
	// transient is a failure that may pass.
	transient kind = "transient"
	// cutOff is no end: the attempt has to be made again.
	cutOff kind = "cut_off"
)

// outcome is how an attempt ended.
type outcome struct {
	Kind     kind   `json:"kind"`
	Sentence string `json:"sentence,omitempty"`
	Done     int64  `json:"done,omitempty"`
	Total    int64  `json:"total,omitempty"`
}

// beat is what a heartbeat tells.
type beat struct {
	// Begun says that the attempt has a place, and the action runs.
	Begun bool  `json:"begun,omitempty"`
	Done  int64 `json:"done,omitempty"`
	Total int64 `json:"total,omitempty"`
}

// Causes of the end of an action's context, beside workflow.ErrStopped.
var (
	errDeadline = fmt.Errorf("the attempt took too long: %w", context.DeadlineExceeded)
	errLeaving  = errors.New("the engine stops")
	errCutOff   = errors.New("the engine's cluster takes this worker for dead")
	errLong     = errors.New("the step is not as quick as it should be")
	// errNotReturned is the failure of an action that ended its goroutine.
	errNotReturned = errors.New("the action ended without returning")
)

// long makes an attempt of a step, telling the cluster all the time that it goes on. It is
// turned away if this process has too many of its share at hand.
func (r *run) long(ctx context.Context, t task) (outcome, error) {
	whose := share(t.Limit)
	if !r.slots.take(whose) {
		return outcome{}, away(ctx)
	}
	defer r.slots.give(whose)
	ctx, end := r.leave(ctx)
	defer end(nil)
	h := &heart{engine: r.e, token: activity.GetInfo(ctx).TaskToken, interval: r.e.beatEvery(), last: r.e.now(), end: end}
	if !r.pools.try(t.Limit) {
		switch err := r.wait(ctx, t.Limit, h); {
		case errors.Is(err, errYielded):
			return outcome{}, away(ctx)
		case err != nil:
			return outcome{Kind: cutOff}, nil
		}
	}
	defer r.pools.give(t.Limit)
	// Before anything is done, the cluster must say that the attempt is still this
	// worker's.
	h.begun.Store(true)
	h.once(ctx)
	if ctx.Err() != nil {
		return outcome{Kind: cutOff}, nil
	}
	beating := h.start(ctx)
	defer beating()
	return r.do(ctx, t, h.report, &h.done, &h.total), nil
}

// wait waits for a place: others see that, and the attempt may still be cancelled. It gives
// errYielded if the room is for others.
func (r *run) wait(ctx context.Context, pool string, h *heart) error {
	whose := share(pool)
	if !r.waiting.take(whose) {
		return errYielded
	}
	defer r.waiting.give(whose)
	beating := h.start(ctx)
	defer beating()
	return r.pools.take(ctx, pool, func() bool { return r.slots.crowded(whose) || r.waiting.crowded(whose) })
}

// short makes an attempt of a quick step. Should there be no place, or should it last, it
// is to be made as a long one.
func (r *run) short(ctx context.Context, t task) (outcome, error) {
	ctx, end := r.leave(ctx)
	defer end(nil)
	ctx, cancel := context.WithTimeoutCause(ctx, quickTime, errLong)
	defer cancel()
	if !r.pools.try(t.Limit) {
		return outcome{Kind: cutOff}, nil
	}
	defer r.pools.give(t.Limit)
	var done, total atomic.Int64
	return r.do(ctx, t, func(d, t int64) { done.Store(d); total.Store(t) }, &done, &total), nil
}

// leave gives a context that ends with the run, too.
func (r *run) leave(ctx context.Context) (context.Context, context.CancelCauseFunc) {
	ctx, end := context.WithCancelCause(ctx)
	stop := context.AfterFunc(r.ctx, func() { end(errLeaving) })
	return ctx, func(cause error) {
		end(cause)
		if cause == nil {
			stop()
		}
	}
}

// do runs the action, and says how that ended.
func (r *run) do(ctx context.Context, t task, report func(done, total int64), done, total *atomic.Int64) outcome {
	if with := r.e.options.Context; with != nil {
		ctx = with(ctx, t.Operation)
	}
	given := &workflow.Task{
		Operation: t.Operation, Step: t.Step, Input: t.Input, Attempt: t.Attempt,
		Failure: (*workflow.Failure)(t.Failure), Progress: report,
	}
	if t.Ask {
		var err error
		if given.Failure, err = r.e.failure(ctx, t.Operation); err != nil {
			return r.outcome(ctx, t, err, false)
		}
	}
	timed, cancel := context.WithTimeoutCause(ctx, cmp.Or(t.Timeout, workflow.DefaultTimeout), errDeadline)
	defer cancel()
	err := call(timed, r.e.options.Actions[t.Action], t.Action, given)
	o := r.outcome(ctx, t, err, err != nil && errors.Is(context.Cause(timed), errDeadline))
	o.Done, o.Total = done.Load(), total.Load()
	return o
}

// call runs the action, and turns a panic into an error.
func call(ctx context.Context, action workflow.Action, name string, t *workflow.Task) error {
	if action == nil {
		return fmt.Errorf("the action %q is not known here", name)
	}
	err := errNotReturned
	over := make(chan struct{})
	// The action has a goroutine of its own, which it may end.
	go func() {
		defer close(over)
		defer func() {
			if p := recover(); p != nil {
				err = fmt.Errorf("the action %q panicked: %v\n%s", name, p, debug.Stack())
			}
		}()
		err = action(ctx, t)
	}()
	<-over
	return err
}

// outcome says what an attempt's error means. late says that its time-out had come.
func (r *run) outcome(ctx context.Context, t task, err error, late bool) outcome {
	if err == nil {
		return outcome{Kind: succeeded}
	}
	sentence := karbor.Sentence(err)
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, workflow.ErrStopped):
		return outcome{Kind: failed, Sentence: sentence}
	case errors.Is(cause, errLeaving), errors.Is(cause, errCutOff), errors.Is(cause, errLong):
		return outcome{Kind: cutOff}
	case late:
		sentence = karbor.Sentence(errDeadline)
	}
	o := outcome{Kind: failed, Sentence: sentence}
	if late || karbor.IsTransient(err) {
		o.Kind = transient
	}
	r.e.log.LogAttrs(ctx, slog.LevelWarn, "an attempt of a step failed", slog.String("operation", t.Operation),
		slog.String("step", t.Step), slog.Int("attempt", t.Attempt), slog.Bool("may_pass", o.Kind == transient), slog.Any("error", err))
	return o
}

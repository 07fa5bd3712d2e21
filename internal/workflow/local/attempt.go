package local

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/workflow"
)

// errDeadline is the cause of the end of an attempt's context at its time-out.
var errDeadline = fmt.Errorf("the attempt took too long: %w", context.DeadlineExceeded)

// attempt is one run of a step's action, and how it ended.
type attempt struct {
	o        *operation
	position int
	pool     string
	live     *live
	action   workflow.Action
	name     string
	task     workflow.Task
	timeout  time.Duration

	// ctx is the one that the action got.
	ctx context.Context
	err error
	// late says that the time-out had come when the action gave up.
	late bool
}

// do runs the action.
func (a *attempt) do(ctx context.Context, with func(context.Context, string) context.Context) {
	if with != nil {
		ctx = with(ctx, a.task.Operation)
	}
	a.ctx = ctx
	ctx, cancel := context.WithTimeoutCause(ctx, a.timeout, errDeadline)
	defer cancel()
	// It stays so if the action ends its goroutine.
	a.err = errNotReturned
	a.err = a.call(ctx)
	a.late = a.err != nil && errors.Is(context.Cause(ctx), errDeadline)
}

// errNotReturned is the failure of an action that ended its goroutine.
var errNotReturned = errors.New("the action ended without returning")

// call runs the action, and turns a panic into an error.
func (a *attempt) call(ctx context.Context) (err error) {
	if a.action == nil {
		return fmt.Errorf("the action %q is not known any more", a.name)
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the action %q panicked: %v\n%s", a.name, p, debug.Stack())
		}
	}()
	return a.action(ctx, &a.task)
}

// settle tells the operation how the attempt ended, and the operator if it failed.
func (e *Engine) settle(a *attempt, stopping bool) {
	ctx, now := a.ctx, e.now()
	s := &a.o.steps[a.position]
	switch {
	case a.err == nil:
		a.o.ended(a.position, workflow.Succeeded, "", time.Time{}, now)
		return
	case a.live.stopped:
		a.o.ended(a.position, workflow.Cancelled, karbor.Sentence(a.err), time.Time{}, now)
		return
	case stopping:
		a.o.interrupted(a.position)
		return
	}
	attrs := []slog.Attr{slog.String("operation", a.o.record.ID), slog.String("step", s.ID),
		slog.Int("attempt", a.task.Attempt), slog.Any("error", a.err)}
	sentence := karbor.Sentence(a.err)
	if a.late {
		sentence = karbor.Sentence(errDeadline)
	}
	retry := s.Retry.Filled()
	if (a.late || karbor.IsTransient(a.err)) && s.Failures+1 < retry.Attempts {
		due := now.Add(retry.Wait(s.Failures+1, rand.Float64()))
		e.log.LogAttrs(ctx, slog.LevelInfo, "a step failed and is tried again", append(attrs, slog.Time("due", due))...)
		a.o.ended(a.position, workflow.Pending, sentence, due, now)
		return
	}
	e.log.LogAttrs(ctx, slog.LevelWarn, "a step failed", attrs...)
	a.o.ended(a.position, workflow.Failed, sentence, time.Time{}, now)
}

package temporal

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/temporal"

	"github.com/karbor/karbor/internal/workflow"
)

// heart tells the cluster that an attempt goes on. What it hears back, or that it hears
// nothing, ends the attempt: before the cluster gives it to another worker.
type heart struct {
	engine   *Engine
	token    []byte
	interval time.Duration
	// last is when the last heartbeat set out that arrived.
	last time.Time
	// end ends the attempt's context.
	end context.CancelCauseFunc

	begun       atomic.Bool
	done, total atomic.Int64
}

// report is a step's Task.Progress.
func (h *heart) report(done, total int64) {
	h.done.Store(done)
	h.total.Store(total)
}

// start beats until ctx ends or the function is called that it gives.
func (h *heart) start(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	over := make(chan struct{})
	go func() {
		defer close(over)
		ticker := time.NewTicker(h.interval)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				h.once(ctx)
			}
		}
	}()
	return func() {
		cancel()
		<-over
	}
}

// once beats once.
func (h *heart) once(ctx context.Context) {
	limit := h.engine.options.Heartbeat
	began := h.engine.now()
	// So much is left until it must be over here.
	left := h.last.Add(limit - h.interval).Sub(began)
	call, cancel := context.WithTimeout(ctx, max(min(left, 2*h.interval), time.Millisecond))
	defer cancel()
	err := h.engine.client.RecordActivityHeartbeat(call, h.token,
		beat{Begun: h.begun.Load(), Done: h.done.Load(), Total: h.total.Load()})
	gone, _ := errors.AsType[*serviceerror.NotFound](err)
	switch {
	case err == nil:
		h.last = began
	case temporal.IsCanceledError(err) && ctx.Err() == nil && call.Err() == nil:
		h.end(workflow.ErrStopped)
	case gone != nil:
		h.end(errCutOff)
	case ctx.Err() == nil && !h.engine.now().Before(h.last.Add(limit-h.interval)):
		h.engine.log.LogAttrs(ctx, slog.LevelWarn, "the engine's cluster does not answer; an attempt is broken off before another worker makes it",
			slog.Any("error", err))
		h.end(errCutOff)
	}
}

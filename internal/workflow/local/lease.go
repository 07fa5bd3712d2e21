package local

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/karbor/karbor"
)

// acquire waits for the lease, and gives its token and the time at which it runs
// out.
func (e *Engine) acquire(ctx context.Context) (int64, time.Time, error) {
	began := e.now()
	for told := false; ; told = true {
		// The lease lasts for a time from when it is asked for or later, by whatever clock.
		asked := e.now()
		token, left, err := e.journal.Acquire(ctx, e.name(), e.options.LeaseFor)
		if err == nil {
			return token, asked.Add(e.options.LeaseFor), nil
		}
		if !errors.Is(err, ErrHeld) {
			return 0, time.Time{}, fmt.Errorf("taking the journal's lease: %w", err)
		}
		now := e.now()
		wait := min(max(left, time.Millisecond), time.Second)
		if e.options.LeaseWait > 0 {
			patience := began.Add(e.options.LeaseWait).Sub(now)
			if patience <= 0 {
				return 0, time.Time{}, fmt.Errorf("after %s: %w; its lease lasts for another %s", e.options.LeaseWait, ErrHeld, left)
			}
			wait = min(wait, patience)
		}
		if !told {
			e.log.LogAttrs(ctx, slog.LevelInfo, "another process runs the operations; waiting for its lease to end",
				slog.Duration("left", left))
		}
		if !sleep(ctx, wait) {
			return 0, time.Time{}, ctx.Err()
		}
	}
}

// name is the one under which the lease is taken. Who has lost it once takes it as a stranger:
// should two processes have one name, as two copies of a machine have, they would take it from
// each other for ever, and nothing would come to its end.
func (e *Engine) name() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return cmp.Or(e.stranger, e.options.Owner)
}

// lost notes that another process has taken the lease.
func (e *Engine) lost(ctx context.Context) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.stranger != "" {
		return
	}
	e.stranger = e.options.Owner + " " + karbor.NewID()
	e.log.LogAttrs(ctx, slog.LevelWarn, "another process has taken the operations over; from now on this one waits for the end of the other's lease. If both have the same name, give each a state folder of its own",
		slog.String("name", e.options.Owner))
}

// keep renews the lease until ctx ends, or gives the reason for which it is lost. until is
// when it has surely not run out, by the clock of this process.
func (e *Engine) keep(ctx context.Context, token int64, until time.Time) error {
	every := e.options.LeaseFor / 3
	wait := every
	for sleep(ctx, wait) {
		now := e.now()
		if !now.Before(until) {
			return errors.New("the journal's lease ran out before it could be renewed")
		}
		call, cancel := context.WithTimeout(ctx, until.Sub(now))
		err := e.journal.Renew(call, token, e.options.LeaseFor)
		cancel()
		switch {
		case err == nil:
			until, wait = now.Add(e.options.LeaseFor), every
		case errors.Is(err, ErrFenced):
			return err
		case ctx.Err() != nil:
			return nil
		default:
			e.log.LogAttrs(ctx, slog.LevelError, "the journal's lease could not be renewed", slog.Any("error", err))
			wait = every / 4
		}
	}
	return nil
}

// sleep waits; it reports false if ctx ended.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

package local

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// acquire waits for the lease, and gives its token and the time at which it runs
// out.
func (e *Engine) acquire(ctx context.Context) (int64, time.Time, error) {
	began := e.now()
	for told := false; ; told = true {
		token, until, err := e.journal.Acquire(ctx, e.options.Owner, e.now(), e.options.LeaseFor)
		if err == nil {
			return token, until, nil
		}
		if !errors.Is(err, ErrHeld) {
			return 0, time.Time{}, fmt.Errorf("taking the journal's lease: %w", err)
		}
		now := e.now()
		wait := min(max(until.Sub(now), time.Millisecond), time.Second)
		if e.options.LeaseWait > 0 {
			left := began.Add(e.options.LeaseWait).Sub(now)
			if left <= 0 {
				return 0, time.Time{}, fmt.Errorf("after %s: %w; its lease lasts until %s",
					e.options.LeaseWait, ErrHeld, until.Format(time.RFC3339))
			}
			wait = min(wait, left)
		}
		if !told {
			e.log.LogAttrs(ctx, slog.LevelInfo, "another process runs the operations; waiting for its lease to end",
				slog.Time("until", until))
		}
		if !sleep(ctx, wait) {
			return 0, time.Time{}, ctx.Err()
		}
	}
}

// keep renews the lease until ctx ends, or gives the reason for which it is lost.
func (e *Engine) keep(ctx context.Context, token int64, until time.Time) error {
	every := e.options.LeaseFor / 3
	wait := every
	for sleep(ctx, wait) {
		now := e.now()
		if !now.Before(until) {
			return errors.New("the journal's lease ran out before it could be renewed")
		}
		call, cancel := context.WithTimeout(ctx, until.Sub(now))
		err := e.journal.Renew(call, token, now, e.options.LeaseFor)
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

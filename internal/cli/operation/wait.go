package operation

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/pflag"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/client"
	"github.com/karbor/karbor/internal/cli/progress"
	"github.com/karbor/karbor/internal/cli/session"
)

// pollEvery is how often a running operation is looked at.
const pollEvery = 500 * time.Millisecond

// WaitFlags are the flags of commands that can wait for an operation's end.
type WaitFlags struct {
	// Wait says that the end is waited for.
	Wait    bool
	timeout time.Duration
	// Own says that this command has started the operation: then an interrupt cancels it.
	Own bool
}

// Add adds the flags.
func (w *WaitFlags) Add(f *pflag.FlagSet) {
	f.BoolVar(&w.Wait, "wait", false, "wait for the end and show progress")
	f.DurationVar(&w.timeout, "timeout", 0, "with --wait: stop waiting after this time (0: never)")
}

// Standing is how far an operation is.
type Standing struct {
	Over     bool
	Progress []client.Progress
}

// waiter waits for the end of one operation.
type waiter struct {
	*session.Session
	client *client.Client
	flags  WaitFlags
	what   string // what it is called, such as the restore 1234
	id     string
	look   func(context.Context) (Standing, error)
}

// await waits for the end of an operation. When the user interrupts the command that
// has started it, it is cancelled, and its end is waited for; a second interrupt leaves
// it to the service. Where the wait ends early for another reason, the operation goes on.
func (w *waiter) await(ctx context.Context) error {
	err := w.watch(ctx)
	if ctx.Err() == nil || !w.flags.Own || w.Again == nil {
		return err
	}
	next, stop, interrupted := w.Again(ctx)
	defer stop()
	if !interrupted {
		return err
	}
	if _, failed := w.client.Operations.Cancel(next, w.id, ""); failed != nil {
		w.Say("%s can't be cancelled, and goes on: %v", w.what, failed)
		return err
	}
	w.Say("%s is being cancelled; interrupt once more to leave that to the service", w.what)
	w.flags = WaitFlags{Wait: true}
	failed := w.watch(next)
	if failed == nil {
		w.Say("%s has ended", w.what)
	}
	return errors.Join(err, failed)
}

// watch looks at an operation until it is over. A service that is away for a while is
// waited for.
func (w *waiter) watch(ctx context.Context) error {
	display := w.Display()
	defer display.Close()
	start := w.Now()
	var away time.Time
	for followed := false; ; {
		s, err := w.look(ctx)
		now := w.Now()
		switch {
		case err == nil:
			away = time.Time{}
			display.Update(s.Progress)
			if s.Over {
				return nil
			}
			if !followed {
				followed = true
				if w.follow(ctx, display) {
					continue // it is over, or nearly so
				}
			}
		case !karbor.IsTransient(err) || ctx.Err() != nil:
			return err
		case away.IsZero():
			away = now
		case now.Sub(away) > patience:
			return err
		}
		if w.flags.timeout > 0 && now.Sub(start) >= w.flags.timeout {
			return fmt.Errorf("%s is not over after %s; it goes on without this command", w.what, w.flags.timeout)
		}
		if err := w.Pause(ctx, pollEvery); err != nil {
			return err
		}
	}
}

// follow shows what a service tells of an operation by itself, to its end. It reports
// false where there is nothing more to be had of it: then the operation has to be
// looked at.
func (w *waiter) follow(ctx context.Context, display progress.Display) bool {
	if w.flags.timeout > 0 {
		limited, cancel := context.WithTimeout(ctx, w.flags.timeout)
		defer cancel()
		ctx = limited
	}
	for o, err := range w.client.Operations.Events(ctx, w.id) {
		if err != nil {
			return false
		}
		display.Update(o.Progress)
		if o.Over() {
			return true
		}
	}
	return false
}

// patience is how long a service may be away while an operation is waited for.
const patience = 2 * time.Minute

package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/client"
	"github.com/karbor/karbor/internal/cli/progress"
)

// pollEvery is how often a running operation is looked at.
const pollEvery = 500 * time.Millisecond

// waitFlags are the flags of commands that can wait for an operation's end.
type waitFlags struct {
	wait    bool
	timeout time.Duration
	// own says that this command has started the operation: then an interrupt cancels it.
	own bool
}

func (w *waitFlags) add(f *pflag.FlagSet) {
	f.BoolVar(&w.wait, "wait", false, "wait for the end and show progress")
	f.DurationVar(&w.timeout, "timeout", 0, "with --wait: stop waiting after this time (0: never)")
}

// standing is how far an operation is.
type standing struct {
	over     bool
	progress []client.Progress
}

// await waits for the end of an operation. When the user interrupts the command that
// has started it, it is cancelled, and its end is waited for; a second interrupt leaves
// it to the service. Where the wait ends early for another reason, the operation goes on.
func (a *app) await(ctx context.Context, c *client.Client, w waitFlags, what, id string, look func(context.Context) (standing, error)) error {
	err := a.watch(ctx, c, w, what, id, look)
	if ctx.Err() == nil || !w.own || a.Again == nil {
		return err
	}
	next, stop, interrupted := a.Again(ctx)
	defer stop()
	if !interrupted {
		return err
	}
	if _, failed := c.Operations.Cancel(next, id, ""); failed != nil {
		a.say("%s can't be cancelled, and goes on: %v", what, failed)
		return err
	}
	a.say("%s is being cancelled; interrupt once more to leave that to the service", what)
	w.own, w.timeout = false, 0
	failed := a.watch(next, c, w, what, id, look)
	if failed == nil {
		a.say("%s has ended", what)
	}
	return errors.Join(err, failed)
}

// watch looks at an operation until it is over. A service that is away for a while is
// waited for.
func (a *app) watch(ctx context.Context, c *client.Client, w waitFlags, what, id string, look func(context.Context) (standing, error)) error {
	display := a.display()
	defer display.Close()
	start := a.Now()
	var away time.Time
	for followed := false; ; {
		s, err := look(ctx)
		now := a.Now()
		switch {
		case err == nil:
			away = time.Time{}
			display.Update(s.progress)
			if s.over {
				return nil
			}
			if !followed {
				followed = true
				if a.follow(ctx, c, w, id, display) {
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
		if w.timeout > 0 && now.Sub(start) >= w.timeout {
			return fmt.Errorf("%s is not over after %s; it goes on without this command", what, w.timeout)
		}
		if err := a.Pause(ctx, pollEvery); err != nil {
			return err
		}
	}
}

// follow shows what a service tells of an operation by itself, to its end. It reports
// false where there is nothing more to be had of it: then the operation has to be
// looked at.
func (a *app) follow(ctx context.Context, c *client.Client, w waitFlags, id string, display progress.Display) bool {
	if w.timeout > 0 {
		limited, cancel := context.WithTimeout(ctx, w.timeout)
		defer cancel()
		ctx = limited
	}
	for o, err := range c.Operations.Events(ctx, id) {
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

// awaitCheckpoint waits for the end of a protect or delete, and gives the
// checkpoint. One that has gone while it was deleted is no error.
func (a *app) awaitCheckpoint(ctx context.Context, c *client.Client, w waitFlags, provider, id string) (client.Checkpoint, error) {
	var last client.Checkpoint
	err := a.await(ctx, c, w, "the checkpoint "+id, id, func(ctx context.Context) (standing, error) {
		cp, err := c.Checkpoints.Show(ctx, provider, id)
		if karbor.KindOf(err) == karbor.NotFound && last.Status == karbor.CheckpointDeleting {
			last.Status = karbor.CheckpointDeleted
			return standing{over: true}, nil
		}
		if err != nil {
			return standing{}, err
		}
		last = cp
		running := cp.Status == karbor.CheckpointProtecting || cp.Status == karbor.CheckpointDeleting
		return standing{over: !running, progress: cp.Progress}, nil
	})
	return last, err
}

func (a *app) awaitRestore(ctx context.Context, c *client.Client, w waitFlags, id string) (client.Restore, error) {
	var last client.Restore
	err := a.await(ctx, c, w, "the restore "+id, id, func(ctx context.Context) (standing, error) {
		r, err := c.Restores.Show(ctx, id)
		if err != nil {
			return standing{}, err
		}
		last = r
		return standing{over: r.Status != karbor.RestoreInProgress, progress: r.Progress}, nil
	})
	return last, err
}

func (a *app) awaitVerification(ctx context.Context, c *client.Client, w waitFlags, id string) (client.Verification, error) {
	var last client.Verification
	err := a.await(ctx, c, w, "the verification "+id, id, func(ctx context.Context) (standing, error) {
		v, err := c.Verifications.Show(ctx, id)
		if err != nil {
			return standing{}, err
		}
		last = v
		return standing{over: v.Status != karbor.VerificationVerifying, progress: v.Progress}, nil
	})
	return last, err
}

func (a *app) awaitDrill(ctx context.Context, c *client.Client, w waitFlags, id string) (client.Drill, error) {
	var last client.Drill
	err := a.await(ctx, c, w, "the drill "+id, id, func(ctx context.Context) (standing, error) {
		d, err := c.Drills.Show(ctx, id)
		if err != nil {
			return standing{}, err
		}
		last = d
		return standing{over: d.Status != karbor.DrillRunning, progress: d.Progress}, nil
	})
	return last, err
}

func (a *app) awaitCopy(ctx context.Context, c *client.Client, w waitFlags, provider, id string) (client.Copy, error) {
	var last client.Copy
	err := a.await(ctx, c, w, "the copy "+id, id, func(ctx context.Context) (standing, error) {
		v, err := c.Copies.Show(ctx, provider, id)
		if err != nil {
			return standing{}, err
		}
		last = v
		return standing{over: v.Status == karbor.CopyFinished || v.Status == karbor.CopyError, progress: copyBars(v)}, nil
	})
	return last, err
}

// copyBars gives the progress of a copy as that of resources.
func copyBars(c client.Copy) []client.Progress {
	out := make([]client.Progress, len(c.Progress))
	for i, p := range c.Progress {
		out[i] = client.Progress{ID: p.CheckpointID + "@" + p.Bank, Name: "checkpoint " + p.CheckpointID + " to " + p.Bank, State: copyStates[p.Status],
			BytesDone: p.BytesDone, BytesTotal: p.BytesTotal, Reason: p.Reason}
	}
	return out
}

// copyStates are the states of copies as those of resources.
var copyStates = map[karbor.CopyStatus]karbor.ResourceState{
	karbor.CopyWaiting: karbor.ResourcePending, karbor.CopyCopying: karbor.ResourceState(karbor.CopyCopying),
	karbor.CopyFinished: karbor.ResourceAvailable, karbor.CopyError: karbor.ResourceError,
}

// failure makes the error of an operation that ended badly. look is the command that
// tells more.
func failure(what, status string, reasons map[string]string, look string) error {
	var parts []string
	for _, key := range slices.Sorted(maps.Keys(reasons)) {
		if reasons[key] != "" {
			parts = append(parts, key+": "+reasons[key])
		}
	}
	text := fmt.Sprintf("%s ended in %s", what, status)
	if len(parts) > 0 {
		text += ": " + strings.Join(parts, "; ")
	}
	return errors.New(text + "; see: " + look)
}

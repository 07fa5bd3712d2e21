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
)

// pollEvery is how often a running operation is looked at.
const pollEvery = 500 * time.Millisecond

// waitFlags are the flags of commands that can wait for an operation's end.
type waitFlags struct {
	wait    bool
	timeout time.Duration
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

// await looks at an operation until it is over. The operation goes on when the
// wait ends early. A service that is away for a while is waited for.
func (a *app) await(ctx context.Context, w waitFlags, what string, look func(context.Context) (standing, error)) error {
	display := a.display()
	defer display.Close()
	start := a.Now()
	var away time.Time
	for {
		s, err := look(ctx)
		now := a.Now()
		switch {
		case err == nil:
			away = time.Time{}
			display.Update(s.progress)
			if s.over {
				return nil
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

// patience is how long a service may be away while an operation is waited for.
const patience = 2 * time.Minute

// awaitCheckpoint waits for the end of a protect or delete, and gives the
// checkpoint. One that has gone while it was deleted is no error.
func (a *app) awaitCheckpoint(ctx context.Context, c *client.Client, w waitFlags, provider, id string) (client.Checkpoint, error) {
	var last client.Checkpoint
	err := a.await(ctx, w, "the checkpoint "+id, func(ctx context.Context) (standing, error) {
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
	err := a.await(ctx, w, "the restore "+id, func(ctx context.Context) (standing, error) {
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
	err := a.await(ctx, w, "the verification "+id, func(ctx context.Context) (standing, error) {
		v, err := c.Verifications.Show(ctx, id)
		if err != nil {
			return standing{}, err
		}
		last = v
		return standing{over: v.Status != karbor.VerificationVerifying, progress: v.Progress}, nil
	})
	return last, err
}

func (a *app) awaitCopy(ctx context.Context, c *client.Client, w waitFlags, provider, id string) (client.Copy, error) {
	var last client.Copy
	err := a.await(ctx, w, "the copy "+id, func(ctx context.Context) (standing, error) {
		v, err := c.Copies.Show(ctx, provider, id)
		if err != nil {
			return standing{}, err
		}
		last = v
		return standing{over: v.Status == karbor.CopyFinished || v.Status == karbor.CopyError}, nil
	})
	return last, err
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

package openstack

import (
	"context"
	"fmt"
	"time"

	"github.com/karbor/karbor"
)

const (
	firstPoll = 250 * time.Millisecond
	// A pause is longer than the one before it by an eighth: so each is about an eighth of the
	// time that was waited, and what is waited for is seen a sixteenth of its time too late, in
	// the mean. Longer pauses would ask the cloud less, and keep everybody waiting more.
	growth = 8
	// patience is how long errors that may pass are taken in one stretch.
	patience = 5 * time.Minute
)

type patienceKey struct{}

// WithPatience makes Poll take errors that may pass for this long in one stretch, in
// place of five minutes.
func WithPatience(ctx context.Context, patience time.Duration) context.Context {
	return context.WithValue(ctx, patienceKey{}, patience)
}

func patienceOf(ctx context.Context) time.Duration {
	if p, ok := ctx.Value(patienceKey{}).(time.Duration); ok {
		return p
	}
	return patience
}

// Poll calls check, at once and then again and again, until it is done, fails, or
// ctx ends. The pauses grow from a quarter of a second, an eighth each time, to longest. Errors that may
// pass (karbor.IsTransient) are taken for up to five minutes in one stretch (see WithPatience). what
// says what is waited for, as in "volume … to become available", for the error when
// ctx ends. Waits of one cohort (WithCohort) help each other.
func Poll(ctx context.Context, what string, longest time.Duration, check func(ctx context.Context) (done bool, err error)) error {
	wait := cohortOf(ctx).begin(longest)
	var failing time.Duration
	for {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("waiting for %s: %w", what, err)
		}
		done, err := check(ctx)
		switch {
		case err == nil && done:
			wait.over()
			return nil
		case err == nil:
			failing = 0
		case ctx.Err() != nil:
			return fmt.Errorf("waiting for %s: %w", what, ctx.Err())
		case !karbor.IsTransient(err) || failing >= patienceOf(ctx):
			return err
		}
		slept, ended := wait.sleep(ctx)
		if ended != nil {
			return fmt.Errorf("waiting for %s: %w", what, ended)
		}
		if err != nil {
			failing += slept
		}
	}
}

package openstack

import (
	"context"
	"errors"
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
// ctx ends. What check gives with Still is not done yet. The pauses grow from a quarter of a second,
// an eighth each time, to longest. Errors that may
// pass (karbor.IsTransient) are taken for up to five minutes in one stretch (see WithPatience). what
// says what is waited for, as in "volume … to become available", for the error when
// ctx ends: where that is for a limit of Within, it is lasting, and tells the tenant what was
// last seen; any other end is told as it is. Waits of one cohort (WithCohort) help each other.
func Poll(ctx context.Context, what string, longest time.Duration, check func(ctx context.Context) (done bool, err error)) error {
	wait := cohortOf(ctx).begin(longest)
	var failing time.Duration
	seen := "" // at the last look, for the tenant
	for {
		if ctx.Err() != nil {
			return unfinished(ctx, what, seen)
		}
		done, err := check(ctx)
		if not, ok := errors.AsType[*still](err); ok {
			seen, done, err = ", and is still "+not.seen, false, nil
		} else if err == nil {
			seen = ""
		}
		switch {
		case err == nil && done:
			wait.over()
			return nil
		case err == nil:
			failing = 0
		case ctx.Err() != nil:
			return unfinished(ctx, what, seen)
		case !karbor.IsTransient(err) || failing >= patienceOf(ctx):
			return err
		default:
			seen = ", and the last look failed: " + karbor.Sentence(err)
		}
		slept, ended := wait.sleep(ctx)
		if ended != nil {
			return unfinished(ctx, what, seen)
		}
		if err != nil {
			failing += slept
		}
	}
}

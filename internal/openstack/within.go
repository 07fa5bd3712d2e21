package openstack

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/karbor/karbor"
)

// overtime is the cause of a context's end whose limit of Within is over.
type overtime struct{ limit time.Duration }

// Error implements error.
func (o *overtime) Error() string { return fmt.Sprintf("it took more than %v", o.limit) }

// Unwrap has whatever ends for the limit, as a request that is under way, be lasting.
func (o *overtime) Unwrap() error { return karbor.Errorf(karbor.Unavailable, "%s", o.Error()) }

// Within limits a plug-in's wait, or several in a row, to a time that an operator has set. A
// Poll that comes to its end is over for good: its error is no transient one, as who tried again
// would wait as long again, each time. An end of ctx that comes first stays what it is: a
// deadline of the service's own, after which it tries again.
func Within(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	late := &overtime{limit}
	ctx, release := context.WithTimeoutCause(ctx, limit, late)
	ctx, end := context.WithCancelCause(ctx)
	ctx = context.WithValue(ctx, limitKey{}, &Limit{end: func() { end(late) }})
	return ctx, func() { end(context.Canceled); release() }
}

type limitKey struct{}

// Limit is a time that Within has set.
type Limit struct{ end func() }

// LimitOf gives the innermost limit that holds for ctx, or nil.
func LimitOf(ctx context.Context) *Limit {
	l, _ := ctx.Value(limitKey{}).(*Limit)
	return l
}

// End has the limit's time be over now. A cloud of tests says so that gets no further: a wait ends when
// it has seen that, however slow the machine is.
func (l *Limit) End() { l.end() }

// Within limits waits to the time-out.
func (w Waits) Within(ctx context.Context) (context.Context, context.CancelFunc) {
	return Within(ctx, w.Timeout)
}

// still is what Still gives.
type still struct{ seen string }

// Error implements error.
func (s *still) Error() string { return "it is still " + s.seen }

// Still is what a check of Poll returns, with false, for what is not done yet: how it was seen,
// as in "in state %q". It is no failure. Where the time for the wait is over, the tenant reads it.
func Still(format string, args ...any) error { return &still{fmt.Sprintf(format, args...)} }

// unfinished is the error of a wait for what whose context has ended. seen is how it was last seen.
func unfinished(ctx context.Context, what, seen string) error {
	over, ok := errors.AsType[*overtime](context.Cause(ctx))
	if !ok {
		return fmt.Errorf("waiting for %s: %w", what, ctx.Err())
	}
	return &karbor.Error{Kind: karbor.Unavailable, Message: fmt.Sprintf(
		"waiting for %s: this took more than %v%s. Have the cloud's operator look what holds it up, and try again then", what, over.limit, seen)}
}

package openstack

import "context"

// restKey finds what WithRest keeps.
type restKey struct{}

// WithRest gives a context whose calls to a cloud call rest before they wait for it, and
// what that gives when they have their answer: who asks need not hold what others could
// use meanwhile. rest must be safe for concurrent use.
func WithRest(ctx context.Context, rest func() (goOn func())) context.Context {
	return context.WithValue(ctx, restKey{}, rest)
}

// rest calls what WithRest keeps.
func rest(ctx context.Context) (goOn func()) {
	if rest, ok := ctx.Value(restKey{}).(func() func()); ok {
		return rest()
	}
	return func() {}
}

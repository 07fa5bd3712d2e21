package bank

import "context"

type urgentKey struct{}

// Urgent gives a context for small writes that keep a bank usable, or lead to more
// room in it: the renewal of a lease, a change of state on the way to a delete. A
// bank that can keeps room for such writes when it takes no others any more.
func Urgent(ctx context.Context) context.Context {
	return context.WithValue(ctx, urgentKey{}, true)
}

// IsUrgent reports whether a context is one that Urgent made, or made of one.
func IsUrgent(ctx context.Context) bool {
	urgent, _ := ctx.Value(urgentKey{}).(bool)
	return urgent
}

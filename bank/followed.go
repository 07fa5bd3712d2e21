package bank

import "context"

type followedKey struct{}

// Followed gives a context for a Put or Create behind which the caller writes more, and
// which is worth nothing without that. A bank may leave it to a later write to make
// such an object durable. It keeps two promises all the same: once a Put or Create that
// is not followed has returned nil, all that were followed and had returned before it
// began are durable too; and whatever is there after a crash, all that had returned
// before it began is there as well. A bank that can't tell makes each object durable.
func Followed(ctx context.Context) context.Context {
	return context.WithValue(ctx, followedKey{}, true)
}

// IsFollowed reports whether a context is one that Followed made, or made of one.
func IsFollowed(ctx context.Context) bool {
	followed, _ := ctx.Value(followedKey{}).(bool)
	return followed
}

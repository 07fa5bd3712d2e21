package checkpoint

import "context"

type takingOverKey struct{}

// TakingOver gives a context for changes by who knows, by other means than the bank's leases,
// that nobody else works on the checkpoint any more: the processes of one Karbor hand its
// operations to each other, and their engine says whose turn it is. With it, an owner with a
// living lease is no obstacle.
func TakingOver(ctx context.Context) context.Context {
	return context.WithValue(ctx, takingOverKey{}, true)
}

func takesOver(ctx context.Context) bool {
	over, _ := ctx.Value(takingOverKey{}).(bool)
	return over
}

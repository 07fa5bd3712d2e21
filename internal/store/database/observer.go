package database

import "context"

type observerKey struct{}

// WithObserver gives a context whose statements are told to see, by their portable
// texts, before they run. Tests see by it that two requests cost the same. see is
// called by the goroutines that run the statements.
func WithObserver(ctx context.Context, see func(statement string)) context.Context {
	return context.WithValue(ctx, observerKey{}, see)
}

// observed tells the context's observer, if there is one, of a statement.
func observed(ctx context.Context, statement string) {
	if see, ok := ctx.Value(observerKey{}).(func(string)); ok {
		see(statement)
	}
}

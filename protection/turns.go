package protection

import "context"

// Turns has the hooks of one operation that make things which they share take turns, in whatever
// processes they run.
type Turns interface {
	// InTurn runs do as soon as nobody else of the operation is in turn under a name, and gives its error. do's
	// context ends when the turn has gone to another meanwhile, as it does where this process was cut off for
	// long: then the error is transient, and the hook runs again. One that has the turn may not ask for it again.
	InTurn(ctx context.Context, name string, do func(ctx context.Context) error) error
}

// NetworkingTurn is the name of the turn for what the networks and servers of one restore have in common: networks,
// routers and security groups.
const NetworkingTurn = "networking"

// InTurn runs do when it is the call's turn among the hooks of its operation, under a name of at most 200 bytes: see
// Turns. What each of them may make, and all need once, is looked for and made in turn. Where Turns is nil
// the call is the only one, and do runs at once.
func (c *Call) InTurn(ctx context.Context, name string, do func(ctx context.Context) error) error {
	if c.Turns == nil {
		return do(ctx)
	}
	return c.Turns.InTurn(ctx, name, do)
}

// InTurn implements Turns for callers of this process.
func (t *Turnstile) InTurn(ctx context.Context, name string, do func(ctx context.Context) error) error {
	leave, err := t.Enter(ctx, name)
	if err != nil {
		return err
	}
	defer leave()
	return do(ctx)
}

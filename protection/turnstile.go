package protection

import (
	"context"
	"sync"
)

// Turnstile lets one caller at a time through for each name. The zero value is ready to
// use; it is safe for concurrent use. It knows nothing of other processes: a plug-in's hooks
// take turns with Call.InTurn.
type Turnstile struct {
	mu    sync.Mutex
	turns map[string]*turn
}

type turn struct {
	free  chan struct{} // holds one token when nobody is inside
	users int           // inside or waiting
}

// Enter waits for the turn, or until ctx ends. leave must be called once.
func (t *Turnstile) Enter(ctx context.Context, name string) (leave func(), err error) {
	t.mu.Lock()
	if t.turns == nil {
		t.turns = map[string]*turn{}
	}
	own := t.turns[name]
	if own == nil {
		own = &turn{free: make(chan struct{}, 1)}
		own.free <- struct{}{}
		t.turns[name] = own
	}
	own.users++
	t.mu.Unlock()
	forget := func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if own.users--; own.users == 0 {
			delete(t.turns, name)
		}
	}
	select {
	case <-own.free:
		return func() { own.free <- struct{}{}; forget() }, nil
	case <-ctx.Done():
		forget()
		return nil, ctx.Err()
	}
}

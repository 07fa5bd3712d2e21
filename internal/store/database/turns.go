package database

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/karbor/karbor"
)

// turns let transactions of this process wait for each other before they begin, by the name
// of what they have in common. The zero value is ready.
type turns struct {
	mu sync.Mutex
	of map[string]*turn
}

// turn is the place that one transaction at a time has.
type turn struct {
	place chan struct{}
	// wanted counts who has it or waits for it; turns.mu guards it.
	wanted int
}

// take waits until the others of a name are done that came before, or until ctx ends; for as long as
// a transaction that the database undoes is tried again, as the one before may wait for a server that
// hangs. done lets the next one go on.
func (t *turns) take(ctx context.Context, name string) (done func(), err error) {
	t.mu.Lock()
	if t.of == nil {
		t.of = map[string]*turn{}
	}
	own := t.of[name]
	if own == nil {
		own = &turn{place: make(chan struct{}, 1)}
		t.of[name] = own
	}
	own.wanted++
	t.mu.Unlock()
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case own.place <- struct{}{}:
		return func() {
			<-own.place
			t.leave(name, own)
		}, nil
	case <-ctx.Done():
		t.leave(name, own)
		return nil, ctx.Err()
	case <-late.C:
		t.leave(name, own)
		return nil, &karbor.Error{Kind: karbor.Unavailable, Message: busy, Transient: true, Cause: errNoTurn}
	}
}

var errNoTurn = errors.New("the transactions before this one have not ended in time")

// leave forgets a turn that nobody wants any more.
func (t *turns) leave(name string, own *turn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if own.wanted--; own.wanted == 0 {
		delete(t.of, name)
	}
}

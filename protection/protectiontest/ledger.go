package protectiontest

import (
	"context"
	"sync"
	"testing"

	"github.com/karbor/karbor/protection"
)

// ledger keeps what the hooks of an operation say that they hold.
type ledger struct {
	mu   sync.Mutex
	held map[string]bool
}

func (l *ledger) change(kind protection.HoldingKind, id string, there bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held == nil {
		l.held = map[string]bool{}
	}
	if name := string(kind) + " " + id; there {
		l.held[name] = true
	} else {
		delete(l.held, name)
	}
}

// Hold implements protection.Ledger.
func (l *ledger) Hold(_ context.Context, h protection.Holding) error {
	if h.Asked != "" { // in a drill alone
		l.change(h.Kind, h.Asked, h.ID == "")
	}
	if h.ID != "" {
		l.change(h.Kind, h.ID, true)
	}
	return nil
}

// Release implements protection.Ledger.
func (l *ledger) Release(_ context.Context, kind protection.HoldingKind, id string) error {
	l.change(kind, id, false)
	return nil
}

// expectReleased checks that the ledger has nothing behind the last hook of an operation. It is
// for one that nothing disturbed: a process may die between what it does and the note of it.
func expectReleased(t *testing.T, call *protection.Call) {
	t.Helper()
	l, ok := call.Ledger.(*ledger)
	if !ok {
		t.Fatal("the call has no ledger")
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.held) > 0 {
		t.Errorf("behind the last hook the ledger has %v", l.held)
	}
}

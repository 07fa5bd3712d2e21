package provider

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
)

// awaitedPause is the least time between two tries to open an awaited bank.
const awaitedPause = 5 * time.Second

// awaited is a bank that could not be opened yet, though there is nothing wrong with
// its options. Each call tries to open it, now and then; until that works, they fail
// with its error.
type awaited struct {
	open func(ctx context.Context) (bank.Bank, error)
	now  func() time.Time

	mu     sync.Mutex
	bank   bank.Bank
	closed bool
	tried  time.Time
	err    error
}

// absent is a bank that this process does not open: each call fails.
func absent(now func() time.Time) (bank.Bank, error) {
	b := &awaited{now: now, tried: now(), err: karbor.Errorf(karbor.Unavailable, "this process has no way to the banks")}
	b.open = func(context.Context) (bank.Bank, error) { return nil, b.err }
	return b, nil
}

// get gives the bank, or the reason for which there is none.
func (a *awaited) get(ctx context.Context) (bank.Bank, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.bank == nil && !a.closed && a.now().Sub(a.tried) >= awaitedPause {
		b, err := a.open(ctx)
		a.tried = a.now()
		if a.err = err; err == nil {
			a.bank = b
		}
	}
	if a.bank != nil {
		return a.bank, nil
	}
	passing := karbor.Transientf("the bank can't be opened")
	passing.Cause = a.err
	return nil, fmt.Errorf("opening the bank: %w", passing)
}

// Put implements bank.Bank.
func (a *awaited) Put(ctx context.Context, key string, body io.Reader, size int64) error {
	b, err := a.get(ctx)
	if err != nil {
		return err
	}
	return b.Put(ctx, key, body, size)
}

// Create implements bank.Bank.
func (a *awaited) Create(ctx context.Context, key string, body io.Reader, size int64) error {
	b, err := a.get(ctx)
	if err != nil {
		return err
	}
	return b.Create(ctx, key, body, size)
}

// Lock implements bank.Locker.
func (a *awaited) Lock(ctx context.Context, key string, until time.Time) (time.Time, error) {
	b, err := a.get(ctx)
	if err != nil {
		return time.Time{}, err
	}
	return bank.Lock(ctx, b, key, until)
}

// LockedUntil implements bank.Locker.
func (a *awaited) LockedUntil(ctx context.Context, key string) (time.Time, error) {
	b, err := a.get(ctx)
	if err != nil {
		return time.Time{}, err
	}
	return bank.LockedUntil(ctx, b, key)
}

// Get implements bank.Bank.
func (a *awaited) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	b, err := a.get(ctx)
	if err != nil {
		return nil, err
	}
	return b.Get(ctx, key, offset, length)
}

// Stat implements bank.Bank.
func (a *awaited) Stat(ctx context.Context, key string) (bank.Info, error) {
	b, err := a.get(ctx)
	if err != nil {
		return bank.Info{}, err
	}
	return b.Stat(ctx, key)
}

// List implements bank.Bank.
func (a *awaited) List(ctx context.Context, prefix, marker string, limit int) ([]bank.Info, error) {
	b, err := a.get(ctx)
	if err != nil {
		return nil, err
	}
	return b.List(ctx, prefix, marker, limit)
}

// Delete implements bank.Bank.
func (a *awaited) Delete(ctx context.Context, key string) error {
	b, err := a.get(ctx)
	if err != nil {
		return err
	}
	return b.Delete(ctx, key)
}

// Now implements bank.Bank.
func (a *awaited) Now(ctx context.Context) (time.Time, error) {
	b, err := a.get(ctx)
	if err != nil {
		return time.Time{}, err
	}
	return b.Now(ctx)
}

// Traits implements bank.Bank. A bank that is not open promises nothing.
func (a *awaited) Traits() bank.Traits {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.bank == nil {
		return bank.Traits{}
	}
	return a.bank.Traits()
}

// Close implements bank.Bank.
func (a *awaited) Close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.closed = true
	if a.bank == nil {
		return nil
	}
	return a.bank.Close()
}

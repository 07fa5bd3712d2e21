package wrap

import (
	"context"
	"io"
	"time"

	"github.com/karbor/karbor/bank"
)

// The wrappers are bank.Lockers, as far as what they are around is one.
var (
	_ bank.Locker = (*retrying)(nil)
	_ bank.Locker = (*limited)(nil)
	_ bank.Locker = (*measured)(nil)
	_ bank.Locker = readOnly{}
)

// Lock implements bank.Locker.
func (r *retrying) Lock(ctx context.Context, key string, until time.Time) (locked time.Time, err error) {
	err = r.again(ctx, func() (err error) {
		locked, err = bank.Lock(ctx, r.Bank, key, until)
		return err
	})
	return locked, err
}

// LockedUntil implements bank.Locker.
func (r *retrying) LockedUntil(ctx context.Context, key string) (locked time.Time, err error) {
	err = r.again(ctx, func() (err error) {
		locked, err = bank.LockedUntil(ctx, r.Bank, key)
		return err
	})
	return locked, err
}

// Lock implements bank.Locker.
func (l *limited) Lock(ctx context.Context, key string, until time.Time) (locked time.Time, err error) {
	err = l.write(ctx, nil, 0, func(io.Reader) (err error) {
		locked, err = bank.Lock(ctx, l.Bank, key, until)
		return err
	})
	return locked, err
}

// LockedUntil implements bank.Locker.
func (l *limited) LockedUntil(ctx context.Context, key string) (time.Time, error) {
	free, err := l.reads.take(ctx)
	if err != nil {
		return time.Time{}, err
	}
	defer free()
	return bank.LockedUntil(ctx, l.Bank, key)
}

// Lock implements bank.Locker.
func (m *measured) Lock(ctx context.Context, key string, until time.Time) (time.Time, error) {
	end := m.tell("lock")
	locked, err := bank.Lock(ctx, m.Bank, key, until)
	end(0, err)
	return locked, err
}

// LockedUntil implements bank.Locker.
func (m *measured) LockedUntil(ctx context.Context, key string) (time.Time, error) {
	end := m.tell("locked")
	locked, err := bank.LockedUntil(ctx, m.Bank, key)
	end(0, err)
	return locked, err
}

// Lock implements bank.Locker.
func (r readOnly) Lock(_ context.Context, key string, _ time.Time) (time.Time, error) {
	return time.Time{}, refusal("locking", key)
}

// LockedUntil implements bank.Locker.
func (r readOnly) LockedUntil(ctx context.Context, key string) (time.Time, error) {
	return bank.LockedUntil(ctx, r.Bank, key)
}

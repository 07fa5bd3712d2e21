package bank

import (
	"context"
	"path"
	"strings"
	"time"

	"github.com/karbor/karbor"
)

// Locker is a Bank that can lock objects that are there already. Traits.LockAhead says
// whether it does; a bank in wrappers is asked through Lock and LockedUntil.
type Locker interface {
	Bank
	// Lock has nobody remove or replace an object before a time, by the bank's clock, and
	// gives until when it is locked then. A lock is lengthened, and never shortened: one that
	// is longer stays. What must be able to go (see Lockable) is karbor.Invalid, a
	// missing object karbor.NotFound.
	Lock(ctx context.Context, key string, until time.Time) (time.Time, error)
	// LockedUntil asks until when an object is locked; zero for one that never was. The
	// time may be over.
	LockedUntil(ctx context.Context, key string) (time.Time, error)
}

// Lock locks an object of a bank that is a Locker; of another it is karbor.NotImplemented.
func Lock(ctx context.Context, b Bank, key string, until time.Time) (time.Time, error) {
	l, ok := b.(Locker)
	if !ok {
		return time.Time{}, karbor.Errorf(karbor.NotImplemented, "locking %s: the bank can't lock objects", key)
	}
	return l.Lock(ctx, key, until)
}

// LockedUntil asks a bank until when an object is locked. One that is no Locker tells what
// Stat does.
func LockedUntil(ctx context.Context, b Bank, key string) (time.Time, error) {
	if l, ok := b.(Locker); ok {
		return l.LockedUntil(ctx, key)
	}
	info, err := b.Stat(ctx, key)
	return info.LockedUntil, err
}

// passing are the beginnings of keys of objects that go before a lock would end. A star
// stands for one part.
func passing() []string {
	return []string{
		"v1/leases",
		"v1/checkpoints/*/*/purging",
		"v1/repositories/*/sessions",
		"v1/repositories/*/epochs",
		// Destroying the slots shreds the data, whatever is locked.
		"v1/repositories/*/slots",
		"v1/repositories/*/collectors",
		"v1/repositories/*/damaged",
		// An index that tells of packs that are gone must go; it is a help, and no loss.
		"v1/repositories/*/index",
	}
}

// Lockable reports whether an object of a key may ever be locked: it is meant to last.
func Lockable(key string) bool {
	parts := strings.Split(key, "/")
	for _, pattern := range passing() {
		n := strings.Count(pattern, "/") + 1
		if len(parts) < n {
			continue
		}
		if ok, err := path.Match(pattern, strings.Join(parts[:n], "/")); ok && err == nil {
			return false
		}
	}
	return true
}

// CheckLock reports what keeps an object of a key from being locked, whether it is there or
// not.
func CheckLock(ctx context.Context, key string) error {
	if err := CheckKey(key); err != nil {
		return err
	}
	if !Lockable(key) {
		return karbor.Errorf(karbor.Invalid, "locking %s: it must be able to go", key)
	}
	return ctx.Err()
}

package protectionservice_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
)

// kept is a bank that outlives the process, and that can be full.
type kept struct {
	bank.Bank
	*site
}

// off is the error of a bank that does not answer.
func (k kept) off() error {
	if k.deaf.Load() {
		return karbor.Transientf("the bank does not answer now")
	}
	return nil
}

func (k kept) List(ctx context.Context, prefix, marker string, limit int) ([]bank.Info, error) {
	if err := k.off(); err != nil {
		return nil, err
	}
	return k.Bank.List(ctx, prefix, marker, limit)
}

func (k kept) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	if err := k.off(); err != nil {
		return nil, err
	}
	if strings.HasSuffix(key, "/description") && k.reads.Load() > 0 && k.reads.Add(-1) == 0 {
		k.deaf.Store(true)
		return nil, k.off()
	}
	return k.Bank.Get(ctx, key, offset, length)
}

func (kept) Close() error { return nil }

func (k kept) Traits() bank.Traits {
	traits := k.Bank.Traits()
	traits.ObjectLock = traits.ObjectLock || k.locked.Load() > 0
	return traits
}

func (k kept) Lock(ctx context.Context, key string, until time.Time) (time.Time, error) {
	if err := k.off(); err != nil {
		return time.Time{}, err
	}
	return bank.Lock(ctx, k.Bank, key, until)
}

func (k kept) LockedUntil(ctx context.Context, key string) (time.Time, error) {
	return bank.LockedUntil(ctx, k.Bank, key)
}

func (k kept) Stat(ctx context.Context, key string) (bank.Info, error) {
	i, err := k.Bank.Stat(ctx, key)
	if locked := time.Duration(k.locked.Load()); locked > 0 && err == nil {
		i.LockedUntil = i.ModTime.Add(locked)
	}
	return i, err
}

func (k kept) Delete(ctx context.Context, key string) error {
	if k.stuck.Load() && strings.Contains(key, "/nodes/") {
		return karbor.Errorf(karbor.Forbidden, "the bank lets nothing go")
	}
	if strings.Contains(key, "/leases/") && strings.Contains(key, "@") {
		switch {
		case k.refuses.Load():
			return karbor.Errorf(karbor.Forbidden, "the bank lets nothing go")
		case k.holds.Load():
			k.atClaim <- struct{}{}
			<-ctx.Done()
			return ctx.Err()
		}
	}
	if i, err := k.Stat(ctx, key); err == nil && bank.Lockable(key) {
		if now, err := k.Now(ctx); err == nil && now.Before(i.LockedUntil) {
			return karbor.Errorf(karbor.Conflict, "removing %s: it is locked", key)
		}
	}
	return k.Bank.Delete(ctx, key)
}

// wait takes the time of a slow bank, or as long as it is one.
func (k kept) wait(ctx context.Context) error {
	long := time.Duration(k.slow.Load())
	if long == 0 {
		return nil
	}
	k.waits.Add(1)
	defer k.waits.Add(-1)
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	for began := time.Now(); time.Since(began) < long && k.slow.Load() != 0; {
		select {
		case <-look.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (k kept) Put(ctx context.Context, key string, body io.Reader, size int64) error {
	if err := errors.Join(k.off(), k.wait(ctx)); err != nil {
		return err
	}
	if k.full.Load() {
		return karbor.Errorf(karbor.OverLimit, "the bank is full")
	}
	return k.Bank.Put(ctx, key, body, size)
}

func (k kept) Create(ctx context.Context, key string, body io.Reader, size int64) error {
	if err := errors.Join(k.off(), k.wait(ctx)); err != nil {
		return err
	}
	if k.full.Load() {
		return karbor.Errorf(karbor.OverLimit, "the bank is full")
	}
	return k.Bank.Create(ctx, key, body, size)
}

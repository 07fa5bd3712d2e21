package protectionservice_test

import (
	"context"
	"io"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/bank/banktest"
	"github.com/karbor/karbor/internal/protectionservice"
	"github.com/karbor/karbor/internal/repository/keyring"
	"github.com/karbor/karbor/internal/store"
)

// far is a copy target's bank that outlives the process. fault, if any, is asked before each
// write, deaf before each call, and removing is told of each delete.
type far struct {
	*banktest.Memory

	mu       sync.Mutex
	fault    func(key string) error
	deaf     bool
	removing func(ctx context.Context, key string)
	// hanging has writes of some keys hang until their context ends.
	hanging func(key string) bool
	// locked has it keep what it has for an hour.
	locked atomic.Bool
}

func (f *far) set(fault func(key string) error, deaf bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fault, f.deaf = fault, deaf
}

func (f *far) off() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.deaf {
		return karbor.Transientf("the far bank does not answer now")
	}
	return nil
}

// writing asks the fault, which may block, without the lock.
func (f *far) writing(ctx context.Context, key string) error {
	f.mu.Lock()
	fault, hanging := f.fault, f.hanging
	f.mu.Unlock()
	if hanging != nil && hanging(key) {
		<-ctx.Done()
		return ctx.Err()
	}
	if err := f.off(); err != nil || fault == nil {
		return err
	}
	return fault(key)
}

type farBank struct {
	bank.Bank
	*far
}

func (farBank) Close() error { return nil }

func (b farBank) Traits() bank.Traits {
	traits := b.Bank.Traits()
	traits.ObjectLock = b.locked.Load()
	return traits
}

func (b farBank) Stat(ctx context.Context, key string) (bank.Info, error) {
	i, err := b.Bank.Stat(ctx, key)
	if b.locked.Load() && err == nil {
		i.LockedUntil = i.ModTime.Add(time.Hour)
	}
	return i, err
}

func (b farBank) List(ctx context.Context, prefix, marker string, limit int) ([]bank.Info, error) {
	if err := b.off(); err != nil {
		return nil, err
	}
	return b.Bank.List(ctx, prefix, marker, limit)
}

func (b farBank) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	if err := b.off(); err != nil {
		return nil, err
	}
	return b.Bank.Get(ctx, key, offset, length)
}

func (b farBank) Put(ctx context.Context, key string, body io.Reader, size int64) error {
	if err := b.writing(ctx, key); err != nil {
		return err
	}
	return b.Bank.Put(ctx, key, body, size)
}

func (b farBank) Create(ctx context.Context, key string, body io.Reader, size int64) error {
	if err := b.writing(ctx, key); err != nil {
		return err
	}
	return b.Bank.Create(ctx, key, body, size)
}

func (b farBank) Delete(ctx context.Context, key string) error {
	b.mu.Lock()
	removing := b.removing
	b.mu.Unlock()
	if removing != nil {
		removing(ctx, key)
	}
	if i, err := b.Stat(ctx, key); err == nil && bank.Lockable(key) {
		if now, err := b.Now(ctx); err == nil && now.Before(i.LockedUntil) {
			return karbor.Errorf(karbor.Conflict, "removing %s: it is locked", key)
		}
	}
	return b.Bank.Delete(ctx, key)
}

func (b farBank) Now(ctx context.Context) (time.Time, error) { return b.Bank.Now(ctx) }

// copies makes a site whose provider has the copy target offsite, and keys where they are wanted.
func copies(t *testing.T, keep string, keys bool) *site {
	t.Helper()
	s := newSite(t)
	s.repository = "copies:\n  - name: offsite\n    bank: {plugin: far}\n" + keep
	if keys {
		key := filepath.Join(t.TempDir(), "bank.key")
		if err := keyring.WriteKeyFile(key); err != nil {
			t.Fatal(err)
		}
		s.repository += "repository: {keys: [{file: " + key + "}]}\n"
	}
	s.restart()
	s.keep()
	return s
}

func (s *site) copy(plan string) karbor.Copy {
	s.t.Helper()
	c, err := s.service.Copy(s.t.Context(), s.caller(), protectionservice.CopyRequest{ProviderID: providerID, PlanID: plan})
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

func (s *site) untilCopied(id string) karbor.Copy {
	s.t.Helper()
	var c karbor.Copy
	s.poll(func() bool {
		var err error
		if c, err = s.store.Copy(s.t.Context(), projectID, providerID, id); err != nil {
			s.t.Fatal(err)
		}
		return c.Status == karbor.CopyFinished || c.Status == karbor.CopyError
	})
	return c
}

func (s *site) checkpointOf(id string) karbor.Checkpoint {
	s.t.Helper()
	cp, err := s.store.Checkpoint(s.t.Context(), projectID, providerID, id)
	if err != nil {
		s.t.Fatal(err)
	}
	return cp
}

// usage gives the quota usage of checkpoints.
func (s *site) usage() store.Usage {
	s.t.Helper()
	u, err := s.store.Usages(s.t.Context(), projectID)
	if err != nil {
		s.t.Fatal(err)
	}
	return u[store.QuotaCheckpoints]
}

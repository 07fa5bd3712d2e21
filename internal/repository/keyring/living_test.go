package keyring_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/bank/banktest"
	"github.com/karbor/karbor/internal/repository/keyring"
)

// lagging is a bank whose listings show an object only after a while.
type lagging struct {
	*banktest.Memory
	lag time.Duration
}

func (l *lagging) Traits() bank.Traits {
	t := l.Memory.Traits()
	t.ConsistentList = false
	return t
}

func (l *lagging) List(ctx context.Context, prefix, marker string, limit int) ([]bank.Info, error) {
	infos, err := l.Memory.List(ctx, prefix, marker, limit)
	return slices.DeleteFunc(infos, func(i bank.Info) bool { return time.Since(i.ModTime) < l.lag }), err
}

func TestSlotsThatAreNotListedYetAreNotToldAsDestroyed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &lagging{banktest.NewMemory(), time.Minute}
		r, sources := ring(t, b), []*keyring.Source{keyring.Key(keyring.NewKey())}
		made := must[*keyring.Opened](t)(r.Create(t.Context(), sources))
		if err := r.Living(t.Context(), made); err != nil {
			t.Errorf("who has made it can't write to it: %v", err)
		}
		_, err := r.Open(t.Context(), sources)
		if !karbor.IsTransient(err) || strings.Contains(err.Error(), "destroyed") {
			t.Errorf("at once: %v", err)
		}
		time.Sleep(2 * time.Minute)
		o := must[*keyring.Opened](t)(r.Open(t.Context(), sources))
		if err := b.Delete(t.Context(), "v1/repositories/"+domain+"/slots/"+o.Slot); err != nil {
			t.Fatal(err)
		}
		if err := r.Living(t.Context(), o); !karbor.IsTransient(err) {
			t.Errorf("its own slot has gone, and another one may not be listed yet: %v", err)
		}
		time.Sleep(20 * time.Minute)
		_, err = r.Open(t.Context(), sources)
		if locked, is := errors.AsType[*keyring.LockedError](err); !is || locked.Early || karbor.IsTransient(err) {
			t.Errorf("long after: %v", err)
		}
	})
}

func TestShreddingDestroysASlotThatIsListedLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &lagging{banktest.NewMemory(), 3 * time.Minute}
		r, sources := ring(t, b), []*keyring.Source{keyring.Key(keyring.NewKey())}
		o := must[*keyring.Opened](t)(r.Create(t.Context(), sources))
		time.Sleep(5 * time.Minute)
		must[string](t)(r.Add(t.Context(), o, keyring.Recovery(keyring.NewKey())))
		var another sync.WaitGroup
		another.Go(func() {
			time.Sleep(time.Minute)
			must[string](t)(r.Add(t.Context(), o, keyring.Recovery(keyring.NewKey())))
		})
		receipt := must[keyring.Receipt](t)(r.Shred(t.Context()))
		another.Wait()
		for key := range b.Snapshot() {
			if strings.Contains(key, "/slots/") {
				t.Errorf("%s is left", key)
			}
		}
		if len(receipt.Slots) != 3 || receipt.DestroyedAt.IsZero() {
			t.Errorf("receipt %+v", receipt)
		}
	})
}

func TestDomainThatWasMadeAnewIsNotTheOpenedOne(t *testing.T) {
	m, sources := banktest.NewMemory(), []*keyring.Source{keyring.Key(keyring.NewKey())}
	r := ring(t, m)
	o := must[*keyring.Opened](t)(r.Create(t.Context(), sources))
	if err := r.Living(t.Context(), o); err != nil {
		t.Error(err)
	}
	for key := range m.Snapshot() {
		if err := m.Delete(t.Context(), key); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Living(t.Context(), o); !errors.Is(err, keyring.ErrReplaced) {
		t.Errorf("it was removed: %v", err)
	}
	again := must[*keyring.Opened](t)(r.Create(t.Context(), sources))
	if err := r.Living(t.Context(), o); !errors.Is(err, keyring.ErrReplaced) || !karbor.IsTransient(err) {
		t.Errorf("another one was made: %v", err)
	}
	must[keyring.Receipt](t)(r.Shred(t.Context()))
	err := r.Living(t.Context(), again)
	if locked, is := errors.AsType[*keyring.LockedError](err); !is || locked.Early || karbor.IsTransient(err) {
		t.Errorf("its slots have gone: %v", err)
	}
}

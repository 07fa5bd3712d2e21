package repository_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/bank/banktest"
	"github.com/karbor/karbor/internal/repository"
	"github.com/karbor/karbor/internal/repository/keyring"
)

// clock is one that a test moves.
type clock struct {
	mu   sync.Mutex
	past time.Duration
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.past)
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.past += d
}

// removeDomains removes all key domains of a bank, as an operator does by hand.
func removeDomains(t *testing.T, m *banktest.Memory) {
	t.Helper()
	for key := range m.Snapshot() {
		if strings.HasPrefix(key, "v1/repositories/") {
			if err := m.Delete(t.Context(), key); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestDomainThatWasRemovedIsMadeAnewAndReadByAnyProcess(t *testing.T) {
	m, source := banktest.NewMemory(), keys()
	d := domains(t, repository.Options{Bank: m, Keys: source})
	store(t, node(t, m, d, "1"), "volume", random(3<<20, 1))
	removeDomains(t, m)
	data := random(3<<20, 2)
	store(t, node(t, m, d, "2"), "volume", data)
	expect(t, node(t, m, d, "2"), "volume", data)
	expect(t, node(t, m, domains(t, repository.Options{Bank: m, Keys: source}), "2"), "volume", data)
}

func TestDomainThatAnotherProcessMadeAnewIsTakenUp(t *testing.T) {
	m, source := banktest.NewMemory(), keys()
	d := domains(t, repository.Options{Bank: m, Keys: source})
	store(t, node(t, m, d, "1"), "volume", random(1<<20, 1))
	reading := domains(t, repository.Options{Bank: m, Keys: source})
	if _, err := reading.Unlock(t.Context(), project); err != nil {
		t.Fatal(err)
	}
	removeDomains(t, m)
	other, data := domains(t, repository.Options{Bank: m, Keys: source}), random(1<<20, 2)
	store(t, node(t, m, other, "2"), "volume", data)
	expect(t, node(t, m, reading, "2"), "volume", data)
	more := random(1<<20, 3)
	store(t, node(t, m, d, "3"), "volume", more)
	for _, one := range []*repository.Domains{d, other, reading} {
		expect(t, node(t, m, one, "2"), "volume", data)
		expect(t, node(t, m, one, "3"), "volume", more)
	}
}

func TestNothingIsSealedAMinuteAfterAShredding(t *testing.T) {
	m, c, source := banktest.NewMemory(), &clock{}, keys()
	d := domains(t, repository.Options{Bank: m, Keys: source, Now: c.now})
	sealed, err := d.Seal(t.Context(), project, "v1/checkpoints/x", []byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	c.pass(2 * time.Minute)
	if _, err := d.Seal(t.Context(), project, "v1/checkpoints/x", []byte("{}")); err != nil {
		t.Fatal(err)
	}
	ring, err := keyring.New(m, project)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ring.Shred(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.pass(2 * time.Minute)
	_, err = d.Seal(t.Context(), project, "v1/checkpoints/y", []byte("{}"))
	if _, locked := errors.AsType[*keyring.LockedError](err); !locked || karbor.IsTransient(err) {
		t.Errorf("sealing: %v", err)
	}
	_, err = d.Unseal(t.Context(), project, "v1/checkpoints/x", sealed)
	if _, locked := errors.AsType[*keyring.LockedError](err); !locked {
		t.Errorf("the keys are still in memory: %v", err)
	}
}

// unlisted is a bank that does not list slots yet, or does not answer.
type unlisted struct {
	*banktest.Memory
	hides, silent bool
}

func (b *unlisted) Traits() bank.Traits { return bank.Traits{AtomicCreate: true} }

func (b *unlisted) Stat(ctx context.Context, key string) (bank.Info, error) {
	if b.silent {
		return bank.Info{}, karbor.Transientf("the bank does not answer now")
	}
	return b.Memory.Stat(ctx, key)
}

func (b *unlisted) List(ctx context.Context, prefix, marker string, limit int) ([]bank.Info, error) {
	infos, err := b.Memory.List(ctx, prefix, marker, limit)
	return slices.DeleteFunc(infos, func(i bank.Info) bool { return b.hides && strings.Contains(i.Key, "/slots/") }), err
}

func TestFirstProtectDoesNotWaitForListings(t *testing.T) {
	b, source := &unlisted{Memory: banktest.NewMemory(), hides: true}, keys()
	data := random(1<<20, 1)
	d := domains(t, repository.Options{Bank: b, Keys: source})
	store(t, node(t, b, d, "1"), "volume", data)
	expect(t, node(t, b, d, "1"), "volume", data)
	_, err := node(t, b, domains(t, repository.Options{Bank: b, Keys: source}), "2").Create(t.Context(), "volume")
	if !karbor.IsTransient(err) {
		t.Errorf("another process opens the domain: %v", err)
	}
}

func TestKeyThatIsReplacedKeepsNobodyFromWritingForLong(t *testing.T) {
	b, c := &unlisted{Memory: banktest.NewMemory()}, &clock{}
	source := keys()
	d := domains(t, repository.Options{Bank: b, Keys: source, Now: c.now})
	seal := func() error {
		c.pass(2 * time.Minute)
		_, err := d.Seal(t.Context(), project, "v1/checkpoints/x", []byte("{}"))
		return err
	}
	if err := seal(); err != nil {
		t.Fatal(err)
	}
	ring, err := keyring.New(b, project)
	if err != nil {
		t.Fatal(err)
	}
	o, err := ring.Open(t.Context(), source)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ring.Rotate(t.Context(), o, o.Slot, keyring.Recovery(keyring.NewKey())); err != nil {
		t.Fatal(err)
	}
	b.hides = true // the new slot
	if err := seal(); !karbor.IsTransient(err) {
		t.Errorf("while the new slot is not listed: %v", err)
	}
	b.hides = false
	if err := seal(); err != nil {
		t.Errorf("when it is: %v", err)
	}
	b.silent = true
	if err := seal(); !karbor.IsTransient(err) {
		t.Errorf("while the bank does not answer: %v", err)
	}
	if _, err := d.Unlock(t.Context(), project); err != nil {
		t.Errorf("reading meanwhile: %v", err)
	}
	b.silent, b.hides = false, true
	for range 5 {
		if err := seal(); !karbor.IsTransient(err) {
			t.Errorf("while nothing is listed: %v", err)
		}
	}
	if err := seal(); err == nil || karbor.IsTransient(err) {
		t.Errorf("after 10 minutes: %v", err)
	}
}

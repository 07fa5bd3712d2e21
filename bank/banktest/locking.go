package banktest

import (
	"strings"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
)

// locksWhatItIsToldTo checks that a bank which says that it locks does so, and that another
// one says that it does not.
func locksWhatItIsToldTo(t *testing.T, b bank.Bank) {
	const key = "v1/repositories/d/packs/aa/pack"
	Store(t, b, key, "text")
	now, err := b.Now(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	hour, day := now.Add(time.Hour).Truncate(time.Second), now.Add(24*time.Hour).Truncate(time.Second)
	if b.Traits().LockAhead == 0 {
		if _, err := bank.Lock(t.Context(), b, key, hour); karbor.KindOf(err) != karbor.NotImplemented || err == nil {
			t.Errorf("a bank that can't lock: %v", err)
		}
		if until, err := bank.LockedUntil(t.Context(), b, key); err != nil || !until.IsZero() {
			t.Errorf("it says that the object is locked until %v, %v", until, err)
		}
		if err := b.Delete(t.Context(), key); err != nil {
			t.Error(err)
		}
		return
	}
	check := func(doing string, until time.Time, err error, want time.Time) {
		t.Helper()
		if err != nil || !until.Equal(want) {
			t.Errorf("%s: locked until %v, %v; want %v", doing, until, err, want)
		}
	}
	until, err := bank.LockedUntil(t.Context(), b, key)
	check("before", until, err, time.Time{})
	until, err = bank.Lock(t.Context(), b, key, hour)
	check("locking", until, err, hour)
	until, err = bank.Lock(t.Context(), b, key, day)
	check("lengthening", until, err, day)
	until, err = bank.Lock(t.Context(), b, key, hour)
	check("shortening", until, err, day)
	until, err = bank.LockedUntil(t.Context(), b, key)
	check("asking", until, err, day)
	if err := b.Delete(t.Context(), key); karbor.KindOf(err) != karbor.Conflict || err == nil {
		t.Errorf("removing what is locked: %v", err)
	}
	if err := b.Put(t.Context(), key, strings.NewReader("other"), 5); karbor.KindOf(err) != karbor.Conflict || err == nil {
		t.Errorf("replacing what is locked: %v", err)
	}
	if got := Load(t, b, key); got != "text" {
		t.Errorf("it holds %q", got)
	}
	for key, want := range map[string]karbor.Kind{
		"v1/repositories/d/packs/aa/none": karbor.NotFound, "v1/repositories/d/slots/s": karbor.Invalid, "a//b": karbor.Invalid,
	} {
		if _, err := bank.Lock(t.Context(), b, key, day); err == nil || karbor.KindOf(err) != want {
			t.Errorf("locking %s: %v", key, err)
		}
	}
}

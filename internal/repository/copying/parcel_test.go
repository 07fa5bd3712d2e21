package copying

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/bank/banktest"
	"github.com/karbor/karbor/bank/wrap"
	"github.com/karbor/karbor/internal/repository/format"
)

// streaming is a bank that writes while it reads, and knows what was in memory.
type streaming struct {
	bank.Bank
	mu       sync.Mutex
	inMemory []string
}

func (s *streaming) Traits() bank.Traits {
	t := s.Bank.Traits()
	t.Streams = true
	return t
}

func (s *streaming) Create(ctx context.Context, key string, body io.Reader, size int64) error {
	if _, streams := body.(*parcel); !streams {
		s.mu.Lock()
		s.inMemory = append(s.inMemory, key)
		s.mu.Unlock()
	}
	return s.Bank.Create(ctx, key, body, size)
}

func isPack(k string) bool { return strings.Contains(k, "/packs/") || strings.Contains(k, "/pages/") }

func TestWholePacksAreNotInMemoryWhereTheTargetWritesAsItReads(t *testing.T) {
	from, b := newSource(t, "this")
	data := random(1, 3<<20)
	write(t, from, "a/manifest", data)
	target := &streaming{Bank: twin(t, b)}
	to := open(t, target, "this")
	target.inMemory = nil
	r, err := Streams(t.Context(), from, to, one("a/manifest", "a/manifest"), Options{})
	if err != nil || r.Packs != 2 {
		t.Fatalf("%+v, %v", r, err)
	}
	if slices.ContainsFunc(target.inMemory, isPack) {
		t.Errorf("in memory were %q", target.inMemory)
	}
	expect(t, open(t, target, "this"), "a/manifest", data)
}

func TestOfASourceThatFailsNothingIsStoredAndItsOwnErrorIsTold(t *testing.T) {
	source, b := newSource(t, "this")
	write(t, source, "a/manifest", random(1, 3<<20))
	packs := slices.DeleteFunc(keys(t, b, ""), func(k string) bool { return !isPack(k) })
	away := karbor.Errorf(karbor.Conflict, "the source is of another mind") // a target's own would be no error
	f := banktest.NewFaulty(b)
	target := &streaming{Bank: twin(t, b)}
	from, to := open(t, f, "this"), open(t, target, "this")
	f.Add(banktest.Fault{Method: banktest.Get, AfterBytes: 100 << 10, Err: away})
	if _, err := Streams(t.Context(), from, to, one("a/manifest", "a/manifest"), Options{}); !errors.Is(err, away) {
		t.Errorf("the copy: %v", err)
	}
	if got := keys(t, target, ""); slices.ContainsFunc(got, func(k string) bool { return slices.Contains(packs, k) && strings.Contains(k, "/packs/") }) {
		t.Errorf("there is %q", got)
	}
	// And what the bank of the source says is shorter than it was.
	for _, k := range packs {
		put(t, b, k, object(t, b, k)[:50])
	}
	_, err := Streams(t.Context(), from, open(t, &streaming{Bank: twin(t, b)}, "this"), one("a/manifest", "a/manifest"), Options{})
	if _, damaged := errors.AsType[*format.DamageError](err); !damaged && !errors.Is(err, away) {
		t.Errorf("of a pack that was cut: %v", err)
	}
}

func TestAPackOnItsWayIsSentAgainToATargetThatFailsInPassing(t *testing.T) {
	from, b := newSource(t, "this")
	data := random(1, 3<<20)
	write(t, from, "a/manifest", data)
	f := banktest.NewFaulty(twin(t, b))
	target := &streaming{Bank: wrap.Retry(f, wrap.RetryOptions{Attempts: 3, FirstPause: time.Millisecond, LongestPause: time.Millisecond})}
	to := open(t, target, "this")
	f.Add(banktest.Fault{Method: banktest.Create, Nth: 1, AfterBytes: 100 << 10, Err: karbor.Transientf("the bank does not answer now")})
	if r, err := Streams(t.Context(), from, to, one("a/manifest", "a/manifest"), Options{}); err != nil || r.Packs != 2 {
		t.Fatalf("%+v, %v", r, err)
	}
	expect(t, open(t, target, "this"), "a/manifest", data)
}

func TestAParcelGivesItsLastBytesOnlyIfAllHaveItsName(t *testing.T) {
	const text = "what is in the pack"
	parcelOf := func(stored string) *parcel {
		return &parcel{name: format.NameOf([]byte(text)), size: int64(len(text)), digest: newDigest(), open: func() (io.ReadCloser, error) {
			return io.NopCloser(strings.NewReader(stored)), nil
		}}
	}
	for name, c := range map[string]struct{ stored, why string }{
		"whole": {text, ""}, "changed": {"What is in the pack", "another name"}, "short": {text[:4], "ends early"},
	} {
		p := parcelOf(c.stored)
		for range 2 {
			got, err := io.ReadAll(io.LimitReader(p, 1<<10))
			switch {
			case c.why == "" && (err != nil || string(got) != text):
				t.Errorf("%s: %q, %v", name, got, err)
			case c.why != "" && (err == nil || p.failed == nil || !strings.Contains(p.failed.Error(), c.why) || len(got) == len(text)):
				t.Errorf("%s: %q, %v: %v", name, got, err, p.failed)
			}
			if at, err := p.Seek(0, io.SeekStart); at != 0 || err != nil {
				t.Errorf("%s goes back to %d, %v", name, at, err)
			}
		}
		if _, err := p.Seek(3, io.SeekStart); err == nil {
			t.Errorf("%s goes into the middle", name)
		}
	}
}

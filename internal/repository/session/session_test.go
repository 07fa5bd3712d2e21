package session_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/bank/banktest"
	"github.com/karbor/karbor/internal/repository/dedup"
	"github.com/karbor/karbor/internal/repository/format"
	"github.com/karbor/karbor/internal/repository/session"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	domain = "project"
	expire = 60 * time.Second
	margin = 10 * time.Second
)

func options() session.Options { return session.Options{Now: time.Now, Expire: expire, Margin: margin} }

func open(t *testing.T, b bank.Bank, o session.Options) *session.Session {
	t.Helper()
	s, err := session.Open(t.Context(), b, domain, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func set(names ...format.Name) map[format.Name]struct{} {
	out := map[format.Name]struct{}{}
	for _, name := range names {
		out[name] = struct{}{}
	}
	return out
}

// condemn writes an epoch.
func condemn(t *testing.T, b bank.Bank, n int, condemned, gone map[format.Name]struct{}) {
	t.Helper()
	e := &session.Epoch{Number: n, Condemned: condemned, Gone: gone, CreatedAt: time.Now()}
	if err := session.WriteEpoch(t.Context(), b, domain, e); err != nil {
		t.Fatal(err)
	}
}

// record reads the newest record of the only session.
func record(t *testing.T, b bank.Bank) *session.Record {
	t.Helper()
	listed, err := session.List(t.Context(), b, domain)
	if err != nil || len(listed) != 1 {
		t.Fatalf("%d sessions, %v", len(listed), err)
	}
	for _, l := range listed {
		r, err := l.Read(t.Context(), b, domain)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	return nil
}

func store(t *testing.T, b bank.Bank, name format.Name) {
	t.Helper()
	if err := b.Create(t.Context(), dedup.PackKey(domain, format.Data, name), strings.NewReader("x"), 1); err != nil {
		t.Fatal(err)
	}
}

// refer looks a pack up, and refers to it.
func refer(r dedup.References, pack format.Name) bool {
	return r.Refer(r.Generation(), pack, format.Data)
}

// publishes reports why a stream may not publish; "" if it may.
func publishes(ctx context.Context, r dedup.References) error {
	return r.While(ctx, func(context.Context) error { return nil })
}

var one, two, three = format.Name{1}, format.Name{2}, format.Name{3}

func TestDocumentsAreAsSpecified(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := banktest.NewMemory()
		condemn(t, b, 1, set(two, one), set(two))
		s := open(t, b, options())
		r := record(t, b)
		documents := map[string]string{}
		for key, text := range b.Snapshot() {
			if err := format.CheckDigest(key, []byte(text)); err != nil {
				t.Error(err)
			}
			text, _, _ = strings.Cut(text, `,"sha256":`)
			documents[strings.ReplaceAll(key, r.Session, "<session>")] = strings.ReplaceAll(text, r.Session, "<session>")
		}
		want := map[string]string{
			"v1/repositories/project/epochs/00000001": `{"format":"repository/1","epoch":1,"condemned":["` + one.String() + `","` + two.String() +
				`"],"gone":["` + two.String() + `"],"created_at":"2000-01-01T00:00:00Z"`,
			"v1/repositories/project/sessions/<session>/00000002": `{"format":"repository/1","session":"<session>","sequence":2,"epoch":1,"keeps":[],` +
				`"renewed_at":"2000-01-01T00:00:00Z","expires_at":"2000-01-01T00:01:00Z"`,
			"v1/repositories/project/sessions/<session>/00000001": `{"format":"repository/1","session":"<session>","sequence":1,"epoch":0,"keeps":[],` +
				`"renewed_at":"2000-01-01T00:00:00Z","expires_at":"2000-01-01T00:01:00Z"`,
		}
		if diff := cmp.Diff(want, documents); diff != "" {
			t.Error(diff)
		}
		if err := s.Close(t.Context()); err != nil || len(b.Snapshot()) != 1 {
			t.Errorf("after its end: %v, %v", b.Snapshot(), err)
		}
	})
}

func TestCondemnedPacksCountAsAbsentAndAreKeptIfReferredToBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := banktest.NewMemory()
		s := open(t, b, options())
		before, after := s.Begin(), s.Begin()
		if !refer(before, one) {
			t.Error("a pack can't be referred to")
		}
		if err := before.Store(two, format.Data)(t.Context(), nil); err != nil {
			t.Error(err)
		}
		condemn(t, b, 1, set(one, two, three), set(three))
		if !refer(after, three) {
			t.Error("an epoch counts before it is known")
		}
		if err := s.Renew(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, name := range []format.Name{one, two, three} {
			if refer(before, name) || refer(after, name) {
				t.Errorf("%v can be referred to although it is condemned", name)
			}
		}
		if err := after.Store(one, format.Data)(t.Context(), nil); !karbor.IsTransient(err) {
			t.Errorf("a pack that is condemned is stored again: %v", err)
		}
		if err := before.Store(one, format.Data)(t.Context(), nil); err != nil {
			t.Errorf("a pack that is kept can't be stored: %v", err)
		}
		if r := record(t, b); r.Epoch != 1 || cmp.Diff(r.Keeps, []string{one.String(), two.String(), three.String()}) != "" {
			t.Errorf("it tells %+v", r)
		}
		before.End(true)
		after.End(true)
		condemn(t, b, 2, set(one), set())
		if err := s.Renew(t.Context()); err != nil {
			t.Fatal(err)
		}
		r, st := record(t, b), s.Begin()
		if r.Epoch != 2 || len(r.Keeps) != 0 {
			t.Errorf("after the streams' end it tells %+v", r)
		}
		if refer(st, one) || !refer(st, two) || refer(st, three) {
			t.Error("not the newest list counts, and what was gone in any")
		}
	})
}

func TestWhatAStreamReferredToIsKeptUntilListingsShowIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := banktest.NewMemory()
		o := options()
		o.Settle = 30 * time.Second
		s := open(t, b, o)
		sure, unsure := s.Begin(), s.Begin()
		refer(sure, one)
		refer(unsure, two)
		sure.End(true)
		unsure.End(false)
		condemn(t, b, 1, set(one, two), set())
		for at, want := range []int{2, 2, 2, 1, 0} {
			if err := s.Renew(t.Context()); err != nil {
				t.Fatal(err)
			}
			if r := record(t, b); len(r.Keeps) != want {
				t.Errorf("after %d s it keeps %d packs, not %d", 10*at, len(r.Keeps), want)
			}
			time.Sleep(margin)
		}
		if err := s.Close(t.Context()); err != nil || len(b.Snapshot()) != 1 {
			t.Errorf("%v, %v", b.Snapshot(), err)
		}
	})
}

func TestSessionThatIsNeededStaysUntilItDies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := banktest.NewMemory()
		o := options()
		o.Settle = 30 * time.Second
		s := open(t, b, o)
		s.Begin().End(true)
		if err := s.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if r := record(t, b); !r.ExpiresAt.After(time.Now()) {
			t.Errorf("%+v", r)
		}
		if err := publishes(t.Context(), s.Begin()); karbor.KindOf(err) != karbor.Conflict {
			t.Errorf("a closed session publishes: %v", err)
		}
	})
}

// TestDeadSessionIsBegunAgain: what is there and not condemned is good after that, and nothing
// else is.
func TestDeadSessionIsBegunAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := banktest.NewMemory()
		s := open(t, b, options())
		reread := 0
		if err := s.Attach(func(_ context.Context, anew bool) error {
			if anew {
				reread++
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		streams := map[string]dedup.References{}
		for name, pack := range map[string]format.Name{"there": one, "condemned": two, "gone": three} {
			streams[name] = s.Begin()
			refer(streams[name], pack)
		}
		stored := streams["there"].Store(format.Name{4}, format.Data)
		store(t, b, one)
		store(t, b, two)
		old := record(t, b).Session
		time.Sleep(expire - margin + 1)
		condemn(t, b, 1, set(two), set())
		stale := streams["there"].Generation()
		running, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- s.Run(running, nil) }()
		for name, r := range streams {
			err := publishes(t.Context(), r) // wakes the session
			if (name == "there") != (err == nil) || err != nil && !karbor.IsTransient(err) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if r := record(t, b); r.Session == old || r.Epoch != 1 || len(r.Keeps) != 1 || reread != 1 {
			t.Errorf("%+v, the index was read %d times", r, reread)
		}
		if streams["there"].Refer(stale, format.Name{5}, format.Data) {
			t.Error("what was looked up before counts")
		}
		if err := stored(t.Context(), nil); err == nil {
			t.Error("a pack that was collected while its answer was on its way is good")
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// TestIndexIsReadAgainWithEachEpoch: what was condemned may lie elsewhere, and it is tried until
// that is known.
func TestIndexIsReadAgainWithEachEpoch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := banktest.NewMemory()
		s := open(t, b, options())
		fail, reads := true, 0
		if err := s.Attach(func(_ context.Context, anew bool) error {
			if reads++; anew {
				t.Error("what no segment names is forgotten by a session that lives")
			}
			if fail {
				return karbor.Transientf("the bank is away")
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		for i, want := range []int{0, 1, 2, 2, 3} {
			if i == 1 || i == 4 {
				condemn(t, b, 1+i/4, set(), set())
			}
			fail = i == 1
			if err := s.Renew(t.Context()); fail != (err != nil) || reads != want {
				t.Errorf("renewal %d: read %d times, %v", i, reads, err)
			}
		}
	})
}

func TestSessionThatCantBeOpenedLeavesNothing(t *testing.T) {
	for n := range 12 {
		b := banktest.NewMemory()
		faulty := banktest.NewFaulty(b)
		faulty.Add(banktest.Fault{Method: banktest.Any, Nth: n + 1})
		s, err := session.Open(t.Context(), faulty, domain, options())
		if err == nil {
			err = s.Close(t.Context())
			if n < 5 {
				t.Errorf("with a fault at operation %d: %v", n+1, err)
			}
		}
		faulty.Heal()
		if left := b.Snapshot(); len(left) != 0 && err == nil {
			t.Errorf("with a fault at operation %d: %v is left", n+1, left)
		} else if s == nil && len(left) != 0 {
			t.Errorf("a session that was not opened leaves %v", left)
		}
	}
}

func TestNobodyPublishesWithoutMargin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := banktest.NewFaulty(banktest.NewMemory())
		s := open(t, b, options())
		st := s.Begin()
		time.Sleep(expire - margin)
		if err := publishes(t.Context(), st); err != nil {
			t.Errorf("with just the margin left: %v", err)
		}
		time.Sleep(time.Second)
		b.Add(banktest.Fault{Method: banktest.Create})
		began := time.Now()
		if err := publishes(t.Context(), st); !karbor.IsTransient(err) || time.Since(began) != expire {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}

func TestPublishingIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, banktest.NewMemory(), options())
		began := time.Now()
		err := s.Begin().While(t.Context(), func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		})
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != margin {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}

func TestSessionRefusesTimesThatDoNotFit(t *testing.T) {
	for name, change := range map[string]func(*session.Options){
		"no clock":          func(o *session.Options) { o.Now = nil },
		"margin too long":   func(o *session.Options) { o.Margin = expire },
		"renewed too late":  func(o *session.Options) { o.Renew = expire - margin },
		"lives too long":    func(o *session.Options) { o.Expire = 2 * session.MaxLife },
		"settles too late":  func(o *session.Options) { o.Settle = expire + 1 },
		"never renewed":     func(o *session.Options) { o.Renew = -1 },
		"expired at birth":  func(o *session.Options) { o.Expire = -1 },
		"margin is nothing": func(o *session.Options) { o.Margin = -1 },
	} {
		o := options()
		change(&o)
		if _, err := session.Open(t.Context(), banktest.NewMemory(), domain, o); err == nil {
			t.Errorf("%s: it is opened", name)
		}
	}
}

package wrap_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/bank/banktest"
	"github.com/karbor/karbor/bank/wrap"
)

var errPassing = karbor.Transientf("it passes")

func retry(inner bank.Bank) bank.Bank {
	return wrap.Retry(inner, wrap.RetryOptions{Attempts: 4, FirstPause: time.Millisecond, LongestPause: 4 * time.Millisecond})
}

func TestEachWrapperIsABank(t *testing.T) {
	for name, around := range map[string]func(bank.Bank) bank.Bank{
		"retry": retry,
		"all": func(b bank.Bank) bank.Bank {
			o := wrap.Defaults()
			o.Limit = wrap.LimitOptions{ReadBytesPerSecond: 10 << 30, WriteBytesPerSecond: 10 << 30, ConcurrentReads: 1, ConcurrentWrites: 2}
			return wrap.Measure(o.Around(b), time.Now, func(wrap.Call) {})
		},
	} {
		t.Run(name, func(t *testing.T) {
			banktest.Run(t, func(*testing.T) bank.Bank { return around(banktest.NewMemory()) })
			banktest.Run(t, func(*testing.T) bank.Bank {
				b := banktest.NewMemory()
				b.SetLocks(time.Hour)
				return around(b)
			})
		})
	}
}

func TestWhatPassesIsTriedAgainUntilItHasBeenOftenEnough(t *testing.T) {
	for _, failures := range []int{0, 1, 3, 4} {
		calls := map[string]func(b bank.Bank) error{
			"put":    func(b bank.Bank) error { return b.Put(t.Context(), "new", strings.NewReader("x"), 1) },
			"create": func(b bank.Bank) error { return b.Create(t.Context(), "new", strings.NewReader("x"), 1) },
			"delete": func(b bank.Bank) error { return b.Delete(t.Context(), "old") },
			"stat":   func(b bank.Bank) error { _, err := b.Stat(t.Context(), "old"); return err },
			"list":   func(b bank.Bank) error { _, err := b.List(t.Context(), "", "", 10); return err },
			"now":    func(b bank.Bank) error { _, err := b.Now(t.Context()); return err },
			"get": func(b bank.Bank) error {
				body, err := b.Get(t.Context(), "old", 0, -1)
				if err == nil {
					_ = body.Close()
				}
				return err
			},
		}
		for name, call := range calls {
			faulty := banktest.NewFaulty(filled(t, "old"))
			for i := range failures {
				faulty.Add(banktest.Fault{Method: banktest.Any, Nth: i + 1, Err: errPassing})
			}
			err := call(retry(faulty))
			if (err == nil) != (failures < 4) || err != nil && !errors.Is(err, errPassing) {
				t.Errorf("%s after %d failures: %v", name, failures, err)
			}
			if n := len(faulty.Calls()); n != min(failures+1, 4) {
				t.Errorf("%s with %d failures was called %d times", name, failures, n)
			}
		}
	}
}

func filled(t *testing.T, keys ...string) bank.Bank {
	t.Helper()
	b := banktest.NewMemory()
	for _, key := range keys {
		if err := b.Put(t.Context(), key, strings.NewReader("of "+key), int64(len("of "+key))); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

func TestWhatIsFinalIsNotTriedAgain(t *testing.T) {
	for _, final := range []error{
		karbor.Errorf(karbor.Conflict, "it is there"), karbor.Errorf(karbor.OverLimit, "the bank is full"), errors.New("ours"), context.Canceled,
	} {
		faulty := banktest.NewFaulty(filled(t))
		faulty.Add(banktest.Fault{Method: banktest.Any, Err: final})
		if err := retry(faulty).Put(t.Context(), "a", strings.NewReader("x"), 1); !errors.Is(err, final) || len(faulty.Calls()) != 1 {
			t.Errorf("%v: got %v after %d calls", final, err, len(faulty.Calls()))
		}
	}
}

func TestUrgentCallsAreTriedAgainOnce(t *testing.T) {
	faulty := banktest.NewFaulty(filled(t))
	faulty.Add(banktest.Fault{Method: banktest.Any, Err: errPassing})
	if err := retry(faulty).Put(bank.Urgent(t.Context()), "a", strings.NewReader("x"), 1); err == nil || len(faulty.Calls()) != 2 {
		t.Errorf("got %v after %d calls", err, len(faulty.Calls()))
	}
}

func TestBodyThatCannotBeReadAgainIsSentOnce(t *testing.T) {
	faulty := banktest.NewFaulty(filled(t))
	faulty.Add(banktest.Fault{Method: banktest.Put, Nth: 1, Err: errPassing})
	body := io.MultiReader(strings.NewReader("x"))
	if err := retry(faulty).Put(t.Context(), "a", body, 1); !errors.Is(err, errPassing) || len(faulty.Calls()) != 1 {
		t.Errorf("got %v after %d calls", err, len(faulty.Calls()))
	}
}

func TestBodyIsSentAgainFromWhereItWas(t *testing.T) {
	inner := banktest.NewMemory()
	faulty := banktest.NewFaulty(inner)
	faulty.Add(banktest.Fault{Method: banktest.Put, Nth: 1, AfterBytes: 2, Err: errPassing})
	body := strings.NewReader("skipped,sent")
	if _, err := io.CopyN(io.Discard, body, 8); err != nil {
		t.Fatal(err)
	}
	if err := retry(faulty).Put(t.Context(), "a", body, 4); err != nil {
		t.Fatal(err)
	}
	if got := text(t, inner, "a"); got != "sent" {
		t.Errorf("the object holds %q", got)
	}
}

func text(t *testing.T, b bank.Bank, key string) string {
	t.Helper()
	body, err := b.Get(t.Context(), key, 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = body.Close() }()
	all, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	return string(all)
}

func TestCreateWhoseAnswerWasLostHasSucceeded(t *testing.T) {
	big := strings.Repeat("x", 100_000)
	for _, test := range []struct {
		there string // what somebody else has put there
		lost  bool
		want  karbor.Kind
		fine  bool
	}{
		{lost: true, fine: true},
		{there: big, lost: true, want: karbor.Conflict}, // not unsure: the first attempt says so
		{there: big[1:], want: karbor.Conflict},
	} {
		inner := banktest.NewMemory()
		if test.there != "" {
			if err := inner.Put(t.Context(), "a", strings.NewReader(test.there), int64(len(test.there))); err != nil {
				t.Fatal(err)
			}
		}
		faulty := banktest.NewFaulty(inner)
		if test.lost {
			faulty.Add(banktest.Fault{Method: banktest.Create, Nth: 1, Done: true, Err: errPassing})
		}
		err := retry(faulty).Create(t.Context(), "a", strings.NewReader(big), int64(len(big)))
		if (err == nil) != test.fine || err != nil && karbor.KindOf(err) != test.want {
			t.Errorf("%+v: got %v", test.lost, err)
		}
	}
}

func TestCreateThatFailedLosesToOthersBytes(t *testing.T) {
	for _, other := range []string{"yyyy", "xxx", "xxxxx", ""} {
		inner := banktest.NewMemory()
		faulty := banktest.NewFaulty(inner)
		faulty.Add(banktest.Fault{Method: banktest.Create, Nth: 1, Err: errPassing})
		body := &hooked{ReadSeeker: strings.NewReader("xxxx"), rewound: func() {
			_ = inner.Create(t.Context(), "a", strings.NewReader(other), int64(len(other)))
		}}
		if err := retry(faulty).Create(t.Context(), "a", body, 4); karbor.KindOf(err) != karbor.Conflict {
			t.Errorf("against %q: got %v, want a conflict", other, err)
		}
	}
}

// hooked calls rewound when it is taken back to its start.
type hooked struct {
	io.ReadSeeker
	rewound func()
}

func (h *hooked) Seek(offset int64, whence int) (int64, error) {
	if whence == io.SeekStart {
		h.rewound()
	}
	return h.ReadSeeker.Seek(offset, whence)
}

// broken is a bank whose readers break after every few bytes, and can resume.
type broken struct {
	bank.Bank
	every    int64
	resumes  atomic.Int64
	replaced bool
}

type brokenReader struct {
	io.ReadCloser
	from *broken
	key  string
	at   int64
	left int64
}

func (b *broken) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	body, err := b.Bank.Get(ctx, key, offset, length)
	if err != nil {
		return nil, err
	}
	return &brokenReader{body, b, key, offset, b.every}, nil
}

func (r *brokenReader) Read(p []byte) (int, error) {
	if r.left == 0 {
		return 0, errPassing
	}
	n, err := r.ReadCloser.Read(p[:min(int64(len(p)), r.left)])
	r.left -= int64(n)
	return n, err
}

func (r *brokenReader) Resume(ctx context.Context, offset int64) (io.ReadCloser, error) {
	r.from.resumes.Add(1)
	if r.from.replaced {
		return nil, karbor.Errorf(karbor.Unavailable, "it was replaced")
	}
	return r.from.Get(ctx, r.key, r.at+offset, -1)
}

func TestReadGoesOnWhereItBroke(t *testing.T) {
	content := strings.Repeat("0123456789", 1000)
	inner := banktest.NewMemory()
	if err := inner.Put(t.Context(), "a", strings.NewReader(content), int64(len(content))); err != nil {
		t.Fatal(err)
	}
	for name, around := range map[string]func(bank.Bank) bank.Bank{
		"alone": retry,
		"over limit": func(b bank.Bank) bank.Bank {
			return retry(wrap.Limit(b, wrap.LimitOptions{ReadBytesPerSecond: 1 << 30}))
		},
		"over measure": func(b bank.Bank) bank.Bank { return retry(wrap.Measure(b, time.Now, func(wrap.Call) {})) },
	} {
		b := &broken{Bank: inner, every: 997}
		body, err := around(b).Get(t.Context(), "a", 10, -1)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(body)
		if err != nil || string(got) != content[10:] || b.resumes.Load() != 10 {
			t.Errorf("%s: %d bytes, error %v, resumed %d times", name, len(got), err, b.resumes.Load())
		}
		_ = body.Close()
	}
	b := &broken{Bank: inner, every: 997, replaced: true}
	body, err := retry(b).Get(t.Context(), "a", 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(body)
	if len(got) != 997 || err == nil || karbor.IsTransient(err) {
		t.Errorf("of a replaced object: %d bytes, error %v", len(got), err)
	}
}

func TestPausesGrowAndEndWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		faulty := banktest.NewFaulty(banktest.NewMemory())
		faulty.Add(banktest.Fault{Method: banktest.Any, Err: errPassing})
		b := wrap.Retry(faulty, wrap.RetryOptions{Attempts: 6, FirstPause: time.Second, LongestPause: 4 * time.Second})
		start := time.Now()
		if err := b.Delete(t.Context(), "a"); err == nil {
			t.Error("no error")
		}
		// 1+2+4+4+4 seconds, each shortened by up to half.
		if took := time.Since(start); took < 7500*time.Millisecond || took > 15*time.Second {
			t.Errorf("6 attempts took %v", took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		start = time.Now()
		if err := b.Delete(ctx, "a"); !errors.Is(err, errPassing) || time.Since(start) != 100*time.Millisecond {
			t.Errorf("with a context that ends: %v after %v", err, time.Since(start))
		}
	})
}

func TestMeasureTellsOfEachCall(t *testing.T) {
	var calls []wrap.Call
	now := time.Unix(0, 0)
	clock := func() time.Time {
		now = now.Add(time.Second)
		return now
	}
	faulty := banktest.NewFaulty(filled(t, "old"))
	faulty.Add(banktest.Fault{Method: banktest.Delete, Err: errPassing})
	b := wrap.Measure(faulty, clock, func(c wrap.Call) { calls = append(calls, c) })
	_ = b.Put(t.Context(), "a", strings.NewReader("abc"), 3)
	_ = text(t, b, "a")
	_ = b.Delete(t.Context(), "a")
	_, _ = b.Get(t.Context(), "none", 0, -1)
	want := []wrap.Call{
		{Method: "put", Took: time.Second, Bytes: 3},
		{Method: "get", Took: time.Second, Bytes: 3},
		{Method: "delete", Took: time.Second, Err: errPassing},
		{Method: "get", Took: time.Second},
	}
	if karbor.KindOf(calls[3].Err) != karbor.NotFound {
		t.Errorf("the last call failed with %v", calls[3].Err)
	}
	calls[3].Err = nil
	same := cmp.Comparer(func(a, b error) bool { return errors.Is(a, b) && errors.Is(b, a) })
	if diff := cmp.Diff(want, calls, same); diff != "" {
		t.Error(diff)
	}
}

func TestReadOnlyBankChangesNothing(t *testing.T) {
	inner := filled(t, "old")
	b := wrap.ReadOnly(inner)
	for what, err := range map[string]error{
		"put": b.Put(t.Context(), "new", strings.NewReader("x"), 1), "create": b.Create(t.Context(), "new", strings.NewReader("x"), 1),
		"delete": b.Delete(t.Context(), "old"),
	} {
		if karbor.KindOf(err) != karbor.Unavailable || karbor.IsTransient(err) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if got := text(t, b, "old"); got != "of old" || !b.Traits().ReadOnly {
		t.Errorf("old holds %q, traits %+v", got, b.Traits())
	}
	if infos, err := b.List(t.Context(), "", "", 10); err != nil || len(infos) != 1 {
		t.Errorf("lists %v, %v", infos, err)
	}
}

func TestWrongOptionsAreRefused(t *testing.T) {
	good := wrap.Defaults()
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
	for _, spoil := range []func(o *wrap.Options){
		func(o *wrap.Options) { o.Retry.Attempts = 0 }, func(o *wrap.Options) { o.Retry.Attempts = 101 },
		func(o *wrap.Options) { o.Retry.FirstPause = 0 }, func(o *wrap.Options) { o.Retry.LongestPause = 1 },
		func(o *wrap.Options) { o.Limit.ReadBytesPerSecond = -1 }, func(o *wrap.Options) { o.Limit.ConcurrentWrites = -1 },
	} {
		o := wrap.Defaults()
		spoil(&o)
		if err := o.Validate(); karbor.KindOf(err) != karbor.Invalid || err == nil {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

package chunks_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank/banktest"
	"github.com/karbor/karbor/internal/repository/chunks"
)

func TestEveryFailureWhileWritingIsToldAndCanBeRepeated(t *testing.T) {
	data := random(5500)
	for n := 1; ; n++ {
		m := banktest.NewMemory()
		f := banktest.NewFaulty(m)
		c := open(t, f)
		f.Add(banktest.Fault{Method: banktest.Any, Nth: n, Onward: true, Done: n%2 == 0})
		err := write(t, c, data)
		if err == nil {
			if n < 8 {
				t.Errorf("only %d calls were made", n-1)
			}
			return
		}
		if !errors.Is(err, banktest.ErrFault) {
			t.Errorf("call %d: %v, want the bank's error", n, err)
		}
		f.Heal()
		switch _, err := c.Stat(t.Context(), "x"); {
		case karbor.KindOf(err) == karbor.NotFound:
			if err := write(t, c, data); err != nil {
				t.Errorf("again after call %d failed: %v", n, err)
			}
		case err != nil:
			t.Error(err)
		}
		if got, err := load(t.Context(), c, "x"); err != nil || !bytes.Equal(got, data) {
			t.Errorf("after call %d failed: %d bytes, %v", n, len(got), err)
		}
		if objects := len(m.Snapshot()); objects != 7 {
			t.Errorf("after call %d failed: %d objects, want 6 chunks and a manifest", n, objects)
		}
	}
}

// write stores data under "x", and aborts when it can't.
func write(t *testing.T, c *chunks.Streams, data []byte) error {
	w, err := c.Create(t.Context(), "x")
	if err != nil {
		return err
	}
	if _, err = w.Write(data); err == nil {
		_, err = w.Commit(t.Context())
	}
	if err != nil {
		_ = w.Abort(t.Context()) // the bank may be gone
	}
	return err
}

func TestLostAnswerToTheManifestIsNoFailure(t *testing.T) {
	f := banktest.NewFaulty(banktest.NewMemory())
	c := open(t, f)
	f.Add(banktest.Fault{Method: banktest.Create, Nth: 3, Done: true})
	data := random(2000)
	store(t, c, "x", data)
	if got, err := load(t.Context(), c, "x"); err != nil || !bytes.Equal(got, data) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

func TestFailureWhileReadingIsTold(t *testing.T) {
	f := banktest.NewFaulty(banktest.NewMemory())
	c := open(t, f)
	store(t, c, "x", random(5500))
	for _, fault := range []banktest.Fault{
		{Method: banktest.Get, Nth: 1}, {Method: banktest.Get, Nth: 3}, {Method: banktest.Get, Nth: 4, AfterBytes: 500},
		{Method: banktest.Get, Nth: 2, Err: karbor.Transientf("the bank does not answer now")},
	} {
		f.Heal()
		f.Add(fault)
		_, err := load(t.Context(), c, "x")
		want := fault.Err
		if want == nil {
			want = banktest.ErrFault
		}
		if !errors.Is(err, want) || karbor.IsTransient(err) != karbor.IsTransient(want) {
			t.Errorf("%+v: %v", fault, err)
		}
	}
}

func TestContextEndsWritingAndReading(t *testing.T) {
	f := banktest.NewFaulty(banktest.NewMemory())
	c := open(t, f)
	store(t, c, "x", random(9500))

	f.Add(banktest.Fault{Method: banktest.Create, Nth: 2, Onward: true, Block: true})
	ctx, cancel := context.WithCancel(t.Context())
	w, err := c.Create(ctx, "y")
	if err != nil {
		t.Fatal(err)
	}
	go cancel()
	if _, err := w.Write(random(100_000)); !errors.Is(err, context.Canceled) {
		t.Errorf("write: %v", err)
	}
	if err := w.Abort(t.Context()); err != nil {
		t.Error(err)
	}

	f.Add(banktest.Fault{Method: banktest.Get, Nth: 4, Onward: true, Block: true})
	ctx, cancel = context.WithCancel(t.Context())
	r, err := c.Open(ctx, "x")
	if err != nil {
		t.Fatal(err)
	}
	go cancel()
	if _, err := io.Copy(io.Discard, r); !errors.Is(err, context.Canceled) {
		t.Errorf("read: %v", err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if _, err := r.Read(make([]byte, 1)); err == nil {
		t.Error("a closed reader gives bytes")
	}
}

package banktest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
)

func oneOfRacingCreatesWins(t *testing.T, b bank.Bank) {
	const racers = 8
	for round := range 10 {
		key := fmt.Sprintf("race/%d/key", round)
		var won atomic.Int64
		var wg sync.WaitGroup
		start := make(chan struct{})
		for i := range racers {
			wg.Go(func() {
				<-start
				text := strings.Repeat(strconv.Itoa(i), 100)
				err := b.Create(t.Context(), key, strings.NewReader(text), 100)
				switch {
				case err == nil:
					won.Add(1)
				case karbor.KindOf(err) != karbor.Conflict:
					t.Errorf("create: %v", err)
				}
			})
		}
		close(start)
		wg.Wait()
		if n := won.Load(); n < 1 || b.Traits().AtomicCreate && n != 1 {
			t.Errorf("%d racers of %d won", n, racers)
		}
		if text := Load(t, b, key); text != strings.Repeat(text[:1], 100) {
			t.Errorf("holds a mixture: %s", text)
		}
	}
}

func deleteIsIdempotent(t *testing.T, b bank.Bank) {
	Store(t, b, "a/b", "x")
	for range 3 {
		for _, key := range []string{"a/b", "never", "a/b/c", "a"} {
			if err := b.Delete(t.Context(), key); err != nil {
				t.Errorf("delete %s: %v", key, err)
			}
		}
		wantMissing(t, b, "a/b")
	}
}

func deletedKeyCanBeUsedAgain(t *testing.T, b bank.Bank) {
	for _, text := range []string{"one", "two", "three"} {
		if err := b.Create(t.Context(), "a/b/c", strings.NewReader(text), int64(len(text))); err != nil {
			t.Fatal(err)
		}
		if got := Load(t, b, "a/b/c"); got != text {
			t.Errorf("holds %q, want %q", got, text)
		}
		if err := b.Delete(t.Context(), "a/b/c"); err != nil {
			t.Fatal(err)
		}
	}
}

func readersNeverSeeAPart(t *testing.T, b bank.Bank) {
	const size = 200_000
	text := func(i int) string { return strings.Repeat(string(rune('a'+i%26)), size) }
	Store(t, b, "key", text(0))
	var wg sync.WaitGroup
	done := make(chan struct{})
	for range 2 {
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				body, err := b.Get(t.Context(), "key", 0, -1)
				if err != nil {
					t.Errorf("get: %v", err)
					return
				}
				got, err := io.ReadAll(body)
				if err = errors.Join(err, body.Close()); err != nil || len(got) != size || strings.Count(string(got), string(got[:1])) != size {
					t.Errorf("%d bytes of a mixture, error %v", len(got), err)
					return
				}
				if infos, err := b.List(t.Context(), "", "", 10); err != nil || len(infos) != 1 || infos[0].Size != size {
					t.Errorf("list: %v, %v", infos, err)
					return
				}
			}
		})
	}
	for i := range 30 {
		Store(t, b, "key", text(i))
	}
	close(done)
	wg.Wait()
}

func openReaderSeesOneObject(t *testing.T, b bank.Bank) {
	const size = 300_000
	Store(t, b, "key", strings.Repeat("a", size))
	body, err := b.Get(t.Context(), "key", 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	first := make([]byte, 10)
	if _, err := io.ReadFull(body, first); err != nil {
		t.Fatal(err)
	}
	Store(t, b, "key", strings.Repeat("b", size))
	rest, err := io.ReadAll(body)
	if closeErr := body.Close(); closeErr != nil {
		t.Error(closeErr)
	}
	// A bank may give up the old object, but not mix it with the new one.
	if strings.Contains(string(rest), "b") || err == nil && len(rest) != size-10 {
		t.Errorf("%d bytes more, error %v: not the rest of the old object", len(rest), err)
	}
}

func neighboursDoNotDisturb(t *testing.T, b bank.Bank) {
	var wg sync.WaitGroup
	for i := range 6 {
		wg.Go(func() {
			key := fmt.Sprintf("a/b/c/%d", i%3)
			for range 15 {
				if i < 3 {
					if err := b.Put(t.Context(), key+"/x", strings.NewReader("x"), 1); err != nil {
						t.Errorf("put: %v", err)
					}
					if _, err := b.Stat(t.Context(), key+"/x"); err != nil {
						t.Errorf("stat: %v", err)
					}
					if err := b.Delete(t.Context(), key+"/x"); err != nil {
						t.Errorf("delete: %v", err)
					}
				} else if err := b.Delete(t.Context(), key+"/y"); err != nil {
					t.Errorf("delete: %v", err)
				}
			}
		})
	}
	wg.Wait()
	if got := keys(t, b, "", "", 10); len(got) != 0 {
		t.Errorf("left: %q", got)
	}
}

func endedContextStopsEveryMethod(t *testing.T, b bank.Bank) {
	Store(t, b, "key", "x")
	ctx := ended(t)
	_, getErr := b.Get(ctx, "key", 0, -1)
	_, statErr := b.Stat(ctx, "key")
	_, listErr := b.List(ctx, "", "", 1)
	_, nowErr := b.Now(ctx)
	for what, err := range map[string]error{
		"put": b.Put(ctx, "new", strings.NewReader("x"), 1), "create": b.Create(ctx, "new", strings.NewReader("x"), 1),
		"get": getErr, "stat": statErr, "list": listErr, "delete": b.Delete(ctx, "key"), "now": nowErr,
	} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: error %v, want that of the context", what, err)
		}
	}
	wantMissing(t, b, "new")
	if got := Load(t, b, "key"); got != "x" {
		t.Errorf("the object holds %q", got)
	}
}

// endless gives bytes for ever, and ends a context after some.
type endless struct {
	left   int64
	cancel func()
}

func (r *endless) Read(p []byte) (int, error) {
	if r.left -= int64(len(p)); r.left < 0 {
		r.cancel()
	}
	clear(p)
	return len(p), nil
}

func contextEndsAWriteAndARead(t *testing.T, b bank.Bank) {
	ctx, cancel := context.WithCancel(t.Context())
	err := b.Put(ctx, "new", &endless{left: 1 << 20, cancel: cancel}, 1<<40)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("put: error %v, want that of the context", err)
	}
	wantMissing(t, b, "new")

	Store(t, b, "big", strings.Repeat("x", 8<<20))
	ctx, cancel = context.WithCancel(t.Context())
	defer cancel()
	body, err := b.Get(ctx, "big", 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = body.Close() }()
	if _, err := io.ReadFull(body, make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := io.Copy(io.Discard, body); !errors.Is(err, context.Canceled) {
		t.Errorf("read: error %v, want that of the context", err)
	}
}

// pattern gives size bytes that depend on their position.
type pattern struct{ at, size int64 }

func (p *pattern) Read(buf []byte) (int, error) {
	if p.at == p.size {
		return 0, io.EOF
	}
	n := int(min(int64(len(buf)), p.size-p.at))
	for i := range n {
		at := p.at + int64(i)
		buf[i] = byte(at) ^ byte(at>>8) ^ byte(at>>16) ^ byte(at>>24)
	}
	p.at += int64(n)
	return n, nil
}

func streamsBigObjects(t *testing.T, b bank.Bank) {
	const size = 64 << 20
	if err := b.Put(t.Context(), "big", &pattern{size: size}, size); err != nil {
		t.Fatal(err)
	}
	body, err := b.Get(t.Context(), "big", 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = body.Close() }()
	want := &pattern{size: size}
	got, expected := make([]byte, 1<<20), make([]byte, 1<<20)
	for at := 0; at < size; at += len(got) {
		if _, err := io.ReadFull(body, got); err != nil {
			t.Fatalf("at byte %d: %v", at, err)
		}
		if _, err := io.ReadFull(want, expected); err != nil {
			t.Fatal(err)
		}
		if string(got) != string(expected) {
			t.Fatalf("another byte in the MiB at %d", at)
		}
	}
	if n, err := body.Read(got); n != 0 || err != io.EOF {
		t.Errorf("after the end: %d bytes, error %v", n, err)
	}
}

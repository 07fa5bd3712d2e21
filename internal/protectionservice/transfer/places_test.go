package transfer

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor/protection"
)

// entrants are streams that want to move, in a synctest bubble.
type entrants struct {
	t      *testing.T
	places *Places
	in     []string
	leave  map[string]func()
}

// come has a stream wait for its place. Its name begins with its project's letter.
func (e *entrants) come(name string) {
	go func() {
		leave, err := e.places.Enter(e.t.Context(), name[:1], Stream{})
		if err != nil {
			e.t.Errorf("stream %s: %v", name, err)
			return
		}
		e.in = append(e.in, name)
		e.leave[name] = leave
	}()
	synctest.Wait()
}

func (e *entrants) expect(want ...string) {
	e.t.Helper()
	synctest.Wait()
	if diff := cmp.Diff(want, e.in); diff != "" {
		e.t.Errorf("the streams that have got their places (-want +got):\n%s", diff)
	}
}

func TestTransfersAreSharedFairly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := entrants{t: t, places: New(Bounds{Shared: 2, Most: 4}), leave: map[string]func(){}}
		for _, name := range []string{"a1", "a2", "a3", "a4"} {
			e.come(name)
		}
		e.expect("a1", "a2")
		e.come("b1") // it moves nothing yet
		e.expect("a1", "a2", "b1")
		e.come("b2")
		e.come("c1")
		e.expect("a1", "a2", "b1", "c1")
		e.come("d1") // there are four, the most
		e.expect("a1", "a2", "b1", "c1")
		e.leave["c1"]()
		e.expect("a1", "a2", "b1", "c1", "d1")
		e.leave["a1"]()
		e.leave["d1"]() // two move, which is what all share
		e.expect("a1", "a2", "b1", "c1", "d1")
		e.leave["a2"]() // the next is of who moves the least
		e.expect("a1", "a2", "b1", "c1", "d1", "a3")
		e.leave["a3"]()
		e.expect("a1", "a2", "b1", "c1", "d1", "a3", "a4")
		e.leave["a4"]()
		e.expect("a1", "a2", "b1", "c1", "d1", "a3", "a4", "b2")
		e.leave["b1"]()
		e.leave["b2"]()
		if e.places.used != 0 || len(e.places.moving) != 0 || len(e.places.queue) != 0 {
			t.Errorf("left are %d places, %v, %v", e.places.used, e.places.moving, e.places.queue)
		}
	})
}

func TestTransferThatIsGivenUpKeepsNoPlace(t *testing.T) {
	places := New(Bounds{Shared: 1, Most: 1})
	leave, err := places.Enter(t.Context(), "a", Stream{})
	if err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := places.Enter(ended, "b", Stream{}); !errors.Is(err, context.Canceled) {
		t.Errorf("waiting gave %v", err)
	}
	leave()
	if leave, err = places.Enter(t.Context(), "c", Stream{}); err != nil {
		t.Fatal(err)
	}
	leave()
}

// streams is a repository whose streams hold nothing.
type streams struct {
	protection.Repository
	err error
}

type stream struct{ io.Reader }

func (stream) Write(p []byte) (int, error)                        { return len(p), nil }
func (stream) Commit(context.Context) (protection.Summary, error) { return protection.Summary{}, nil }
func (stream) Abort(context.Context) error                        { return nil }
func (stream) Close() error                                       { return nil }
func (stream) Summary() protection.Summary                        { return protection.Summary{} }

func (s streams) Create(context.Context, string) (protection.Writer, error) { return stream{}, s.err }
func (s streams) Open(context.Context, string) (protection.Reader, error)   { return stream{}, s.err }
func (s streams) Verify(context.Context, string, func(int64, int64)) error  { return s.err }

func TestHookHasAPlaceWhileAStreamIsOpen(t *testing.T) {
	places := New(Bounds{Shared: 4, Most: 4})
	check := func(when string, want int) {
		t.Helper()
		places.mu.Lock()
		defer places.mu.Unlock()
		if places.used != want {
			t.Errorf("%s there are %d places taken, want %d", when, places.used, want)
		}
	}
	r := places.Govern("p", Stream{}, streams{})
	w, err := r.Create(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	read, err := r.Open(t.Context(), "b")
	if err != nil {
		t.Fatal(err)
	}
	check("with two streams of one hook", 1)
	if _, err := w.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	_ = w.Abort(t.Context()) // does nothing after Commit
	check("with one left", 1)
	_ = read.Close()
	_ = read.Close()
	check("after both", 0)
	if err := r.Verify(t.Context(), "a", nil); err != nil {
		t.Fatal(err)
	}
	check("after verifying", 0)
	failing := places.Govern("p", Stream{}, streams{err: errors.New("no")})
	if _, err := failing.Create(t.Context(), "a"); err == nil {
		t.Error("no error")
	}
	if _, err := failing.Open(t.Context(), "a"); err == nil {
		t.Error("no error")
	}
	check("after what failed", 0)
}

func TestHookThatLeavesAStreamOpenGivesItsPlaceBackAtItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		places := New(Bounds{Shared: 1, Most: 1})
		ctx, cancel := context.WithCancel(t.Context())
		if _, err := places.Govern("p", Stream{}, streams{}).Create(ctx, "a"); err != nil {
			t.Fatal(err)
		}
		cancel()
		synctest.Wait()
		if places.used != 0 {
			t.Error("the place is still taken")
		}
	})
}

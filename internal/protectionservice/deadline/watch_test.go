package deadline

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protection"
)

const limit = time.Hour

// options are those of a watch over a Main hook.
func options() Options {
	return Options{Limits: Limits{Main: limit}, Phase: "main", Now: time.Now}
}

// hangs is a hook that waits for its end.
func hangs(ctx context.Context, _ *protection.Call) error {
	<-ctx.Done()
	return ctx.Err()
}

func TestAHookThatGetsNoFurtherIsEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		err := New(options()).Run(t.Context(), hangs, &protection.Call{})
		if took := time.Since(begun); took != limit {
			t.Errorf("it was ended after %s", took)
		}
		if !errors.Is(err, ErrStalled) || karbor.IsTransient(err) || karbor.Sentence(err) != "it got no further in its phase main for 1h0m0s, and was ended" {
			t.Errorf("error is %v (%s)", err, karbor.Sentence(err))
		}
	})
}

// record is a scratch record, and new resources, that take anything, or nothing.
type record struct {
	protection.NewResources
	err error
}

func (r record) Load(context.Context, any) error               { return r.err }
func (r record) Save(context.Context, any) error               { return r.err }
func (r record) Set(context.Context, string) error             { return r.err }
func (r record) SetPart(context.Context, string, string) error { return r.err }

// streams opens any stream, or none.
type streams struct {
	protection.Repository
	err error
}

func (s streams) Open(context.Context, string) (protection.Reader, error) {
	return stream{err: s.err}, s.err
}
func (s streams) Create(context.Context, string) (protection.Writer, error) {
	return stream{err: s.err}, s.err
}
func (s streams) Verify(context.Context, string, func(done, total int64)) error  { return s.err }
func (s streams) Stat(context.Context, string) (r protection.Summary, err error) { return r, s.err }

func TestWhatMovesIsNotEndedAndWhatOnlyLooksLikeItIs(t *testing.T) {
	done := int64(0)
	for name, c := range map[string]struct {
		does  func(context.Context, *protection.Call)
		moves bool
	}{
		"bytes":               {func(_ context.Context, c *protection.Call) { done++; c.Progress(done, 0) }, true},
		"no more bytes":       {func(_ context.Context, c *protection.Call) { c.Progress(7, 9) }, false},
		"a record":            {func(ctx context.Context, c *protection.Call) { _ = c.Scratch.Save(ctx, nil) }, true},
		"a record that reads": {func(ctx context.Context, c *protection.Call) { _ = c.Scratch.Load(ctx, nil) }, false},
		"a new resource":      {func(ctx context.Context, c *protection.Call) { _ = c.NewResources.Set(ctx, "id") }, true},
		"no new resource":     {func(ctx context.Context, c *protection.Call) { _ = c.NewResources.Set(ctx, "") }, false},
		"a new part":          {func(ctx context.Context, c *protection.Call) { _ = c.NewResources.SetPart(ctx, "a", "b") }, true},
		"no new part":         {func(ctx context.Context, c *protection.Call) { _ = c.NewResources.SetPart(ctx, "a", "") }, false},
		"a stream to read":    {func(ctx context.Context, c *protection.Call) { _, _ = c.Data.Open(ctx, "") }, true},
		"a stream to write":   {func(ctx context.Context, c *protection.Call) { _, _ = c.Data.Create(ctx, "") }, true},
		"a verified stream":   {func(ctx context.Context, c *protection.Call) { _ = c.Data.Verify(ctx, "", nil) }, true},
		"a look":              {func(ctx context.Context, c *protection.Call) { _, _ = c.Data.Stat(ctx, "") }, false},
		"a sentence":          {func(_ context.Context, c *protection.Call) { c.Waiting("for the cloud") }, false},
	} {
		for _, broken := range []error{nil, io.ErrUnexpectedEOF} {
			moves := c.moves && (broken == nil || name == "bytes")
			synctest.Test(t, func(t *testing.T) {
				call := &protection.Call{
					Scratch: record{err: broken}, NewResources: record{err: broken}, Data: streams{err: broken},
					Waiting: func(string) {}, Progress: func(int64, int64) {},
				}
				begun := time.Now()
				err := New(options()).Run(t.Context(), func(ctx context.Context, call *protection.Call) error {
					for range 10 {
						select {
						case <-time.After(limit / 2):
							c.does(ctx, call)
						case <-ctx.Done():
							return ctx.Err()
						}
					}
					return nil
				}, call)
				took := time.Since(begun)
				if moves && (err != nil || took != 5*limit) || !moves && (!errors.Is(err, ErrStalled) || took > 2*limit) {
					t.Errorf("%s, which fails with %v: ended after %s with %v", name, broken, took, err)
				}
			})
		}
	}
}

func TestTheWaitForATurnDoesNotCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun, o := time.Now(), options()
		o.Queued = func() bool { return time.Since(begun) < 10*limit }
		if err := New(o).Run(t.Context(), hangs, &protection.Call{}); !errors.Is(err, ErrStalled) {
			t.Errorf("error is %v", err)
		}
		if took := time.Since(begun); took < 10*limit || took > 11*limit {
			t.Errorf("it was ended after %s", took)
		}
	})
}

func TestTheHooksOwnEndStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		own := karbor.Transientf("the cloud is away")
		if err := New(options()).Run(t.Context(), func(context.Context, *protection.Call) error { return own }, &protection.Call{}); !errors.Is(err, own) || !karbor.IsTransient(err) {
			t.Errorf("error is %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), limit/2)
		defer cancel()
		if err := New(options()).Run(ctx, hangs, &protection.Call{}); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrStalled) {
			t.Errorf("with its attempt over: %v", err)
		}
		o := options()
		o.Phase = "undo" // which has no limit here
		ctx, cancel = context.WithTimeout(t.Context(), 100*limit)
		defer cancel()
		if err := New(o).Run(ctx, hangs, &protection.Call{}); errors.Is(err, ErrStalled) {
			t.Errorf("without a limit: %v", err)
		}
	})
}

func TestEachPhaseHasItsLimit(t *testing.T) {
	l := Limits{Prepare: 1, Main: 2, Complete: 3, Undo: 4}
	for word, want := range map[string]time.Duration{"prepare_begin": 1, "prepare_finish": 1, "main": 2, "complete": 3, "undo": 4, "resume": 4} {
		if got := l.Of(word); got != want {
			t.Errorf("%s: %d", word, got)
		}
	}
}

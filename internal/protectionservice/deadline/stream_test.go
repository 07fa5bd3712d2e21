package deadline

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/karbor/karbor/protection"
)

// stream takes and gives any bytes, or none.
type stream struct {
	protection.Reader
	err error
}

func (s stream) Write(p []byte) (int, error) { return s.Read(p) }
func (s stream) Read(p []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	return len(p), nil
}
func (s stream) Close() error                { return s.err }
func (s stream) Abort(context.Context) error { return s.err }
func (s stream) Commit(context.Context) (protection.Summary, error) {
	return protection.Summary{Size: 7}, s.err
}
func (s stream) Summary() protection.Summary { return protection.Summary{Size: 9} }

// opened is a repository that has any stream, whose streams may be broken.
type opened struct {
	protection.Repository
	stream stream
}

func (o opened) Open(context.Context, string) (protection.Reader, error)   { return o.stream, nil }
func (o opened) Create(context.Context, string) (protection.Writer, error) { return o.stream, nil }

func TestTheBytesAndTheEndOfAStreamAreMovement(t *testing.T) {
	some := make([]byte, 1)
	for name, does := range map[string]func(context.Context, protection.Writer, protection.Reader){
		"a write":  func(_ context.Context, w protection.Writer, _ protection.Reader) { _, _ = w.Write(some) },
		"a copy":   func(_ context.Context, w protection.Writer, r protection.Reader) { _, _ = io.CopyN(w, r, 1) },
		"a read":   func(_ context.Context, _ protection.Writer, r protection.Reader) { _, _ = r.Read(some) },
		"a commit": func(ctx context.Context, w protection.Writer, _ protection.Reader) { _, _ = w.Commit(ctx) },
		"an abort": func(ctx context.Context, w protection.Writer, _ protection.Reader) { _ = w.Abort(ctx) },
		"a close":  func(_ context.Context, _ protection.Writer, r protection.Reader) { _ = r.Close() },
		"nothing":  func(_ context.Context, w protection.Writer, _ protection.Reader) { _, _ = w.Write(nil) },
	} {
		for _, broken := range []error{nil, io.ErrUnexpectedEOF} {
			moves := broken == nil && name != "nothing"
			synctest.Test(t, func(t *testing.T) {
				begun := time.Now()
				err := New(options()).Run(t.Context(), func(ctx context.Context, call *protection.Call) error {
					w, err := call.Data.Create(ctx, "")
					if err != nil {
						return err
					}
					r, err := call.Data.Open(ctx, "")
					if err != nil {
						return err
					}
					for range 10 {
						select {
						case <-time.After(limit / 2):
							does(ctx, w, r)
						case <-ctx.Done():
							return ctx.Err()
						}
					}
					return nil
				}, &protection.Call{Data: opened{stream: stream{err: broken}}})
				took := time.Since(begun)
				if moves && (err != nil || took != 5*limit) || !moves && (!errors.Is(err, ErrStalled) || took != limit) {
					t.Errorf("%s, which fails with %v: ended after %s with %v", name, broken, took, err)
				}
			})
		}
	}
}

func TestAStreamUnderAWatchGivesWhatTheStreamGives(t *testing.T) {
	w := New(options())
	for _, broken := range []error{nil, io.ErrUnexpectedEOF} {
		d := data{opened{stream: stream{err: broken}}, w}
		out, err := d.Create(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		in, err := d.Open(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		want := int64(3)
		if broken != nil {
			want = 0
		}
		if n, err := out.Write(make([]byte, 3)); int64(n) != want || !errors.Is(err, broken) {
			t.Errorf("written are %d, %v", n, err)
		}
		if n, err := io.Copy(out, strings.NewReader("abc")); n != want || !errors.Is(err, broken) {
			t.Errorf("copied are %d, %v", n, err)
		}
		if n, err := in.Read(make([]byte, 3)); int64(n) != want || !errors.Is(err, broken) {
			t.Errorf("read are %d, %v", n, err)
		}
		if sum, err := out.Commit(t.Context()); sum.Size != 7 || !errors.Is(err, broken) {
			t.Errorf("committed is %+v, %v", sum, err)
		}
		if err := errors.Join(out.Abort(t.Context()), in.Close()); !errors.Is(err, broken) || in.Summary().Size != 9 {
			t.Errorf("ended with %v; %+v", err, in.Summary())
		}
	}
	none := data{streams{err: io.ErrUnexpectedEOF}, w}
	if s, err := none.Create(t.Context(), ""); s != nil || err == nil {
		t.Errorf("a stream that is not there is %v, %v", s, err)
	}
	if s, err := none.Open(t.Context(), ""); s != nil || err == nil {
		t.Errorf("a stream that is not there is %v, %v", s, err)
	}
}

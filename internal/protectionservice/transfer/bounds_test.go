package transfer

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/karbor/karbor/protection"
)

func TestTransfersWithAProviderAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := entrants{t: t, leave: map[string]func(){}, places: New(Bounds{Shared: 4, Most: 4, Providers: map[string]int{"p": 1}})}
		with := func(name, provider string) {
			go func() {
				leave, err := e.places.Enter(t.Context(), name[:1], Stream{Provider: provider})
				if err != nil {
					t.Errorf("stream %s: %v", name, err)
					return
				}
				e.in, e.leave[name] = append(e.in, name), leave
			}()
			synctest.Wait()
		}
		with("a1", "p")
		with("b1", "p")
		with("b2", "p")
		with("b3", "q") // which keeps nobody waiting
		with("a2", "p")
		e.expect("a1", "b3")
		e.leave["a1"]()
		e.expect("a1", "b3", "a2") // who moves the least is next
		e.leave["a2"]()
		e.expect("a1", "b3", "a2", "b1")
		e.leave["b3"]()
		e.leave["b1"]()
		e.expect("a1", "b3", "a2", "b1", "b2")
		e.leave["b2"]()
		if len(e.places.with) > 0 || len(e.places.moving) > 0 || len(e.places.rates) > 0 {
			t.Errorf("left are %+v", e.places)
		}
	})
}

// heap is a repository of one stream in memory.
type heap struct {
	protection.Repository
	text bytes.Buffer
}

type heapWriter struct{ *heap }

func (w heapWriter) Write(p []byte) (int, error) { return w.text.Write(p) }
func (heapWriter) Commit(context.Context) (protection.Summary, error) {
	return protection.Summary{}, nil
}
func (heapWriter) Abort(context.Context) error { return nil }

type heapReader struct{ io.Reader }

func (heapReader) Close() error                { return nil }
func (heapReader) Summary() protection.Summary { return protection.Summary{} }

func (h *heap) Create(context.Context, string) (protection.Writer, error) { return heapWriter{h}, nil }
func (h *heap) Open(context.Context, string) (protection.Reader, error) {
	return heapReader{bytes.NewReader(h.text.Bytes())}, nil
}

func (h *heap) Verify(_ context.Context, _ string, progress func(done, total int64)) error {
	for done := 0; done <= h.text.Len(); done += 1 << 20 {
		progress(int64(done), int64(h.text.Len()))
	}
	return nil
}

const mebibyte = 1 << 20

func TestAProjectMovesSoManyBytesASecond(t *testing.T) {
	for name, move := range map[string]func(ctx context.Context, r protection.Repository) error{
		"written": func(ctx context.Context, r protection.Repository) error {
			w, err := r.Create(ctx, "x")
			if err != nil {
				return err
			}
			for range 20 {
				if _, err := w.Write(make([]byte, mebibyte)); err != nil {
					return err
				}
			}
			_, err = w.Commit(ctx)
			return err
		},
		"copied in": func(ctx context.Context, r protection.Repository) error {
			w, err := r.Create(ctx, "x")
			if err != nil {
				return err
			}
			if _, err := io.Copy(w, bytes.NewReader(make([]byte, 20*mebibyte))); err != nil {
				return err
			}
			_, err = w.Commit(ctx)
			return err
		},
		"read": func(ctx context.Context, r protection.Repository) error {
			s, err := r.Open(ctx, "x")
			if err != nil {
				return err
			}
			_, err = io.Copy(io.Discard, s)
			return errors.Join(err, s.Close())
		},
		"verified": func(ctx context.Context, r protection.Repository) error {
			return r.Verify(ctx, "x", func(int64, int64) {})
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				places := New(Bounds{Shared: 4, Most: 4, ProjectBytesPerSecond: 10 * mebibyte})
				took := map[string]time.Duration{}
				begin := time.Now()
				over := make(chan string)
				for stream, project := range map[string]string{"a1": "a", "a2": "a", "b1": "b"} {
					go func() {
						h := &heap{}
						h.text.Write(make([]byte, 20*mebibyte))
						if err := move(t.Context(), places.Govern(project, Stream{Operation: stream}, h)); err != nil {
							t.Error(err)
						}
						over <- stream
					}()
				}
				for range 3 {
					took[<-over] = time.Since(begin)
				}
				// Two streams of 20 MiB of one project at 10 MiB/s, and one of another. What may go at
				// once is a tenth of a second's.
				if last := max(took["a1"], took["a2"]); last < 3900*time.Millisecond || last > 4*time.Second {
					t.Errorf("the project with two took %v, want 4 s", last)
				}
				if took["b1"] < 1900*time.Millisecond || took["b1"] > 2*time.Second {
					t.Errorf("the other took %v, want 2 s", took["b1"])
				}
			})
		})
	}
}

func TestAStreamThatIsSlowedEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		places := New(Bounds{ProjectBytesPerSecond: mebibyte})
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		w, err := places.Govern("a", Stream{}, &heap{}).Create(ctx, "x")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(make([]byte, 100*mebibyte)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("it ended with %v", err)
		}
		if err := w.Abort(context.WithoutCancel(ctx)); err != nil {
			t.Error(err)
		}
	})
}

package transfer

import (
	"context"
	"io"
	"sync"

	"golang.org/x/time/rate"

	"github.com/karbor/karbor/protection"
)

// leastBurst is what may go at once, however slow a project is to be.
const leastBurst = 64 << 10

// newRate gives how fast the streams of one project move together; nil is at any speed.
func newRate(perSecond int64) *rate.Limiter {
	if perSecond <= 0 {
		return nil
	}
	burst := min(max(perSecond/10, leastBurst), 1<<30)
	return rate.NewLimiter(rate.Limit(perSecond), int(burst))
}

// spend waits until a project may have moved n bytes more, or until ctx ends.
func (t *Places) spend(ctx context.Context, project string, n int64) error {
	t.mu.Lock()
	limiter := t.rates[project]
	t.mu.Unlock()
	if limiter == nil {
		return nil
	}
	for n > 0 {
		part := min(n, int64(limiter.Burst()))
		if err := limiter.WaitN(ctx, int(part)); err != nil {
			if ctx.Err() == nil { // it would not come to an end before the deadline
				return context.DeadlineExceeded
			}
			return ctx.Err()
		}
		n -= part
	}
	return nil
}

// Pace gives what is told how many bytes something of a project, which has a place, has moved so
// far: it waits until that many may have moved, or until ctx ends. It may be called concurrently.
func (t *Places) Pace(project string) func(ctx context.Context, done int64) {
	var mu sync.Mutex
	var last int64
	return func(ctx context.Context, done int64) {
		mu.Lock()
		more := done - last
		last = max(last, done)
		mu.Unlock()
		if more > 0 {
			_ = t.spend(ctx, project, more) // who moves the bytes sees the end of ctx itself
		}
	}
}

// slowed says whose stream it is, and waits for its share of time.
type slowed struct {
	ctx     context.Context
	places  *Places
	project string
}

func (s slowed) spend(n int) error { return s.places.spend(s.ctx, s.project, int64(n)) }

type slowedWriter struct {
	protection.Writer
	slowed
}

// Write implements io.Writer.
func (w slowedWriter) Write(p []byte) (int, error) {
	if err := w.spend(len(p)); err != nil {
		return 0, err
	}
	return w.Writer.Write(p)
}

// ReadFrom implements io.ReaderFrom: io.Copy finds out whether the writer itself does.
func (w slowedWriter) ReadFrom(r io.Reader) (int64, error) {
	return io.Copy(w.Writer, slowedSource{r, w.slowed})
}

type slowedSource struct {
	io.Reader
	slowed
}

// Read implements io.Reader.
func (r slowedSource) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if late := r.spend(n); late != nil {
		return n, late
	}
	return n, err
}

type slowedReader struct {
	protection.Reader
	slowed
}

// Read implements io.Reader.
func (r slowedReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if late := r.spend(n); late != nil {
		return n, late
	}
	return n, err
}

package wrap

import (
	"context"
	"io"
	"time"

	"golang.org/x/time/rate"

	"github.com/karbor/karbor/bank"
)

// LimitOptions bound what a bank is asked for. 0 stands for no bound.
type LimitOptions struct {
	// ReadBytesPerSecond bounds the bytes of objects that come in, over a second.
	ReadBytesPerSecond int64 `yaml:"read_bytes_per_second"`
	// WriteBytesPerSecond bounds those that go out. An object that is in memory goes
	// at full speed when its share of time has come; others are read that slowly.
	WriteBytesPerSecond int64 `yaml:"write_bytes_per_second"`
	// ConcurrentReads is how many calls that read may be under way at once. Reading
	// on in a body that is open does not count.
	ConcurrentReads int `yaml:"concurrent_reads"`
	// ConcurrentWrites is how many calls that write may be under way at once.
	ConcurrentWrites int `yaml:"concurrent_writes"`
}

// Limit bounds what inner is asked for. Urgent calls (see bank.Urgent) pass at once.
func Limit(inner bank.Bank, o LimitOptions) bank.Bank {
	return &limited{
		Bank: inner, reads: newSlots(o.ConcurrentReads), writes: newSlots(o.ConcurrentWrites),
		in: newPace(o.ReadBytesPerSecond), out: newPace(o.WriteBytesPerSecond),
	}
}

type limited struct {
	bank.Bank
	reads, writes slots
	in, out       *pace
}

// slots are places for calls under way; nil has any number of them.
type slots chan struct{}

func newSlots(n int) slots {
	if n == 0 {
		return nil
	}
	return make(slots, n)
}

// take waits for a place. The function gives it back.
func (s slots) take(ctx context.Context) (free func(), err error) {
	if s == nil || bank.IsUrgent(ctx) {
		return func() {}, nil
	}
	select {
	case s <- struct{}{}:
		return func() { <-s }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// pace is a rate of bytes; nil is any.
type pace struct{ limiter *rate.Limiter }

func newPace(perSecond int64) *pace {
	if perSecond == 0 {
		return nil
	}
	burst := max(perSecond/10, 4<<10)
	return &pace{rate.NewLimiter(rate.Limit(perSecond), int(min(burst, 1<<30)))}
}

// wait waits until n bytes more may go.
func (p *pace) wait(ctx context.Context, n int64) error {
	if p == nil || bank.IsUrgent(ctx) {
		return ctx.Err()
	}
	for n > 0 {
		part := min(n, int64(p.limiter.Burst()))
		if err := p.limiter.WaitN(ctx, int(part)); err != nil {
			if ctx.Err() == nil { // it would not come to an end before the deadline
				return context.DeadlineExceeded
			}
			return ctx.Err()
		}
		n -= part
	}
	return nil
}

// Put implements bank.Bank.
func (l *limited) Put(ctx context.Context, key string, body io.Reader, size int64) error {
	return l.write(ctx, body, size, func(body io.Reader) error { return l.Bank.Put(ctx, key, body, size) })
}

// Create implements bank.Bank.
func (l *limited) Create(ctx context.Context, key string, body io.Reader, size int64) error {
	return l.write(ctx, body, size, func(body io.Reader) error { return l.Bank.Create(ctx, key, body, size) })
}

// Delete implements bank.Bank.
func (l *limited) Delete(ctx context.Context, key string) error {
	return l.write(ctx, nil, 0, func(io.Reader) error { return l.Bank.Delete(ctx, key) })
}

func (l *limited) write(ctx context.Context, body io.Reader, size int64, call func(body io.Reader) error) error {
	free, err := l.writes.take(ctx)
	if err != nil {
		return err
	}
	defer free()
	if _, inMemory := body.(io.Seeker); inMemory || body == nil || l.out == nil {
		// Banks send what is in memory as it is: its reader must stay what it is.
		if err := l.out.wait(ctx, size); err != nil {
			return err
		}
		return call(body)
	}
	return call(&pacedReader{ctx: ctx, pace: l.out, ReadCloser: io.NopCloser(body)})
}

// Stat implements bank.Bank.
func (l *limited) Stat(ctx context.Context, key string) (bank.Info, error) {
	free, err := l.reads.take(ctx)
	if err != nil {
		return bank.Info{}, err
	}
	defer free()
	return l.Bank.Stat(ctx, key)
}

// List implements bank.Bank.
func (l *limited) List(ctx context.Context, prefix, marker string, limit int) ([]bank.Info, error) {
	free, err := l.reads.take(ctx)
	if err != nil {
		return nil, err
	}
	defer free()
	return l.Bank.List(ctx, prefix, marker, limit)
}

// Now implements bank.Bank. It is never held up: what counts is when it is asked.
func (l *limited) Now(ctx context.Context) (time.Time, error) { return l.Bank.Now(ctx) }

// Get implements bank.Bank.
func (l *limited) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	free, err := l.reads.take(ctx)
	if err != nil {
		return nil, err
	}
	defer free()
	body, err := l.Bank.Get(ctx, key, offset, length)
	if err != nil || l.in == nil {
		return body, err
	}
	return l.paced(ctx, body), nil
}

func (l *limited) paced(ctx context.Context, body io.ReadCloser) io.ReadCloser {
	p := &pacedReader{ctx: ctx, pace: l.in, ReadCloser: body}
	if r, ok := body.(Resumer); ok {
		return &pacedResumer{p, r, l}
	}
	return p
}

// pacedReader reads no faster than its pace.
type pacedReader struct {
	io.ReadCloser
	ctx  context.Context
	pace *pace
}

// Read implements io.Reader.
func (r *pacedReader) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	if waitErr := r.pace.wait(r.ctx, int64(n)); waitErr != nil {
		return n, waitErr
	}
	return n, err
}

type pacedResumer struct {
	*pacedReader
	resumer Resumer
	limited *limited
}

// Resume implements Resumer.
func (r *pacedResumer) Resume(ctx context.Context, offset int64) (io.ReadCloser, error) {
	body, err := r.resumer.Resume(ctx, offset)
	if err != nil {
		return nil, err
	}
	return r.limited.paced(ctx, body), nil
}

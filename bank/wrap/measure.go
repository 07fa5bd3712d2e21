package wrap

import (
	"context"
	"io"
	"sync"
	"time"

	"github.com/karbor/karbor/bank"
)

// Call is what Measure tells of a call when it has ended.
type Call struct {
	// Method is "put", "create", "get", "stat", "list", "delete", "now", "lock", or
	// "locked" for LockedUntil.
	Method string
	// Took is how long it took. A Get takes until its body is closed.
	Took time.Duration
	// Bytes are those of the body: all that a write was given, or what was read.
	Bytes int64
	// Err is what it failed with, or nil.
	Err error
}

// Measure tells ended of each call of inner. ended may be called concurrently, and
// should return soon. now is the host's clock.
func Measure(inner bank.Bank, now func() time.Time, ended func(Call)) bank.Bank {
	return &measured{inner, now, ended}
}

type measured struct {
	bank.Bank
	now   func() time.Time
	ended func(Call)
}

// tell gives a function that tells of the call's end.
func (m *measured) tell(method string) func(bytes int64, err error) {
	start := m.now()
	return func(bytes int64, err error) {
		m.ended(Call{Method: method, Took: m.now().Sub(start), Bytes: bytes, Err: err})
	}
}

// Put implements bank.Bank.
func (m *measured) Put(ctx context.Context, key string, body io.Reader, size int64) error {
	end := m.tell("put")
	err := m.Bank.Put(ctx, key, body, size)
	end(size, err)
	return err
}

// Create implements bank.Bank.
func (m *measured) Create(ctx context.Context, key string, body io.Reader, size int64) error {
	end := m.tell("create")
	err := m.Bank.Create(ctx, key, body, size)
	end(size, err)
	return err
}

// Stat implements bank.Bank.
func (m *measured) Stat(ctx context.Context, key string) (bank.Info, error) {
	end := m.tell("stat")
	info, err := m.Bank.Stat(ctx, key)
	end(0, err)
	return info, err
}

// List implements bank.Bank.
func (m *measured) List(ctx context.Context, prefix, marker string, limit int) ([]bank.Info, error) {
	end := m.tell("list")
	infos, err := m.Bank.List(ctx, prefix, marker, limit)
	end(0, err)
	return infos, err
}

// Delete implements bank.Bank.
func (m *measured) Delete(ctx context.Context, key string) error {
	end := m.tell("delete")
	err := m.Bank.Delete(ctx, key)
	end(0, err)
	return err
}

// Now implements bank.Bank.
func (m *measured) Now(ctx context.Context) (time.Time, error) {
	end := m.tell("now")
	now, err := m.Bank.Now(ctx)
	end(0, err)
	return now, err
}

// Get implements bank.Bank.
func (m *measured) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	end := m.tell("get")
	body, err := m.Bank.Get(ctx, key, offset, length)
	if err != nil {
		end(0, err)
		return nil, err
	}
	r := &measuredReader{ReadCloser: body, end: end}
	if resumer, ok := body.(Resumer); ok {
		return &measuredResumer{r, resumer, m}, nil
	}
	return r, nil
}

type measuredResumer struct {
	*measuredReader
	resumer Resumer
	by      *measured
}

// Resume implements Resumer. It counts as a call of its own.
func (r *measuredResumer) Resume(ctx context.Context, offset int64) (io.ReadCloser, error) {
	end := r.by.tell("get")
	body, err := r.resumer.Resume(ctx, offset)
	if err != nil {
		end(0, err)
		return nil, err
	}
	return &measuredReader{ReadCloser: body, end: end}, nil
}

type measuredReader struct {
	io.ReadCloser
	bytes int64
	err   error
	end   func(int64, error)
	once  sync.Once
}

// Read implements io.Reader.
func (r *measuredReader) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	r.bytes += int64(n)
	if err != nil && err != io.EOF {
		r.err = err
	}
	return n, err
}

// Close implements io.Closer.
func (r *measuredReader) Close() error {
	err := r.ReadCloser.Close()
	r.once.Do(func() { r.end(r.bytes, r.err) })
	return err
}

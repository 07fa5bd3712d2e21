package wrap

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
)

// RetryOptions say how a call that failed with a transient error is made again.
type RetryOptions struct {
	// Attempts is how often a call is made in all, 1 to 100; 1 is never again.
	Attempts int `yaml:"attempts"`
	// FirstPause is that before the second attempt. Each further one is twice as
	// long, up to LongestPause, and all are shortened by up to half at random.
	FirstPause   time.Duration `yaml:"first_pause"`
	LongestPause time.Duration `yaml:"longest_pause"`
}

// Resumer is what the body of a Get may be: one that can be opened anew, of the same
// object, length bytes after where it began. An object that was replaced meanwhile
// is an error that is not transient.
type Resumer interface {
	Resume(ctx context.Context, offset int64) (io.ReadCloser, error)
}

// Retry makes calls of inner that failed with a transient error again. Errors of
// another sort are final, and so is each one of an urgent call after its first
// retry: who must decide soon whether a lease still lives does not wait.
//
// A write is made again only if its body can be read again, which needs an
// io.Seeker. A Create that failed may have taken effect; if the next attempt finds
// an object with the very bytes that it was to have, it has succeeded. A Get goes on
// where it failed, if its body is a Resumer.
func Retry(inner bank.Bank, o RetryOptions) bank.Bank { return &retrying{inner, o} }

type retrying struct {
	bank.Bank
	options RetryOptions
}

// again makes a call until it works, fails for good, or was made often enough.
func (r *retrying) again(ctx context.Context, call func() error) error {
	pause, attempts := r.options.FirstPause, r.options.Attempts
	if bank.IsUrgent(ctx) {
		attempts = min(attempts, 2)
	}
	for attempt := 1; ; attempt++ {
		err := call()
		if !karbor.IsTransient(err) || attempt >= attempts || ctx.Err() != nil {
			return err
		}
		if !sleep(ctx, pause-time.Duration(rand.Int64N(int64(pause)/2+1))) {
			return err
		}
		pause = min(2*pause, r.options.LongestPause)
	}
}

// sleep waits, and reports whether it did so to the end.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// Put implements bank.Bank.
func (r *retrying) Put(ctx context.Context, key string, body io.Reader, size int64) error {
	rewind, ok := rewinder(body)
	if !ok {
		return r.Bank.Put(ctx, key, body, size)
	}
	return r.again(ctx, func() error {
		if err := rewind(); err != nil {
			return err
		}
		return r.Bank.Put(ctx, key, body, size)
	})
}

// Create implements bank.Bank.
func (r *retrying) Create(ctx context.Context, key string, body io.Reader, size int64) error {
	rewind, ok := rewinder(body)
	if !ok {
		return r.Bank.Create(ctx, key, body, size)
	}
	unsure := false
	return r.again(ctx, func() error {
		if err := rewind(); err != nil {
			return err
		}
		err := r.Bank.Create(ctx, key, body, size)
		if unsure && karbor.KindOf(err) == karbor.Conflict && err != nil {
			if rewindErr := rewind(); rewindErr != nil {
				return rewindErr
			}
			same, readErr := r.holds(ctx, key, body, size)
			if readErr != nil {
				return readErr
			}
			if same {
				return nil
			}
		}
		unsure = unsure || err != nil
		return err
	})
}

// rewinder gives what takes a body back to where it is now.
func rewinder(body io.Reader) (func() error, bool) {
	seeker, ok := body.(io.Seeker)
	if !ok {
		return nil, false
	}
	start, err := seeker.Seek(0, io.SeekCurrent)
	return func() error {
		_, err := seeker.Seek(start, io.SeekStart)
		return err
	}, err == nil
}

// holds reports whether an object has exactly the bytes of body.
func (r *retrying) holds(ctx context.Context, key string, body io.Reader, size int64) (bool, error) {
	stored, err := r.Get(ctx, key, 0, size+1)
	if karbor.KindOf(err) == karbor.NotFound && err != nil {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer func() { _ = stored.Close() }()
	return sameBytes(stored, body)
}

func sameBytes(a, b io.Reader) (bool, error) {
	bufA, bufB := make([]byte, 32<<10), make([]byte, 32<<10)
	for {
		nA, errA := io.ReadFull(a, bufA)
		nB, errB := io.ReadFull(b, bufB)
		if !bytes.Equal(bufA[:nA], bufB[:nB]) {
			return false, nil
		}
		endA, endB := errA == io.EOF || errA == io.ErrUnexpectedEOF, errB == io.EOF || errB == io.ErrUnexpectedEOF
		switch {
		case endA && endB:
			return true, nil
		case errA != nil && !endA:
			return false, errA
		case errB != nil && !endB:
			return false, errB
		}
	}
}

// Stat implements bank.Bank.
func (r *retrying) Stat(ctx context.Context, key string) (info bank.Info, err error) {
	err = r.again(ctx, func() error {
		info, err = r.Bank.Stat(ctx, key)
		return err
	})
	return info, err
}

// List implements bank.Bank.
func (r *retrying) List(ctx context.Context, prefix, marker string, limit int) (infos []bank.Info, err error) {
	err = r.again(ctx, func() error {
		infos, err = r.Bank.List(ctx, prefix, marker, limit)
		return err
	})
	return infos, err
}

// Delete implements bank.Bank.
func (r *retrying) Delete(ctx context.Context, key string) error {
	return r.again(ctx, func() error { return r.Bank.Delete(ctx, key) })
}

// Now implements bank.Bank. The time is that of the last attempt.
func (r *retrying) Now(ctx context.Context) (now time.Time, err error) {
	err = r.again(ctx, func() error {
		now, err = r.Bank.Now(ctx)
		return err
	})
	return now, err
}

// Get implements bank.Bank.
func (r *retrying) Get(ctx context.Context, key string, offset, length int64) (body io.ReadCloser, err error) {
	err = r.again(ctx, func() error {
		body, err = r.Bank.Get(ctx, key, offset, length)
		return err
	})
	if err != nil {
		return nil, err
	}
	first, ok := body.(Resumer)
	if !ok {
		return body, nil
	}
	return &resumingReader{ctx: ctx, retry: r, first: first, body: body}, nil
}

// resumingReader goes on reading where a read failed.
type resumingReader struct {
	ctx   context.Context
	retry *retrying
	first Resumer
	body  io.ReadCloser
	read  int64
}

// Read implements io.Reader.
func (r *resumingReader) Read(p []byte) (int, error) {
	n, err := r.body.Read(p)
	r.read += int64(n)
	if n > 0 && karbor.IsTransient(err) {
		return n, nil // the next Read meets it again, or goes on
	}
	if !karbor.IsTransient(err) {
		return n, err
	}
	failed := err
	err = r.retry.again(r.ctx, func() error {
		if failed != nil { // the first attempt was the read
			err := failed
			failed = nil
			return err
		}
		next, err := r.first.Resume(r.ctx, r.read)
		if err != nil {
			return err
		}
		_ = r.body.Close()
		r.body = next
		n, err = next.Read(p)
		r.read += int64(n)
		if n > 0 && karbor.IsTransient(err) {
			err = nil
		}
		return err
	})
	return n, err
}

// Close implements io.Closer.
func (r *resumingReader) Close() error { return r.body.Close() }

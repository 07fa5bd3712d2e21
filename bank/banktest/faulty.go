package banktest

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
)

// Method names a method of bank.Bank.
type Method string

// The methods that faults can be asked for.
const (
	Put    Method = "put"
	Create Method = "create"
	Get    Method = "get"
	Stat   Method = "stat"
	List   Method = "list"
	Delete Method = "delete"
	Now    Method = "now"
	// Lock stands for LockedUntil, too.
	Lock Method = "lock"
	// Any stands for each of them.
	Any Method = "any"
)

// ErrFault is what a fault without an error of its own fails with.
var ErrFault = errors.New("a fault that the test asked for")

// Fault says what goes wrong, and when.
type Fault struct {
	// Method is the one that fails; Any counts all of them.
	Method Method
	// Nth is the call that fails, counted from 1 from when the fault was added.
	// 0 means each.
	Nth int
	// Onward makes all calls from the Nth on fail: the process died there.
	Onward bool
	// Done makes the call take effect and fail all the same: the answer was lost.
	Done bool
	// AfterBytes makes a Put, Create or Get fail after as many bytes of the body.
	AfterBytes int64
	// Block makes the call wait until its context ends.
	Block bool
	// Err is the error; nil stands for ErrFault.
	Err error
}

// Faulty is a bank that fails on request.
type Faulty struct {
	inner bank.Bank

	mu     sync.Mutex
	faults []*countedFault
	calls  []Call
	hidden map[string]bool
}

// Call is one call that a Faulty bank had.
type Call struct {
	Method Method
	Key    string // for List the prefix
}

type countedFault struct {
	Fault
	seen int
}

// NewFaulty makes a bank that hands everything on to inner until a fault is added.
func NewFaulty(inner bank.Bank) *Faulty { return &Faulty{inner: inner, hidden: map[string]bool{}} }

// Add adds a fault.
func (f *Faulty) Add(fault Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults = append(f.faults, &countedFault{Fault: fault})
}

// AddFull makes each write fail as that of a full bank does.
func (f *Faulty) AddFull() {
	full := karbor.Errorf(karbor.OverLimit, "the bank is full")
	f.Add(Fault{Method: Put, Err: full})
	f.Add(Fault{Method: Create, Err: full})
}

// Hide leaves the keys out of every List, as a bank whose lists lag does.
func (f *Faulty) Hide(keys ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, k := range keys {
		f.hidden[k] = true
	}
}

// Heal drops all faults and shows hidden keys again.
func (f *Faulty) Heal() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults = nil
	f.hidden = map[string]bool{}
}

// Calls gives the calls so far, in order.
func (f *Faulty) Calls() []Call {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.calls)
}

// hit records a call and gives the fault that it meets, or nil.
func (f *Faulty) hit(m Method, key string) *Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, Call{m, key})
	var met *Fault
	for _, c := range f.faults {
		if c.Method != m && c.Method != Any {
			continue
		}
		c.seen++
		if met == nil && (c.Nth == 0 || c.seen == c.Nth || c.Onward && c.seen > c.Nth) {
			fault := c.Fault
			// After the process died nothing takes effect any more.
			fault.Done = fault.Done && c.seen <= max(c.Nth, 1)
			met = &fault
		}
	}
	return met
}

func (f *Fault) error() error {
	if f.Err != nil {
		return f.Err
	}
	return ErrFault
}

// before does what a fault does before the call: a nil error lets it go on.
func (f *Fault) before(ctx context.Context) error {
	switch {
	case f == nil || f.Done:
		return nil
	case f.Block:
		<-ctx.Done()
		return ctx.Err()
	case f.AfterBytes > 0:
		return nil
	}
	return f.error()
}

// after gives the error of a call that took effect.
func (f *Fault) after(err error) error {
	if f != nil && f.Done && err == nil {
		return f.error()
	}
	return err
}

// Put implements bank.Bank.
func (f *Faulty) Put(ctx context.Context, key string, body io.Reader, size int64) error {
	return f.write(ctx, Put, key, body, size)
}

// Create implements bank.Bank.
func (f *Faulty) Create(ctx context.Context, key string, body io.Reader, size int64) error {
	return f.write(ctx, Create, key, body, size)
}

func (f *Faulty) write(ctx context.Context, m Method, key string, body io.Reader, size int64) error {
	fault := f.hit(m, key)
	if err := fault.before(ctx); err != nil {
		return err
	}
	if fault != nil && fault.AfterBytes > 0 {
		body = &failingReader{r: body, left: fault.AfterBytes, err: fault.error()}
	}
	if m == Create {
		return fault.after(f.inner.Create(ctx, key, body, size))
	}
	return fault.after(f.inner.Put(ctx, key, body, size))
}

// Get implements bank.Bank.
func (f *Faulty) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	fault := f.hit(Get, key)
	if err := fault.before(ctx); err != nil {
		return nil, err
	}
	body, err := f.inner.Get(ctx, key, offset, length)
	if err != nil || fault == nil || fault.AfterBytes == 0 {
		return body, fault.after(err)
	}
	return struct {
		io.Reader
		io.Closer
	}{&failingReader{r: body, left: fault.AfterBytes, err: fault.error()}, body}, nil
}

// Stat implements bank.Bank.
func (f *Faulty) Stat(ctx context.Context, key string) (bank.Info, error) {
	if err := f.hit(Stat, key).before(ctx); err != nil {
		return bank.Info{}, err
	}
	return f.inner.Stat(ctx, key)
}

// List implements bank.Bank.
func (f *Faulty) List(ctx context.Context, prefix, marker string, limit int) ([]bank.Info, error) {
	if err := f.hit(List, prefix).before(ctx); err != nil {
		return nil, err
	}
	f.mu.Lock()
	hidden := f.hidden
	f.mu.Unlock()
	if len(hidden) == 0 {
		return f.inner.List(ctx, prefix, marker, limit)
	}
	return f.visible(ctx, prefix, marker, limit, hidden)
}

// visible lists limit objects that are not hidden.
func (f *Faulty) visible(ctx context.Context, prefix, marker string, limit int, hidden map[string]bool) ([]bank.Info, error) {
	var out []bank.Info
	for {
		infos, err := f.inner.List(ctx, prefix, marker, limit)
		if err != nil {
			return nil, err
		}
		for _, i := range infos {
			marker = i.Key
			if !hidden[i.Key] && len(out) < limit {
				out = append(out, i)
			}
		}
		if len(infos) < limit || len(out) == limit {
			return out, nil
		}
	}
}

// Delete implements bank.Bank.
func (f *Faulty) Delete(ctx context.Context, key string) error {
	fault := f.hit(Delete, key)
	if err := fault.before(ctx); err != nil {
		return err
	}
	return fault.after(f.inner.Delete(ctx, key))
}

// Lock implements bank.Locker.
func (f *Faulty) Lock(ctx context.Context, key string, until time.Time) (time.Time, error) {
	fault := f.hit(Lock, key)
	if err := fault.before(ctx); err != nil {
		return time.Time{}, err
	}
	locked, err := bank.Lock(ctx, f.inner, key, until)
	return locked, fault.after(err)
}

// LockedUntil implements bank.Locker.
func (f *Faulty) LockedUntil(ctx context.Context, key string) (time.Time, error) {
	if err := f.hit(Lock, key).before(ctx); err != nil {
		return time.Time{}, err
	}
	return bank.LockedUntil(ctx, f.inner, key)
}

// Now implements bank.Bank.
func (f *Faulty) Now(ctx context.Context) (time.Time, error) {
	if err := f.hit(Now, "").before(ctx); err != nil {
		return time.Time{}, err
	}
	return f.inner.Now(ctx)
}

// Traits implements bank.Bank.
func (f *Faulty) Traits() bank.Traits { return f.inner.Traits() }

// Close implements bank.Bank.
func (f *Faulty) Close() error { return f.inner.Close() }

// failingReader fails after some bytes.
type failingReader struct {
	r    io.Reader
	left int64
	err  error
}

func (r *failingReader) Read(p []byte) (int, error) {
	if r.left <= 0 {
		return 0, r.err
	}
	n, err := r.r.Read(p[:min(int64(len(p)), r.left)])
	r.left -= int64(n)
	return n, err
}

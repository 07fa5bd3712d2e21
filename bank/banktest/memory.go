package banktest

import (
	"bytes"
	"context"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
)

// Memory is a bank in memory. Its clock is the machine's until SetNow.
type Memory struct {
	mu      sync.RWMutex
	keys    []string // sorted
	objects map[string]object
	now     func() time.Time
	// ahead is for how long at a time it locks; 0 if it locks nothing.
	ahead time.Duration
}

type object struct {
	data    []byte
	modTime time.Time
	// locked is until when it can't go; zero for one that never was locked.
	locked time.Time
}

// NewMemory makes an empty bank in memory.
func NewMemory() *Memory {
	return &Memory{objects: map[string]object{}, now: time.Now}
}

// SetNow gives the bank another clock.
func (m *Memory) SetNow(now func() time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now = now
}

// SetLocks has the bank lock what it is told to, for so long at a time.
func (m *Memory) SetLocks(ahead time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ahead = ahead
}

// Lock implements bank.Locker.
func (m *Memory) Lock(ctx context.Context, key string, until time.Time) (time.Time, error) {
	if err := bank.CheckLock(ctx, key); err != nil {
		return time.Time{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	o, there := m.objects[key]
	switch {
	case m.ahead == 0:
		return time.Time{}, karbor.Errorf(karbor.NotImplemented, "locking %s: the bank can't lock objects", key)
	case !there:
		return time.Time{}, karbor.Errorf(karbor.NotFound, "there is no object %s", key)
	case until.After(o.locked):
		o.locked = until
		m.objects[key] = o
	}
	return o.locked, nil
}

// LockedUntil implements bank.Locker.
func (m *Memory) LockedUntil(ctx context.Context, key string) (time.Time, error) {
	o, err := m.object(ctx, key)
	return o.locked, err
}

// lockedBy is an error of kind karbor.Conflict for an object that is locked; the caller
// holds mu.
func (m *Memory) lockedBy(key string) error {
	if o := m.objects[key]; m.now().Before(o.locked) {
		return karbor.Errorf(karbor.Conflict, "the object %s is locked until %s", key, o.locked.UTC().Format(time.DateTime))
	}
	return nil
}

// Put implements bank.Bank.
func (m *Memory) Put(ctx context.Context, key string, body io.Reader, size int64) error {
	return m.write(ctx, key, body, size, false)
}

// Create implements bank.Bank.
func (m *Memory) Create(ctx context.Context, key string, body io.Reader, size int64) error {
	return m.write(ctx, key, body, size, true)
}

func (m *Memory) write(ctx context.Context, key string, body io.Reader, size int64, exclusive bool) error {
	if err := bank.CheckKey(key); err != nil {
		return err
	}
	data, err := io.ReadAll(bank.Exactly(ctx, body, size))
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	_, there := m.objects[key]
	if there && exclusive {
		return karbor.Errorf(karbor.Conflict, "the object %s exists already", key)
	}
	if err := m.lockedBy(key); err != nil {
		return err
	}
	if !there {
		at, _ := slices.BinarySearch(m.keys, key)
		m.keys = slices.Insert(m.keys, at, key)
	}
	m.objects[key] = object{data: data, modTime: m.now()}
	return nil
}

// Get implements bank.Bank.
func (m *Memory) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	if err := bank.CheckOffset(offset); err != nil {
		return nil, err
	}
	o, err := m.object(ctx, key)
	if err != nil {
		return nil, err
	}
	data := o.data[min(offset, int64(len(o.data))):]
	if length >= 0 {
		data = data[:min(length, int64(len(data)))]
	}
	return &memoryReader{ctx: ctx, r: bytes.NewReader(data)}, nil
}

// Stat implements bank.Bank.
func (m *Memory) Stat(ctx context.Context, key string) (bank.Info, error) {
	o, err := m.object(ctx, key)
	if err != nil {
		return bank.Info{}, err
	}
	return bank.Info{Key: key, Size: int64(len(o.data)), ModTime: o.modTime}, nil
}

func (m *Memory) object(ctx context.Context, key string) (object, error) {
	if err := bank.CheckKey(key); err != nil {
		return object{}, err
	}
	if err := ctx.Err(); err != nil {
		return object{}, err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	o, there := m.objects[key]
	if !there {
		return object{}, karbor.Errorf(karbor.NotFound, "there is no object %s", key)
	}
	return o, nil
}

// List implements bank.Bank.
func (m *Memory) List(ctx context.Context, prefix, marker string, limit int) ([]bank.Info, error) {
	if err := bank.CheckLimit(limit); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	at, there := slices.BinarySearch(m.keys, max(prefix, marker))
	if there && m.keys[at] == marker {
		at++
	}
	var infos []bank.Info
	for _, key := range m.keys[at:] {
		if len(infos) == limit || !strings.HasPrefix(key, prefix) {
			break
		}
		o := m.objects[key]
		infos = append(infos, bank.Info{Key: key, Size: int64(len(o.data)), ModTime: o.modTime})
	}
	return infos, nil
}

// Delete implements bank.Bank.
func (m *Memory) Delete(ctx context.Context, key string) error {
	if err := bank.CheckKey(key); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.lockedBy(key); err != nil {
		return err
	}
	if at, there := slices.BinarySearch(m.keys, key); there {
		m.keys = slices.Delete(m.keys, at, at+1)
		delete(m.objects, key)
	}
	return nil
}

// Now implements bank.Bank.
func (m *Memory) Now(ctx context.Context) (time.Time, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.now(), ctx.Err()
}

// Traits implements bank.Bank.
func (m *Memory) Traits() bank.Traits {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return bank.Traits{AtomicCreate: true, ConsistentList: true, ObjectLock: m.ahead > 0, LockAhead: m.ahead}
}

// Close implements bank.Bank.
func (m *Memory) Close() error { return nil }

// Snapshot gives a copy of all objects.
func (m *Memory) Snapshot() map[string]string {
	m.mu.RLock()
	defer m.mu.RUnlock()
	out := make(map[string]string, len(m.objects))
	for key, o := range m.objects {
		out[key] = string(o.data)
	}
	return out
}

// Clone gives a bank of its own with the same objects and clock.
func (m *Memory) Clone() *Memory {
	m.mu.RLock()
	defer m.mu.RUnlock()
	// The data of an object is never changed in place.
	return &Memory{keys: slices.Clone(m.keys), objects: maps.Clone(m.objects), now: m.now, ahead: m.ahead}
}

type memoryReader struct {
	ctx context.Context
	r   *bytes.Reader
}

func (r *memoryReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

func (r *memoryReader) Close() error { return nil }

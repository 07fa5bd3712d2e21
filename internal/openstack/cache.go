package openstack

import (
	"container/list"
	"context"
	"crypto/sha256"
	"sync"
	"time"

	"github.com/karbor/karbor"
)

// fingerprint stands for a secret as a key: nothing leads back from it.
type fingerprint [sha256.Size]byte

func fingerprintOf(s karbor.Secret) fingerprint { return sha256.Sum256([]byte(s.Reveal())) }

// cache keeps at most max values, each until its time; the one not used for the
// longest goes first.
type cache[K comparable, V any] struct {
	mu    sync.Mutex
	max   int
	now   func() time.Time
	order *list.List
	byKey map[K]*list.Element
}

type entry[K comparable, V any] struct {
	key   K
	value V
	until time.Time
}

func newCache[K comparable, V any](limit int, now func() time.Time) *cache[K, V] {
	return &cache[K, V]{max: limit, now: now, order: list.New(), byKey: map[K]*list.Element{}}
}

func (c *cache[K, V]) get(key K) (V, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var none V
	el := c.byKey[key]
	if el == nil {
		return none, false
	}
	e := el.Value.(*entry[K, V])
	if !c.now().Before(e.until) {
		c.order.Remove(el)
		delete(c.byKey, key)
		return none, false
	}
	c.order.MoveToFront(el)
	return e.value, true
}

func (c *cache[K, V]) put(key K, value V, until time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if el := c.byKey[key]; el != nil {
		c.order.Remove(el)
	}
	c.byKey[key] = c.order.PushFront(&entry[K, V]{key, value, until})
	for c.order.Len() > c.max {
		last := c.order.Back()
		c.order.Remove(last)
		delete(c.byKey, last.Value.(*entry[K, V]).key)
	}
}

// getOrPut gives the value that is there, else puts the one of build.
func (c *cache[K, V]) getOrPut(key K, until time.Time, build func() V) V {
	if v, ok := c.get(key); ok {
		return v
	}
	v := build()
	c.put(key, v, until)
	return v
}

func (c *cache[K, V]) remove(key K) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if el := c.byKey[key]; el != nil {
		c.order.Remove(el)
		delete(c.byKey, key)
	}
}

// flights lets the first of several callers with one key do the work, and the
// others wait for its result. The zero value is ready.
type flights[K comparable, V any] struct {
	mu  sync.Mutex
	now map[K]*flight[V]
}

type flight[V any] struct {
	done  chan struct{}
	value V
	err   error
	// abandoned says that the leader's own context ended, which says nothing
	// about the work.
	abandoned bool
}

// do runs work, or waits for another that does. The work runs with the context of
// the caller that leads; when that one gives up, the next caller leads.
func (f *flights[K, V]) do(ctx context.Context, key K, work func(context.Context) (V, error)) (V, error) {
	for {
		f.mu.Lock()
		other := f.now[key]
		if other == nil {
			if f.now == nil {
				f.now = map[K]*flight[V]{}
			}
			mine := &flight[V]{done: make(chan struct{})}
			f.now[key] = mine
			f.mu.Unlock()
			return f.lead(ctx, key, mine, work)
		}
		f.mu.Unlock()
		select {
		case <-other.done:
			if !other.abandoned {
				return other.value, other.err
			}
		case <-ctx.Done():
			var none V
			return none, ctx.Err()
		}
	}
}

func (f *flights[K, V]) lead(ctx context.Context, key K, mine *flight[V], work func(context.Context) (V, error)) (V, error) {
	// Whoever waits must be set free even if the work panics.
	mine.abandoned = true
	defer func() {
		f.mu.Lock()
		delete(f.now, key)
		f.mu.Unlock()
		close(mine.done)
	}()
	mine.value, mine.err = work(ctx)
	mine.abandoned = mine.err != nil && ctx.Err() != nil
	return mine.value, mine.err
}

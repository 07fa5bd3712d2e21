// Package transfer shares out what moves bulk data: the places for streams, of which a
// project that moves much leaves some to the others, how fast the bytes move, and how many
// of them were new to the bank.
package transfer

import (
	"cmp"
	"context"
	"maps"
	"sync"

	"golang.org/x/time/rate"

	"github.com/karbor/karbor"
)

// Bounds say how much of bulk data moves in a process. A stream holds some tens of megabytes of
// memory, and the disk, the network and the processors have only so much to give.
type Bounds struct {
	// Shared is how many streams move at a time, whoever's they are.
	Shared int
	// Most is how many move in all: beyond the shared ones, a project that moves none gets a
	// place of its own, so that nobody's terabytes keep another's megabytes waiting.
	Most int
	// Providers has how many move at a time with a provider, by its id; 0 is no limit.
	Providers map[string]int
	// ProjectBytesPerSecond is how much each project moves in a second; 0 is no limit.
	ProjectBytesPerSecond int64
}

// The bounds of a process that is told none.
const (
	defaultShared = 4
	defaultMost   = 32
)

// Places are the places for streams. What waits takes turns: the project that
// moves the least is next. It is safe for concurrent use.
type Places struct {
	bounds Bounds

	mu     sync.Mutex
	used   int
	moving map[string]int           // the streams of each project that has any
	with   map[string]int           // those with each provider
	rates  map[string]*rate.Limiter // how fast they move, of each project that has any
	queue  []*waiter                // the longest waiting first
}

// waiter is a stream that waits for its place.
type waiter struct {
	project string
	of      Stream
	granted chan struct{} // closed when it has its place
}

// New makes the places of a process.
func New(b Bounds) *Places {
	b.Shared, b.Most = cmp.Or(b.Shared, defaultShared), cmp.Or(b.Most, defaultMost)
	return &Places{bounds: b, moving: map[string]int{}, with: map[string]int{}, rates: map[string]*rate.Limiter{}}
}

// Enter waits for a place for a stream of a project, or until ctx ends. leave must be
// called once.
func (t *Places) Enter(ctx context.Context, project string, of Stream) (leave func(), err error) {
	w := &waiter{project: project, of: of, granted: make(chan struct{})}
	t.mu.Lock()
	t.queue = append(t.queue, w)
	t.grant()
	t.mu.Unlock()
	select {
	case <-w.granted:
	case <-ctx.Done():
		if !t.forget(w) {
			t.leave(w) // it was granted at that very moment
		}
		return nil, ctx.Err()
	}
	return func() { t.leave(w) }, nil
}

// forget takes a waiter out of the queue; it reports false if it is there no more.
func (t *Places) forget(w *waiter) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, other := range t.queue {
		if other == w {
			t.queue = append(t.queue[:i], t.queue[i+1:]...)
			return true
		}
	}
	return false
}

func (t *Places) leave(w *waiter) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.used--
	if t.moving[w.project]--; t.moving[w.project] == 0 {
		delete(t.moving, w.project)
		delete(t.rates, w.project)
	}
	if t.with[w.of.Provider]--; t.with[w.of.Provider] == 0 {
		delete(t.with, w.of.Provider)
	}
	t.grant()
}

// grant gives out the places that there are. The caller holds the lock.
func (t *Places) grant() {
	for {
		next := -1
		for i, w := range t.queue {
			if limit := t.bounds.Providers[w.of.Provider]; limit > 0 && t.with[w.of.Provider] >= limit {
				continue // it waits for its provider, and keeps no other waiting
			}
			if next < 0 || t.moving[w.project] < t.moving[t.queue[next].project] {
				next = i
			}
		}
		if next < 0 {
			return
		}
		w := t.queue[next]
		if t.used >= t.bounds.Shared && (t.moving[w.project] > 0 || t.used >= t.bounds.Most) {
			return // the others move as much, or more
		}
		t.queue = append(t.queue[:next], t.queue[next+1:]...)
		t.used++
		t.with[w.of.Provider]++
		if t.moving[w.project]++; t.moving[w.project] == 1 {
			t.rates[w.project] = newRate(t.bounds.ProjectBytesPerSecond)
		}
		close(w.granted)
	}
}

// Stream names the hook that a stream belongs to, and the provider with whose banks it moves.
type Stream struct {
	Operation string
	Key       karbor.NodeKey
	Provider  string
}

// Waiting gives, for the streams of an operation that wait for a place, how many are
// granted one before each, if nobody else comes: the project that moves the least is
// next each time.
func (t *Places) Waiting(operation string) map[karbor.NodeKey]int {
	t.mu.Lock()
	defer t.mu.Unlock()
	queue := make([]*waiter, 0, len(t.queue))
	mine := 0
	for _, w := range t.queue {
		if queue = append(queue, w); w.of.Operation == operation {
			mine++
		}
	}
	if mine == 0 {
		return nil
	}
	out := make(map[karbor.NodeKey]int, mine)
	moving := maps.Clone(t.moving)
	for before := 0; mine > 0; before++ {
		next := 0
		for i, w := range queue {
			if moving[w.project] < moving[queue[next].project] {
				next = i
			}
		}
		w := queue[next]
		queue = append(queue[:next], queue[next+1:]...)
		moving[w.project]++
		if w.of.Operation == operation {
			mine--
			if _, known := out[w.of.Key]; !known {
				out[w.of.Key] = before
			}
		}
	}
	return out
}

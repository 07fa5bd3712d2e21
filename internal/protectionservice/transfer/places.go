// Package transfer shares out what moves bulk data: the places for streams, of which a
// project that moves much leaves some to the others, how fast the bytes move, and how many
// of them were new to the bank.
package transfer

import (
	"context"
	"maps"
	"sync"

	"github.com/karbor/karbor"
)

// Places for streams of bulk data. A stream holds some tens of megabytes of memory,
// and the disk, the network and the processors have only so much to give.
const (
	// sharedStreams is how many streams move at a time, whoever's they are.
	sharedStreams = 4
	// mostStreams is how many move in all: beyond the shared ones, a project that
	// moves none gets a place of its own, so that nobody's terabytes keep another's
	// megabytes waiting.
	mostStreams = 32
)

// Places are the places for streams. What waits takes turns: the project that
// moves the least is next. It is safe for concurrent use.
type Places struct {
	shared, most int

	mu     sync.Mutex
	used   int
	moving map[string]int // the streams of each project that has any
	queue  []*waiter      // the longest waiting first
}

// waiter is a stream that waits for its place.
type waiter struct {
	project string
	of      Stream
	granted chan struct{} // closed when it has its place
}

// New makes the places of a process.
func New() *Places { return newPlaces(sharedStreams, mostStreams) }

func newPlaces(shared, most int) *Places {
	return &Places{shared: shared, most: most, moving: map[string]int{}}
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
			t.leave(project) // it was granted at that very moment
		}
		return nil, ctx.Err()
	}
	return func() { t.leave(project) }, nil
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

func (t *Places) leave(project string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.used--
	if t.moving[project]--; t.moving[project] == 0 {
		delete(t.moving, project)
	}
	t.grant()
}

// grant gives out the places that there are. The caller holds the lock.
func (t *Places) grant() {
	for {
		next := -1
		for i, w := range t.queue {
			if next < 0 || t.moving[w.project] < t.moving[t.queue[next].project] {
				next = i
			}
		}
		if next < 0 {
			return
		}
		w := t.queue[next]
		if t.used >= t.shared && (t.moving[w.project] > 0 || t.used >= t.most) {
			return // the others move as much, or more
		}
		t.queue = append(t.queue[:next], t.queue[next+1:]...)
		t.used++
		t.moving[w.project]++
		close(w.granted)
	}
}

// Stream names the hook that a stream belongs to.
type Stream struct {
	Operation string
	Key       karbor.NodeKey
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

package api

import (
	"container/list"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/karbor/karbor"
)

// Bounds of what is remembered for Idempotency-Key.
const (
	// ReplayFor is how long an answer is remembered.
	ReplayFor = 24 * time.Hour
	// replayCount and replayBytes bound the memory; the oldest go first.
	replayCount = 10_000
	replayBytes = 16 << 20

	idempotencyHeader = "Idempotency-Key"
)

// replays remembers the answers of POSTs that carried an Idempotency-Key, so that
// the same request again gives the first answer, and does nothing twice. It is for
// one process, and forgets when that ends.
type replays struct {
	now func() time.Time

	mu      sync.Mutex
	entries map[string]*list.Element
	order   list.List // of *replay, the oldest first
	bytes   int
}

// replay is one remembered request.
type replay struct {
	scope string
	body  [sha256.Size]byte
	at    time.Time
	// done is closed when the request is over; answer is set then, or the entry
	// is gone, as the request failed.
	done   chan struct{}
	answer json.RawMessage
}

func newReplays(now func() time.Time) *replays {
	return &replays{now: now, entries: map[string]*list.Element{}}
}

// replayScope gives what a request's key is unique in, or "" without a key.
func replayScope(r *http.Request, id *karbor.Identity) (string, error) {
	key := r.Header.Get(idempotencyHeader)
	if key == "" || r.Method != http.MethodPost {
		return "", nil
	}
	const limit = 255
	odd := func(c rune) bool { return c < ' ' || c > '~' }
	if len(key) > limit || strings.ContainsFunc(key, odd) {
		return "", karbor.Errorf(karbor.Invalid, "Invalid %s: it must be 1 to %d printable ASCII characters.", idempotencyHeader, limit)
	}
	return strings.Join([]string{id.ProjectID, id.UserID, r.URL.EscapedPath(), key}, "\n"), nil
}

// do runs handle, unless a request of the same scope and body has succeeded: then
// it gives that answer. While the first one runs, others wait. The same key with
// another body is karbor.Invalid.
func (s *replays) do(ctx context.Context, scope string, body []byte, handle func() (any, error)) (any, error) {
	sum := sha256.Sum256(body)
	for {
		first, mine := s.join(scope, sum)
		if mine {
			return s.lead(first, handle)
		}
		if first.body != sum {
			return nil, karbor.Errorf(karbor.Invalid, "The %s was used before, with another body.", idempotencyHeader)
		}
		select {
		case <-first.done:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if first.answer != nil {
			return first.answer, nil
		}
		// The first one failed and has left nothing: it is our turn.
	}
}

// join gives the entry of a scope, and whether it was made just now.
func (s *replays) join(scope string, sum [sha256.Size]byte) (*replay, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	for e := s.order.Front(); e != nil; e = s.order.Front() {
		old := e.Value.(*replay)
		if now.Sub(old.at) < ReplayFor && s.order.Len() < replayCount && s.bytes < replayBytes {
			break
		}
		s.forget(old)
	}
	if e := s.entries[scope]; e != nil {
		return e.Value.(*replay), false
	}
	r := &replay{scope: scope, body: sum, at: now, done: make(chan struct{})}
	s.entries[scope] = s.order.PushBack(r)
	return r, true
}

// lead runs the first request of a scope, and remembers its answer if it succeeds.
func (s *replays) lead(r *replay, handle func() (any, error)) (any, error) {
	var text json.RawMessage
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		r.answer = text
		if e := s.entries[r.scope]; text == nil && e != nil && e.Value == r {
			s.forget(r)
		} else if e != nil && e.Value == r {
			s.bytes += len(text)
		}
		close(r.done)
	}()
	answer, err := handle()
	if err != nil {
		return nil, err
	}
	encoded, err := json.Marshal(answer)
	if err != nil {
		return nil, fmt.Errorf("encoding the answer: %w", err)
	}
	text = encoded
	return text, nil
}

// forget drops an entry; s.mu is held.
func (s *replays) forget(r *replay) {
	if e := s.entries[r.scope]; e != nil && e.Value == r {
		s.order.Remove(e)
		delete(s.entries, r.scope)
		s.bytes -= len(r.answer)
	}
}

package protectionservice

import (
	"context"

	"github.com/karbor/karbor/internal/store"
)

// maxRunning bounds the operations that are kept in memory. When there are more, all
// are forgotten, and read again when they are next asked for.
const maxRunning = 1000

// operation gives an operation of which a step runs: each of its steps asks for it,
// and nothing that it holds changes before its end. So the first one reads it, and
// the others get the same; they must not change what it points to. Whoever ends an
// operation makes sure in the store that nobody has done so before.
func (s *Service) operation(ctx context.Context, id string) (store.Operation, error) {
	s.mu.Lock()
	op, ok := s.running[id]
	s.mu.Unlock()
	if ok {
		return op, nil
	}
	op, err := s.store.Operation(ctx, id)
	if err != nil || !op.EndedAt.IsZero() {
		return op, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.running) >= maxRunning {
		clear(s.running)
	}
	s.running[id] = op
	return op, nil
}

// drop forgets what is kept of an operation that has ended, or was not accepted.
func (s *Service) drop(operation string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sessions, operation)
	delete(s.running, operation)
}

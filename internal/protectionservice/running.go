package protectionservice

import (
	"context"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
)

// maxRunning bounds the operations that are kept in memory. When there are more, all
// are forgotten, and read again when they are next asked for.
const maxRunning = 1000

// operation gives an operation of which a step runs: each of its steps asks for it,
// and nothing that it holds changes before its end. So the first one reads it, and
// the others get the same; they must not change what it points to. Whoever ends an
// operation makes sure in the store that nobody has done so before. One in which a copy
// may come to stand in is read each time: another process may have had it stand in.
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
	s.remember(op, nil)
	return op, nil
}

// remember keeps an operation in memory, with the checkpoint that it makes if that is
// known.
func (s *Service) remember(op store.Operation, made *karbor.Checkpoint) {
	if s.mayStandIn(op) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.running) >= maxRunning {
		clear(s.running)
		clear(s.making)
	}
	s.running[op.ID] = op
	if made != nil {
		s.making[op.ID] = made
	}
}

// mayStandIn reports whether a copy may come to stand in for what an operation reads.
func (s *Service) mayStandIn(op store.Operation) bool {
	if op.Type != karbor.RestoreOperation && op.Type != karbor.Verify {
		return false
	}
	p, err := s.provider(op.ProviderID)
	return err == nil && len(p.Targets()) > 0
}

// made gives the checkpoint that an operation makes, as it was accepted.
func (s *Service) made(ctx context.Context, op store.Operation) (karbor.Checkpoint, error) {
	s.mu.Lock()
	cp := s.making[op.ID]
	s.mu.Unlock()
	if cp != nil {
		return *cp, nil
	}
	return s.store.Checkpoint(ctx, op.ProjectID, op.ProviderID, op.CheckpointID)
}

// drop forgets what is kept of an operation that has ended, or was not accepted.
func (s *Service) drop(operation string) {
	s.delegations.Drop(operation)
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.running, operation)
	delete(s.making, operation)
	delete(s.verified, operation)
	s.paces.Forget(operation)
}

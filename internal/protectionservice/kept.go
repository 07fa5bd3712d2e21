package protectionservice

import (
	"context"
	"fmt"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice/restoration"
	"github.com/karbor/karbor/internal/store"
)

// kept gives the resources that stay when their restore has failed, if that was asked
// for: those that are whole. What stands on one that stays does so too, whole or not: to
// remove a server may be to remove its volumes.
func (s *Service) kept(ctx context.Context, op store.Operation, rows []store.ResourceRecord) (map[karbor.NodeKey]bool, error) {
	if op.Type != karbor.RestoreOperation {
		return nil, nil
	}
	r, err := s.store.Restore(ctx, op.ProjectID, op.RestoreID)
	if err != nil {
		return nil, fmt.Errorf("reading restore %s: %w", op.RestoreID, err)
	}
	if !r.KeepOnFailure {
		return nil, nil
	}
	return restoration.Kept(op.Graph, rows), nil
}

// stays reports whether a resource stays though its restore has failed.
func (s *Service) stays(ctx context.Context, op store.Operation, n *karbor.Node) (bool, error) {
	if op.Type != karbor.RestoreOperation {
		return false, nil
	}
	rows, err := s.store.Resources(ctx, op.ID)
	if err != nil {
		return false, fmt.Errorf("reading the resources of operation %s: %w", op.ID, err)
	}
	kept, err := s.kept(ctx, op, rows)
	return kept[n.Key()], err
}

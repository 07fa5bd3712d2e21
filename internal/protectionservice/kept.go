package protectionservice

import (
	"context"
	"fmt"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
)

const (
	// keptWhole is the reason of a resource that stays, though its restore failed.
	keptWhole = "it is restored, and was kept, as it was asked for, when the restore failed elsewhere"
	// keptPart is what stays of a resource that is not whole.
	keptPart = "what was made of it was kept, as it holds what is restored"
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
	return keptOf(op.Graph, rows), nil
}

// keptOf gives what stays, by the records of a graph's resources.
func keptOf(g *karbor.Graph, rows []store.ResourceRecord) map[karbor.NodeKey]bool {
	whole, started := map[karbor.NodeKey]bool{}, map[karbor.NodeKey]bool{}
	for _, row := range rows {
		whole[row.Key], started[row.Key] = row.Started && row.State == karbor.ResourceAvailable, row.Started
	}
	// seen tells of each node whether it, or anything below it, is whole.
	seen, kept := map[karbor.NodeKey]bool{}, map[karbor.NodeKey]bool{}
	var holds func(n *karbor.Node) bool
	holds = func(n *karbor.Node) bool {
		if known, ok := seen[n.Key()]; ok {
			return known
		}
		holding := whole[n.Key()]
		for _, child := range n.Children {
			holding = holds(g.Node(child)) || holding
		}
		seen[n.Key()] = holding
		if holding && started[n.Key()] {
			kept[n.Key()] = true
		}
		return holding
	}
	for _, n := range g.Nodes() {
		holds(n)
	}
	return kept
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

package protectionservice

import (
	"context"
	"sync"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice/record"
	"github.com/karbor/karbor/internal/protectionservice/restoration"
	"github.com/karbor/karbor/internal/protectionservice/transfer"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/internal/workflow"
	"github.com/karbor/karbor/protection"
)

// newCall puts together what a hook gets, and where its progress is kept.
func (s *Service) newCall(ctx context.Context, w work, node *karbor.Node, task *workflow.Task, r record.Record) (*protection.Call, *counter, error) {
	documents, err := w.provider.Checkpoints().Documents(w.op.ProjectID, w.op.CheckpointID, node.Key())
	if err != nil {
		return nil, nil, err
	}
	streams, err := s.streams(w, node)
	if err != nil {
		return nil, nil, err
	}
	cloud, err := s.delegations.Session(ctx, w.op)
	if err != nil {
		return nil, nil, err
	}
	fresh, err := r.NewResources(ctx, func(key karbor.NodeKey) string { return restoration.Existing(w.op.Graph, w.op.Choices, key) })
	if err != nil {
		return nil, nil, err
	}
	owner := w.op.CheckpointID
	if w.op.Type == karbor.RestoreOperation {
		owner = w.op.RestoreID
	}
	if w.op.Type == karbor.DrillOperation {
		owner = w.op.ID
	}
	intents := protection.NewIntents(r.Scratch(), s.now, s.settle)
	moved := &counter{tally: transfer.NewTally(), report: func(done, total int64) {
		task.Progress(done, total)
		s.paces.Observe(w.op.ID, node.Key(), done, s.now())
	}}
	data := s.transfers.Govern(w.op.ProjectID, transfer.Stream{Operation: w.op.ID, Key: node.Key()},
		transfer.Tallied(s.standIns.Backed(w.op, w.provider, node.Key(), streams), moved.tally))
	service, err := s.serviceUser(w.op)
	if err != nil {
		return nil, nil, err
	}
	call := &protection.Call{
		OperationID: w.op.ID, Owner: owner, CheckpointID: w.op.CheckpointID,
		Installation: s.installation, ProviderID: w.op.ProviderID, Drill: w.op.Type == karbor.DrillOperation,
		Graph: w.op.Graph, Node: node, Parameters: w.op.Parameters.For(node.Resource),
		Documents: record.Documents(documents, s.store), Data: data,
		Scratch: intents.Scratch(), Intents: intents, Ledger: r.Ledger(), NewResources: fresh, Cloud: cloud, Service: service,
		Progress: moved.set, Waiting: r.Waiting(ctx, s.log), NotKept: r.NotKept(ctx, s.log), Mapped: r.Mapped(ctx, s.log),
	}
	return call, moved, nil
}

// serviceUser gives the session of Karbor's service user for an operation, if the
// operator allows it. It is one in Karbor's own cloud: a restore into another cloud
// has none.
func (s *Service) serviceUser(op store.Operation) (karbor.Cloud, error) {
	if s.adminReads == nil || op.Type != karbor.RestoreOperation {
		return s.adminReads, nil
	}
	elsewhere, err := s.delegations.Elsewhere(op)
	if err != nil || elsewhere {
		return nil, err
	}
	return s.adminReads, nil
}

// record gives the row of a resource of an operation.
func (s *Service) record(w work, node *karbor.Node) record.Record {
	return record.Of(s.store, w.op.ID, node.Key())
}

// counter passes progress on, and keeps the last of it.
type counter struct {
	report      func(done, total int64)
	tally       *transfer.Tally
	mu          sync.Mutex
	done, total int64
}

func (c *counter) set(done, total int64) {
	c.mu.Lock()
	c.done, c.total = done, total
	c.mu.Unlock()
	c.report(done, total)
}

func (c *counter) get() (done, total int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.done, c.total
}

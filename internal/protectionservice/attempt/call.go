package attempt

import (
	"context"
	"sync"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice/record"
	"github.com/karbor/karbor/internal/protectionservice/restoration"
	"github.com/karbor/karbor/internal/protectionservice/running"
	"github.com/karbor/karbor/internal/protectionservice/transfer"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/internal/workflow"
	"github.com/karbor/karbor/protection"
)

// outfit is what a hook gets, and what is known of the run afterwards.
type outfit struct {
	*protection.Call
	moved *counter
	fresh *record.NewResources
}

// call puts together what a hook gets, and where its progress is kept.
func (r *Runner) call(ctx context.Context, w running.Work, node *karbor.Node, task *workflow.Task, row record.Record) (none outfit, err error) {
	documents, err := w.Provider.Checkpoints().Documents(w.Op.ProjectID, w.Op.CheckpointID, node.Key())
	if err != nil {
		return none, err
	}
	streams, err := r.streams(w, node)
	if err != nil {
		return none, err
	}
	cloud, err := r.delegations.Session(ctx, w.Op)
	if err != nil {
		return none, err
	}
	fresh := row.NewResources(w.Op.Type == karbor.RestoreOperation || w.Op.Type == karbor.DrillOperation, func(key karbor.NodeKey) string {
		return restoration.Existing(w.Op.Graph, w.Op.Choices, key)
	})
	owner := w.Op.CheckpointID
	if w.Op.Type == karbor.RestoreOperation {
		owner = w.Op.RestoreID
	}
	if w.Op.Type == karbor.DrillOperation {
		owner = w.Op.ID
	}
	intents := protection.NewIntents(row.Scratch(), r.now, r.settle)
	moved := &counter{tally: transfer.NewTally(), report: func(done, total int64) {
		task.Progress(done, total)
		r.paces.Observe(w.Op.ID, node.Key(), done, r.now())
	}}
	data := r.transfers.Govern(w.Op.ProjectID, transfer.Stream{Operation: w.Op.ID, Key: node.Key(), Provider: w.Op.ProviderID},
		transfer.Tallied(r.standIns.Backed(w.Op, w.Provider, node.Key(), streams), moved.tally))
	service, err := r.serviceUser(w.Op)
	if err != nil {
		return none, err
	}
	out := &protection.Call{
		OperationID: w.Op.ID, Owner: owner, CheckpointID: w.Op.CheckpointID,
		Installation: r.installation, ProviderID: w.Op.ProviderID, Drill: w.Op.Type == karbor.DrillOperation,
		Graph: w.Op.Graph, Node: node, Parameters: w.Op.Parameters.For(node.Resource),
		Documents: record.Documents(documents, r.store), Data: data,
		Scratch: intents.Scratch(), Intents: intents, Ledger: row.Ledger(), Turns: r.turns.Of(w.Op.ID), NewResources: fresh, Cloud: cloud, Service: service,
		Progress: moved.set, Waiting: row.Waiting(ctx, r.log), NotKept: row.NotKept(ctx, r.log), Mapped: row.Mapped(ctx, r.log),
	}
	return outfit{out, moved, fresh}, nil
}

// Call puts together what a look at a resource gets that is no hook of its own.
func (r *Runner) Call(ctx context.Context, w running.Work, node *karbor.Node, task *workflow.Task) (*protection.Call, error) {
	out, err := r.call(ctx, w, node, task, r.record(w, node))
	if err == nil {
		err = out.fresh.Read(ctx)
	}
	return out.Call, err
}

// serviceUser gives the session of Karbor's service user for an operation, if the
// operator allows it. It is one in Karbor's own cloud: a restore into another cloud
// has none.
func (r *Runner) serviceUser(op store.Operation) (karbor.Cloud, error) {
	if r.adminReads == nil || op.Type != karbor.RestoreOperation {
		return r.adminReads, nil
	}
	elsewhere, err := r.delegations.Elsewhere(op)
	if err != nil || elsewhere {
		return nil, err
	}
	return r.adminReads, nil
}

// record gives the row of a resource of an operation.
func (r *Runner) record(w running.Work, node *karbor.Node) record.Record {
	return record.Of(r.store, w.Op.ID, node.Key())
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

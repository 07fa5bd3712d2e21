// Package running keeps the operations that run in this process, as they were accepted, for their
// steps: where each works, what it makes, and its end in the store.
package running

import (
	"context"
	"fmt"
	"log/slog"
	"sync"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice/delegation"
	"github.com/karbor/karbor/internal/provider"
	"github.com/karbor/karbor/internal/store"
)

// maxRunning bounds the operations that are kept in memory. When there are more, all
// are forgotten, and read again when they are next asked for.
const maxRunning = 1000

// Options of New. All are needed.
type Options struct {
	Store     *store.Store
	Providers provider.List
	// Delegations let the operations act as their tenants.
	Delegations *delegation.Registry
	// Forget drops what others keep in memory of an operation.
	Forget func(operation string)
	Logger *slog.Logger
}

// Operations are those that run. It is safe for concurrent use.
type Operations struct {
	store       *store.Store
	providers   provider.List
	delegations *delegation.Registry
	forget      func(operation string)
	log         *slog.Logger

	mu sync.Mutex
	// running are operations that run, as they were accepted: see Get.
	running map[string]store.Operation
	// making are the checkpoints that some of them make, by operation.
	making map[string]*karbor.Checkpoint
}

// New makes the memory, which is empty.
func New(o Options) *Operations {
	return &Operations{
		store: o.Store, providers: o.Providers, delegations: o.Delegations, forget: o.Forget, log: o.Logger,
		running: map[string]store.Operation{}, making: map[string]*karbor.Checkpoint{},
	}
}

// Get gives an operation of which a step runs: each of its steps asks for it,
// and nothing that it holds changes before its end. So the first one reads it, and
// the others get the same; they must not change what it points to. Whoever ends an
// operation makes sure in the store that nobody has done so before. One in which a copy
// may come to stand in is read each time: another process may have had it stand in.
func (o *Operations) Get(ctx context.Context, id string) (store.Operation, error) {
	o.mu.Lock()
	op, ok := o.running[id]
	o.mu.Unlock()
	if ok {
		return op, nil
	}
	op, err := o.store.Operation(ctx, id)
	if err != nil || !op.EndedAt.IsZero() {
		return op, err
	}
	o.Remember(op, nil)
	return op, nil
}

// Remember keeps an operation in memory, with the checkpoint that it makes if that is
// known.
func (o *Operations) Remember(op store.Operation, made *karbor.Checkpoint) {
	if o.mayStandIn(op) {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.running) >= maxRunning {
		clear(o.running)
		clear(o.making)
	}
	o.running[op.ID] = op
	if made != nil {
		o.making[op.ID] = made
	}
}

// mayStandIn reports whether a copy may come to stand in for what an operation reads.
func (o *Operations) mayStandIn(op store.Operation) bool {
	if op.Type != karbor.RestoreOperation && op.Type != karbor.Verify {
		return false
	}
	p, err := o.providers.ByID(op.ProviderID)
	return err == nil && len(p.Targets()) > 0
}

// Made gives the checkpoint that an operation makes, as it was accepted.
func (o *Operations) Made(ctx context.Context, op store.Operation) (karbor.Checkpoint, error) {
	o.mu.Lock()
	making := o.making[op.ID]
	o.mu.Unlock()
	if making != nil {
		return *making, nil
	}
	cp, err := o.store.Checkpoint(ctx, op.ProjectID, op.ProviderID, op.CheckpointID)
	if err != nil {
		return cp, fmt.Errorf("reading checkpoint %s: %w", op.CheckpointID, err)
	}
	return cp, nil
}

// Drop forgets what is kept of an operation that has ended, or was not accepted.
func (o *Operations) Drop(operation string) {
	o.delegations.Drop(operation)
	o.mu.Lock()
	delete(o.running, operation)
	delete(o.making, operation)
	o.mu.Unlock()
	o.forget(operation)
}

// Place gives the provider with the bank in which an operation works.
func (o *Operations) Place(op store.Operation) (*provider.Provider, error) {
	return o.providers.Place(op.ProviderID, op.Bank)
}

// End ends an operation in the store, and has what it was authorized with given
// back.
func (o *Operations) End(ctx context.Context, op store.Operation, end store.Outcome) error {
	end.ProjectID = op.ProjectID
	end.Revoke = o.delegations.Revocable(ctx, op)
	if err := o.store.EndOperation(ctx, op.ID, end); err != nil {
		return fmt.Errorf("recording the end of operation %s: %w", op.ID, err)
	}
	o.log.InfoContext(ctx, "operation ended", "operation", op.ID, "type", op.Type, "project", op.ProjectID,
		"checkpoint", op.CheckpointID, "status", end.LogStatus, "reason", end.ErrorInfo)
	o.Drop(op.ID)
	if end.Revoke {
		o.delegations.Wake()
	}
	return nil
}

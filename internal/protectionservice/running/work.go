package running

import (
	"context"
	"fmt"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice/flow"
	"github.com/karbor/karbor/internal/provider"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/internal/workflow"
)

// Work is what every step needs of its operation.
type Work struct {
	Op store.Operation
	// Provider is the one that the operation works with, with its bank.
	Provider *provider.Provider
}

// Work gives what a step works on.
func (o *Operations) Work(ctx context.Context, task *workflow.Task) (Work, error) {
	op, err := o.Get(ctx, task.Operation)
	if err != nil {
		return Work{}, fmt.Errorf("reading operation %s: %w", task.Operation, err)
	}
	p, err := o.Place(op)
	if err != nil {
		return Work{}, err
	}
	return Work{op, p}, nil
}

// Step takes the input of a hook's step apart: the hook's word and the node.
func (w Work) Step(input string) (hook string, node *karbor.Node, err error) {
	if hook, node = flow.NodeOf(w.Op.Graph, input); node == nil {
		return "", nil, fmt.Errorf("operation %s has no resource %q", w.Op.ID, input)
	}
	return hook, node, nil
}

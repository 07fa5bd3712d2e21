package record

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"sync"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/protection"
)

// NewResources is protection.NewResources in the store, for one run of a hook. The records of the
// other resources are read when the hook first asks for one, once: what it may ask for was set by
// hooks that are over, and most hooks ask for nothing. Those of an operation with many resources
// would read them all for each. It is safe for concurrent use.
type NewResources struct {
	Record
	// original gives the id of what stays as it is, "" for what is restored.
	original func(karbor.NodeKey) string

	mu sync.Mutex
	// ask reads the records; nil once that is done, and where there are none to ask for.
	ask   func() error
	ids   map[karbor.NodeKey]string
	parts map[string]string
}

// NewResources gives protection.NewResources of an operation that makes something of its resources
// (a restore, a drill), or of another, in which there is nothing to ask for. original gives the id
// of what stays as it is, "" for what is restored.
func (r Record) NewResources(makes bool, original func(karbor.NodeKey) string) *NewResources {
	n := &NewResources{Record: r, original: original, ids: map[karbor.NodeKey]string{}, parts: map[string]string{}}
	if makes {
		n.ask = func() error { return fmt.Errorf("nobody reads the new resources of operation %s", r.operation) }
	}
	return n
}

// Read reads the records now, if there are any to ask for.
func (n *NewResources) Read(ctx context.Context) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.ask == nil {
		return nil
	}
	return n.read(ctx)
}

func (n *NewResources) read(ctx context.Context) error {
	rows, err := n.store.NewResources(ctx, n.operation)
	if err != nil {
		return fmt.Errorf("reading the new resources of operation %s: %w", n.operation, err)
	}
	for _, row := range rows {
		n.ids[row.Key] = row.NewID
		maps.Copy(n.parts, row.Parts)
	}
	n.ask = nil
	return nil
}

// Reading gives a hook that may ask. One that asks for what can't be read now gets an answer that is
// not true; so its context ends before it has the answer, and its error is why it can't be read.
func (n *NewResources) Reading(hook protection.Hook) protection.Hook {
	return func(ctx context.Context, call *protection.Call) error {
		ctx, end := context.WithCancelCause(ctx)
		defer end(nil)
		var failure error
		n.mu.Lock()
		if n.ask != nil {
			n.ask = func() error {
				if failure == nil {
					failure = n.read(ctx)
				}
				if failure != nil {
					end(failure)
				}
				return failure
			}
		}
		n.mu.Unlock()
		err := hook(ctx, call)
		n.mu.Lock()
		defer n.mu.Unlock()
		return cmp.Or(failure, err)
	}
}

// known has the records read if they are not.
func (n *NewResources) known() {
	if n.ask != nil {
		_ = n.ask() // who runs the hook gets it
	}
}

// ID implements protection.NewResources.
func (n *NewResources) ID(key karbor.NodeKey) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.known()
	return cmp.Or(n.ids[key], n.original(key))
}

// Set implements protection.NewResources.
func (n *NewResources) Set(ctx context.Context, id string) error {
	if err := n.Update(ctx, func(row *store.ResourceRecord) { row.NewID = id }); err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.ids[n.key] = id
	return nil
}

// Part implements protection.NewResources.
func (n *NewResources) Part(original string) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.known()
	return n.parts[original]
}

// SetPart implements protection.NewResources.
func (n *NewResources) SetPart(ctx context.Context, original, id string) error {
	err := n.Update(ctx, func(row *store.ResourceRecord) {
		if row.Parts == nil {
			row.Parts = map[string]string{}
		}
		row.Parts[original] = id
	})
	if err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.parts[original] = id
	return nil
}

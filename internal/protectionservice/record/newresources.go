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

// newResources is protection.NewResources in the store, read once per hook: what
// a hook may ask for was set by hooks that are over.
type newResources struct {
	Record
	ids map[karbor.NodeKey]string
	// original gives the id of what stays as it is, "" for what is restored.
	original func(karbor.NodeKey) string

	mu    sync.Mutex
	parts map[string]string
}

// NewResources gives protection.NewResources; original gives the id of what stays as it is, ""
// for what is restored.
func (r Record) NewResources(ctx context.Context, original func(karbor.NodeKey) string) (protection.NewResources, error) {
	rows, err := r.store.Resources(ctx, r.operation)
	if err != nil {
		return nil, fmt.Errorf("reading the new resources of operation %s: %w", r.operation, err)
	}
	n := &newResources{Record: r, original: original, ids: map[karbor.NodeKey]string{}, parts: map[string]string{}}
	for _, row := range rows {
		n.ids[row.Key] = row.NewID
		maps.Copy(n.parts, row.Parts)
	}
	return n, nil
}

func (n *newResources) ID(key karbor.NodeKey) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return cmp.Or(n.ids[key], n.original(key))
}

func (n *newResources) Set(ctx context.Context, id string) error {
	if err := n.Update(ctx, func(row *store.ResourceRecord) { row.NewID = id }); err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.ids[n.key] = id
	return nil
}

func (n *newResources) Part(original string) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.parts[original]
}

func (n *newResources) SetPart(ctx context.Context, original, id string) error {
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

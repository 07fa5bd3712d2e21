package protectionservice

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/internal/workflow"
	"github.com/karbor/karbor/protection"
)

// newCall puts together what a hook gets, and where its progress is kept.
func (s *Service) newCall(ctx context.Context, w work, node *karbor.Node, task *workflow.Task, r record) (*protection.Call, *counter, error) {
	documents, err := w.provider.Checkpoints().Documents(w.op.ProjectID, w.op.CheckpointID, node.Key())
	if err != nil {
		return nil, nil, err
	}
	streams, err := s.streams(w, node)
	if err != nil {
		return nil, nil, err
	}
	cloud, err := s.session(ctx, w.op)
	if err != nil {
		return nil, nil, err
	}
	fresh, err := s.newResources(ctx, r)
	if err != nil {
		return nil, nil, err
	}
	fresh.original = func(key karbor.NodeKey) string { return existing(w.op.Graph, w.op.Choices, key) }
	owner := w.op.CheckpointID
	if w.op.Type == karbor.RestoreOperation {
		owner = w.op.RestoreID
	}
	intents := protection.NewIntents(scratch{r}, s.now, s.settle)
	moved := &counter{tally: newTally(), report: func(done, total int64) {
		task.Progress(done, total)
		s.paces.observe(w.op.ID, node.Key(), done, s.now())
	}}
	data := s.transfers.govern(w.op.ProjectID, tallied{s.backedBy(w, node.Key(), streams), moved.tally})
	data.of = streamOf{w.op.ID, node.Key()}
	service, err := s.serviceUser(w.op)
	if err != nil {
		return nil, nil, err
	}
	call := &protection.Call{
		OperationID: w.op.ID, Owner: owner, CheckpointID: w.op.CheckpointID,
		Graph: w.op.Graph, Node: node, Parameters: w.op.Parameters.For(node.Resource),
		Documents: claimed{documents, s.store}, Data: data,
		Scratch: intents.Scratch(), Intents: intents, NewResources: fresh, Cloud: cloud, Service: service,
		Progress: moved.set, NotKept: r.notKept(ctx, s), Mapped: r.mapped(ctx, s),
	}
	return call, moved, nil
}

// serviceUser gives the session of Karbor's service user for an operation, if the
// operator allows it. It is one in Karbor's own cloud: a restore into another cloud
// has none.
func (s *Service) serviceUser(op store.Operation) (karbor.Cloud, error) {
	if s.adminReads == nil || op.Type != karbor.RestoreOperation || op.Delegation == nil {
		return s.adminReads, nil
	}
	auth, err := s.authorization(op)
	if err != nil || auth.Target != nil {
		return nil, err
	}
	return s.adminReads, nil
}

// counter passes progress on, and keeps the last of it.
type counter struct {
	report      func(done, total int64)
	tally       *tally
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

// record is the row of one resource of one operation.
type record struct {
	store     *store.Store
	operation string
	key       karbor.NodeKey
}

func (s *Service) record(w work, node *karbor.Node) record {
	return record{s.store, w.op.ID, node.Key()}
}

func (r record) update(ctx context.Context, change func(*store.ResourceRecord)) error {
	err := r.store.UpdateResource(ctx, r.operation, r.key, func(row *store.ResourceRecord) error {
		change(row)
		return nil
	})
	if err != nil {
		return fmt.Errorf("recording the state of %s: %w", r.key, err)
	}
	return nil
}

// notKept gives the function that records what a restore could not bring back.
func (r record) notKept(ctx context.Context, s *Service) func(string) {
	return func(sentence string) {
		err := r.update(ctx, func(row *store.ResourceRecord) {
			if !slices.Contains(row.NotKept, sentence) {
				row.NotKept = append(row.NotKept, sentence)
			}
		})
		if err != nil {
			s.log.WarnContext(ctx, "what a restore could not bring back is not recorded", "operation", r.operation,
				"resource", r.key, "sentence", sentence, "error", err)
		}
	}
}

// mapped gives the function that records what took the place of what in a restore.
func (r record) mapped(ctx context.Context, s *Service) func(string) {
	return func(sentence string) {
		err := r.update(ctx, func(row *store.ResourceRecord) {
			if !slices.Contains(row.Mapped, sentence) {
				row.Mapped = append(row.Mapped, sentence)
			}
		})
		if err != nil {
			s.log.WarnContext(ctx, "what a restore has mapped is not recorded", "operation", r.operation,
				"resource", r.key, "sentence", sentence, "error", err)
		}
	}
}

// scratch is protection.Scratch in the store.
type scratch struct{ record }

func (s scratch) Load(ctx context.Context, v any) error {
	_, err := s.store.Scratch(ctx, s.operation, s.key, v)
	return err
}

func (s scratch) Save(ctx context.Context, v any) error {
	return s.store.SaveScratch(ctx, s.operation, s.key, v)
}

// newResources is protection.NewResources in the store, read once per hook: what
// a hook may ask for was set by hooks that are over.
type newResources struct {
	record
	ids map[karbor.NodeKey]string
	// original gives the id of what stays as it is, "" for what is restored.
	original func(karbor.NodeKey) string

	mu    sync.Mutex
	parts map[string]string
}

func (s *Service) newResources(ctx context.Context, r record) (*newResources, error) {
	rows, err := s.store.Resources(ctx, r.operation)
	if err != nil {
		return nil, fmt.Errorf("reading the new resources of operation %s: %w", r.operation, err)
	}
	n := &newResources{record: r, ids: map[karbor.NodeKey]string{}, parts: map[string]string{}}
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
	if err := n.update(ctx, func(row *store.ResourceRecord) { row.NewID = id }); err != nil {
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
	err := n.update(ctx, func(row *store.ResourceRecord) {
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

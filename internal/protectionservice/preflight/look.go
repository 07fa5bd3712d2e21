// Package preflight looks ahead at a restore: what it would come across in the bank and in the
// cloud, and whether the quotas suffice. It stores and changes nothing.
package preflight

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/internal/protectionservice/outcome"
	"github.com/karbor/karbor/internal/protectionservice/transfer"
	"github.com/karbor/karbor/internal/provider"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/protection"
)

// Restore is a restore that is looked ahead at.
type Restore struct {
	// Operation is what it would be.
	Operation store.Operation
	Provider  *provider.Provider
	// Hooks gives those of a resource's type, or why it can't be restored.
	Hooks func(*karbor.Node) (protection.Hooks, error)
	// Sentence says, for the tenant, what a hook has found.
	Sentence func(error) string
	// Cloud is the session that the restore would act through, and Admin that of the service
	// user, or nil.
	Cloud, Admin karbor.Cloud
}

// Look gives what is found: the errors first, then the warnings, then what was asked for.
func Look(ctx context.Context, r Restore) ([]Finding, error) {
	l := &lookAhead{Restore: r}
	if err := l.all(ctx); err != nil {
		return nil, err
	}
	if err := l.quotas(ctx); err != nil {
		return nil, err
	}
	if err := l.sizes(ctx); err != nil {
		return nil, err
	}
	return l.sorted(), nil
}

// lookAtOnce bounds the resources whose hooks look at the same time.
const lookAtOnce = 8

// lookAhead is one look ahead at a restore.
type lookAhead struct {
	Restore

	mu       sync.Mutex
	findings []Finding
	used     tally
	sized    []sized
}

// sized is a resource of which one thing has a size that a quota bounds.
type sized struct {
	node *karbor.Node
	need protection.Need
	size int64
}

// all looks at each resource.
func (l *lookAhead) all(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(lookAtOnce)
	for _, n := range l.Operation.Graph.Nodes() {
		hooks, err := l.Hooks(n)
		if err != nil {
			l.note(n, &protection.Forecast{Findings: []protection.Finding{{
				Severity: protection.SeverityError, Message: karbor.Sentence(err), Remedy: "Choose other resources, or restore to new ones.",
			}}})
			continue
		}
		look := hooks.Preflight
		if look == nil {
			continue
		}
		group.Go(func() error {
			call, err := l.call(n)
			if err != nil {
				return err
			}
			forecast, err := look(ctx, call)
			switch {
			case err == nil:
				l.note(n, forecast)
				return nil
			case karbor.IsTransient(err) || ctx.Err() != nil:
				return fmt.Errorf("looking ahead at %s %s: %w", n.Type.Word(), n.ID, err)
			}
			l.note(n, &protection.Forecast{Findings: []protection.Finding{{
				Severity: protection.SeverityError, Message: l.Sentence(err), Remedy: "Verify the checkpoint, or restore without this resource.",
			}}})
			return nil
		})
	}
	return group.Wait()
}

// call puts together what a Preflight hook gets.
func (l *lookAhead) call(n *karbor.Node) (*protection.Call, error) {
	documents, err := l.Provider.Checkpoints().Documents(l.Operation.ProjectID, l.Operation.CheckpointID, n.Key())
	if err != nil {
		return nil, err
	}
	streams, err := l.Provider.Streams(l.Operation.ProjectID, l.Operation.CheckpointID, n.Key())
	if err != nil {
		return nil, err
	}
	nothing := func(string) {}
	return &protection.Call{
		OperationID: l.Operation.ID, Owner: l.Operation.RestoreID, CheckpointID: l.Operation.CheckpointID, Graph: l.Operation.Graph, Node: n,
		Parameters: l.Operation.Parameters.For(n.Resource), Documents: documents, Data: transfer.Tallied(streams, transfer.NewTally()),
		Scratch: noScratch{}, NewResources: unrestored{l.Operation}, Cloud: l.Cloud, Service: l.Admin,
		Progress: func(int64, int64) {}, NotKept: nothing, Mapped: nothing,
	}, nil
}

func (l *lookAhead) note(n *karbor.Node, f *protection.Forecast) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, finding := range f.Findings {
		l.findings = append(l.findings, Finding{outcome.Key(n), finding})
	}
	l.used.add(f)
	for need, size := range f.Sizes {
		l.sized = append(l.sized, sized{n, need, size})
	}
}

// quotas compares what the restore needs with what the project may still use.
func (l *lookAhead) quotas(ctx context.Context) error {
	needs := l.used.most()
	if len(needs) == 0 {
		return nil
	}
	lacking, err := openstack.Shortages(ctx, l.Cloud, "the restore", needs)
	if err != nil {
		return fmt.Errorf("looking ahead at the quotas: %w", err)
	}
	for _, sentence := range lacking {
		l.findings = append(l.findings, Finding{"", protection.Finding{
			Severity: protection.SeverityError, Message: sentence,
			Remedy: "Remove what you no longer need, have the quota raised, or restore fewer resources.",
		}})
	}
	return nil
}

// sizes compares the sizes of what the restore makes with what each may have. Each such quota is read once.
func (l *lookAhead) sizes(ctx context.Context) error {
	limits := map[protection.Need]int64{}
	for _, s := range l.sized {
		most, read := limits[s.need]
		if !read {
			var err error
			if most, err = l.largest(ctx, s.need); err != nil {
				return err
			}
			limits[s.need] = most
		}
		if most >= 0 && s.size > most {
			word := s.node.Type.Word()
			l.findings = append(l.findings, Finding{outcome.Key(s.node), protection.Finding{
				Severity: protection.SeverityError,
				Message:  fmt.Sprintf("the quota %s does not suffice: the %s has %d GiB, and %d are allowed", s.need, word, s.size, most),
				Remedy:   "Have the quota raised, or restore without this " + word + ".",
			}})
		}
	}
	return nil
}

// largest reads the most that each thing of a need may have. A cloud that does not tell it is a finding, and no limit.
func (l *lookAhead) largest(ctx context.Context, need protection.Need) (int64, error) {
	most, err := openstack.Largest(ctx, l.Cloud, need)
	switch {
	case err == nil:
		return most, nil
	case karbor.IsTransient(err) || ctx.Err() != nil:
		return 0, fmt.Errorf("looking ahead at the quota %s: %w", need, err)
	}
	l.findings = append(l.findings, Finding{"", protection.Finding{
		Severity: protection.SeverityWarning, Message: l.Sentence(err), Remedy: "Look at the quota " + need.Quota + " yourself.",
	}})
	return -1, nil
}

// sorted gives the findings in an order that is always the same.
func (l *lookAhead) sorted() []Finding {
	rank := map[protection.Severity]int{protection.SeverityError: 0, protection.SeverityWarning: 1, protection.SeverityInfo: 2}
	place := map[string]int{"": -1}
	for i, n := range l.Operation.Graph.Nodes() {
		place[outcome.Key(n)] = i
	}
	slices.SortStableFunc(l.findings, func(a, b Finding) int {
		if d := rank[a.Severity] - rank[b.Severity]; d != 0 {
			return d
		}
		return place[a.Resource] - place[b.Resource]
	})
	return l.findings
}

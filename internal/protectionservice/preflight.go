package protectionservice

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/protection"
)

// PreflightFinding is something that a look ahead at a restore has found.
type PreflightFinding struct {
	// Resource is the key of the original (TYPE#id), "" for what concerns all of it.
	Resource string
	protection.Finding
}

// Preflight is what a look ahead at a restore has found: the errors first, then the
// warnings, then what was asked for.
type Preflight struct {
	ProviderID, CheckpointID string
	Findings                 []PreflightFinding
}

// Ready reports whether nothing is in the way of the restore that can be seen now.
func (p Preflight) Ready() bool {
	return !slices.ContainsFunc(p.Findings, func(f PreflightFinding) bool { return f.Severity == protection.SeverityError })
}

// Preflight looks what a restore would come across, and stores and changes nothing. What
// Restore would refuse it refuses too, but the state of the cloud is told as findings.
// It is as the caller sees it now: a restore may still fail for what changes meanwhile,
// and for what a tenant can't see, such as a cloud without room.
func (s *Service) Preflight(ctx context.Context, c Caller, r RestoreRequest) (Preflight, error) {
	out := Preflight{ProviderID: r.ProviderID, CheckpointID: r.CheckpointID}
	p, cp, _, err := s.restorable(ctx, c, r)
	if err != nil {
		return out, err
	}
	graph, parameters, err := s.choose(ctx, c, p, cp, r)
	if err != nil {
		return out, err
	}
	cloud, err := s.destination(ctx, c, r)
	if err != nil {
		return out, err
	}
	op := store.Operation{
		ID: karbor.NewID(), Type: karbor.RestoreOperation, ProjectID: cp.ProjectID, ProviderID: p.ID, CheckpointID: cp.ID,
		RestoreID: karbor.NewID(), Graph: graph, Parameters: parameters, Choices: r.Choices, Bank: cp.Bank,
	}
	l := &lookAhead{service: s, work: work{op, p}, cloud: cloud, needs: map[protection.Need]int64{}, shared: map[protection.Need]map[string]bool{}}
	if r.Target == "" {
		l.admin = s.adminReads
	}
	if err := l.all(ctx); err != nil {
		return out, err
	}
	if err := l.quotas(ctx); err != nil {
		return out, err
	}
	out.Findings = l.sorted()
	return out, nil
}

// destination gives the session that a restore would act through.
func (s *Service) destination(ctx context.Context, c Caller, r RestoreRequest) (karbor.Cloud, error) {
	to, err := s.restoreTarget(ctx, r)
	if err != nil || to == nil {
		return c.Cloud, err
	}
	return s.authority.Password(ctx, to.url, to.auth)
}

// lookAhead is one look ahead at a restore.
type lookAhead struct {
	service *Service
	work
	cloud karbor.Cloud
	admin karbor.Cloud

	mu       sync.Mutex
	findings []PreflightFinding
	needs    map[protection.Need]int64
	shared   map[protection.Need]map[string]bool
}

// all looks at each resource.
func (l *lookAhead) all(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(askAtOnce)
	for _, n := range l.op.Graph.Nodes() {
		look := hooksOf(l.provider, karbor.RestoreOperation, n.Type).Preflight
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
				Severity: protection.SeverityError, Message: karbor.Sentence(plain(err)), Remedy: "Verify the checkpoint, or restore without this resource.",
			}}})
			return nil
		})
	}
	return group.Wait()
}

// call puts together what a Preflight hook gets.
func (l *lookAhead) call(n *karbor.Node) (*protection.Call, error) {
	documents, err := l.provider.Checkpoints().Documents(l.op.ProjectID, l.op.CheckpointID, n.Key())
	if err != nil {
		return nil, err
	}
	streams, err := l.service.streams(l.work, n)
	if err != nil {
		return nil, err
	}
	nothing := func(string) {}
	return &protection.Call{
		OperationID: l.op.ID, Owner: l.op.RestoreID, CheckpointID: l.op.CheckpointID, Graph: l.op.Graph, Node: n,
		Parameters: l.op.Parameters.For(n.Resource), Documents: documents, Data: tallied{streams, newTally()},
		Scratch: noScratch{}, NewResources: unrestored{l.op}, Cloud: l.cloud, Service: l.admin,
		Progress: func(int64, int64) {}, NotKept: nothing, Mapped: nothing,
	}, nil
}

func (l *lookAhead) note(n *karbor.Node, f *protection.Forecast) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, finding := range f.Findings {
		l.findings = append(l.findings, PreflightFinding{originalKey(n), finding})
	}
	for need, amount := range f.Needs {
		l.needs[need] += amount
	}
	for need, originals := range f.Shared {
		for _, id := range originals {
			if l.shared[need] == nil {
				l.shared[need] = map[string]bool{}
			}
			if !l.shared[need][id] {
				l.shared[need][id] = true
				l.needs[need]++
			}
		}
	}
}

// quotas compares what the restore needs with what the project may still use.
func (l *lookAhead) quotas(ctx context.Context) error {
	if len(l.needs) == 0 {
		return nil
	}
	rooms, err := openstack.Headrooms(ctx, l.cloud)
	if err != nil {
		return fmt.Errorf("looking ahead at the quotas: %w", err)
	}
	for _, need := range slices.Sorted(maps.Keys(l.needs)) {
		room, known := rooms[need]
		if !known || room.Limit < 0 || l.needs[need] <= room.Left() {
			continue
		}
		l.findings = append(l.findings, PreflightFinding{"", protection.Finding{
			Severity: protection.SeverityError,
			Message:  fmt.Sprintf("the quota %q does not suffice: the restore needs %d, and %d of %d are left", need, l.needs[need], room.Left(), room.Limit),
			Remedy:   "Remove what you no longer need, have the quota raised, or restore fewer resources.",
		}})
	}
	return nil
}

// sorted gives the findings in an order that is always the same.
func (l *lookAhead) sorted() []PreflightFinding {
	rank := map[protection.Severity]int{protection.SeverityError: 0, protection.SeverityWarning: 1, protection.SeverityInfo: 2}
	place := map[string]int{"": -1}
	for i, n := range l.op.Graph.Nodes() {
		place[originalKey(n)] = i
	}
	slices.SortStableFunc(l.findings, func(a, b PreflightFinding) int {
		if d := rank[a.Severity] - rank[b.Severity]; d != 0 {
			return d
		}
		return place[a.Resource] - place[b.Resource]
	})
	return l.findings
}

// unrestored is protection.NewResources of a restore that has not begun: only what
// stays as it is has an id.
type unrestored struct{ op store.Operation }

func (u unrestored) ID(key karbor.NodeKey) string {
	return existing(u.op.Graph, u.op.Choices, key)
}

func (unrestored) Part(string) string { return "" }

func (unrestored) Set(context.Context, string) error { return errLooking }

func (unrestored) SetPart(context.Context, string, string) error { return errLooking }

// noScratch is an empty protection.Scratch.
type noScratch struct{}

func (noScratch) Load(context.Context, any) error { return nil }
func (noScratch) Save(context.Context, any) error { return errLooking }

// errLooking is the error of a Preflight hook that does more than look.
var errLooking = karbor.Errorf(karbor.Internal, "a look ahead at a restore records nothing")

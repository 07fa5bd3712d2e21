package compliance

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/internal/trigger"
	"github.com/karbor/karbor/protectable"
)

// Store is what a report reads of the database; store.Store is one.
type Store interface {
	Plans(ctx context.Context, f store.PlanFilter, p store.Page) ([]karbor.Plan, error)
	CoveringCheckpoints(ctx context.Context, projectID string, limit int) ([]store.Covering, error)
	CoveredBy(ctx context.Context, projectID string, of []store.Covering) ([]store.CoveredBy, error)
	ScheduledOperations(ctx context.Context, f store.ScheduledOperationFilter, p store.Page) ([]karbor.ScheduledOperation, error)
	Triggers(ctx context.Context, f store.TriggerFilter, p store.Page) ([]karbor.Trigger, error)
	Schedules(ctx context.Context, ids []string) (map[string]karbor.Schedule, error)
	UnmadeRuns(ctx context.Context, projectID string, since time.Time, limit int) ([]store.UnmadeRun, error)
	Drills(ctx context.Context, f store.DrillFilter, p store.Page) ([]karbor.Drill, error)
}

var _ Store = (*store.Store)(nil)

// Options of New. All are needed.
type Options struct {
	Store Store
	// Finders list the resources of the types.
	Finders []protectable.Plugin
	// Protects says whether a provider protects a type.
	Protects func(providerID string, t karbor.ResourceType) bool
	// Triggers are what the operator allows of triggers.
	Triggers trigger.Limits
	Now      func() time.Time
}

// Reporter makes reports. It is safe for concurrent use; only a few reports are made at a
// time, the others wait.
type Reporter struct {
	store    Store
	finders  []protectable.Plugin
	protects func(string, karbor.ResourceType) bool
	triggers trigger.Limits
	now      func() time.Time
	// turns bounds the memory that reports take.
	turns chan struct{}
}

// atOnce is how many reports are made at a time.
const atOnce = 4

// New makes a Reporter.
func New(o Options) *Reporter {
	r := &Reporter{store: o.Store, protects: o.Protects, triggers: o.Triggers, now: o.Now, turns: make(chan struct{}, atOnce)}
	for _, t := range karbor.ResourceTypes() {
		for _, f := range o.Finders {
			if f.Type() == t && t != karbor.ProjectType {
				r.finders = append(r.finders, f)
			}
		}
	}
	return r
}

// week is how far back it is looked for runs that did not happen, where nothing else is said.
const week = 7 * 24 * time.Hour

// Report says how the project of a session stands.
func (r *Reporter) Report(ctx context.Context, q Request) (Report, error) {
	select {
	case r.turns <- struct{}{}:
		defer func() { <-r.turns }()
	case <-ctx.Done():
		return Report{}, fmt.Errorf("waiting for other reports: %w", ctx.Err())
	}
	now := r.now()
	project := q.Cloud.ProjectID()
	of, err := r.take(ctx, q.Cloud)
	if err != nil {
		return Report{}, err
	}
	plans, err := pages(ctx, maxSchedules, func(p karbor.Plan) string { return p.ID },
		func(ctx context.Context, p store.Page) ([]karbor.Plan, error) {
			return r.store.Plans(ctx, store.PlanFilter{ProjectID: project}, p)
		})
	if err != nil {
		return Report{}, err
	}
	j := newJudge(r, q, of, plans, now)
	if j.covered, err = r.cover(ctx, of, j.wants); err != nil {
		return Report{}, err
	}
	promised, err := r.promises(ctx, project, now)
	if err != nil {
		return Report{}, err
	}
	j.promises = promised.byPlan
	if j.drilled, err = r.drills(ctx, project); err != nil {
		return Report{}, err
	}
	unmade, err := r.unmade(ctx, project, now.Add(-cmp.Or(q.UnmadeWithin, week)), promised.overdue)
	if err != nil {
		return Report{}, err
	}
	return Report{
		ProjectID: project, At: now, Types: of.states, Resources: j.rows(), Unmade: unmade, BackTo: j.covered.backTo,
	}, nil
}

// sortRows puts rows in the order of the types, then of the names and ids.
func sortRows(rows []Resource) {
	rank := map[karbor.ResourceType]int{}
	for i, t := range karbor.ResourceTypes() {
		rank[t] = i
	}
	slices.SortFunc(rows, func(a, b Resource) int {
		return cmp.Or(cmp.Compare(rank[a.Type], rank[b.Type]), cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
	})
}

package compliance

import (
	"context"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/internal/trigger"
)

const (
	// maxSchedules bounds the scheduled operations, triggers and plans that a report reads.
	maxSchedules = 5_000
	// maxUnmade bounds the runs that did not happen.
	maxUnmade = 200
	// promiseTimes and promiseSpan are how far ahead the times of a trigger are looked at for
	// the longest time between two: so many times, or at least eight within so long.
	promiseTimes = 512
	promiseSpan  = 35 * 24 * time.Hour
	leastTimes   = 8
)

// pages reads all pages of a list, up to a bound.
func pages[T any](ctx context.Context, bound int, id func(T) string, list func(context.Context, store.Page) ([]T, error)) ([]T, error) {
	var out []T
	for p := (store.Page{Limit: store.MaxLimit}); len(out) < bound; {
		page, err := list(ctx, p)
		if err != nil {
			return nil, err
		}
		out = append(out, page...)
		if len(page) < p.Limit {
			break
		}
		p.Marker = id(page[len(page)-1])
	}
	return out, nil
}

// promised is what the schedules of a project promise, and the runs that they owe.
type promised struct {
	byPlan  map[string]Promise
	overdue []Unmade
}

// promises reads the schedules of a project.
func (r *Reporter) promises(ctx context.Context, project string, now time.Time) (promised, error) {
	out := promised{byPlan: map[string]Promise{}}
	operations, err := pages(ctx, maxSchedules, func(o karbor.ScheduledOperation) string { return o.ID },
		func(ctx context.Context, p store.Page) ([]karbor.ScheduledOperation, error) {
			return r.store.ScheduledOperations(ctx, store.ScheduledOperationFilter{ProjectID: project}, p)
		})
	if err != nil || len(operations) == 0 {
		return out, err
	}
	triggers, err := pages(ctx, maxSchedules, func(g karbor.Trigger) string { return g.ID },
		func(ctx context.Context, p store.Page) ([]karbor.Trigger, error) {
			return r.store.Triggers(ctx, store.TriggerFilter{ProjectID: project}, p)
		})
	if err != nil {
		return out, err
	}
	byID := make(map[string]karbor.Trigger, len(triggers))
	for _, g := range triggers {
		byID[g.ID] = g
	}
	ids := make([]string, len(operations))
	for i := range operations {
		ids[i] = operations[i].ID
	}
	schedules, err := r.store.Schedules(ctx, ids)
	if err != nil {
		return out, err
	}
	longest := map[string]time.Duration{}
	for i := range operations {
		if ctx.Err() != nil {
			return out, ctx.Err()
		}
		o := &operations[i]
		g, ok := byID[o.TriggerID]
		if !o.Enabled || !ok {
			continue
		}
		late := r.triggers.Window(g.Properties) + g.Properties.Jitter
		if due := schedules[o.ID].DueAt; !due.IsZero() && due.Add(late).Before(now) {
			out.overdue = append(out.overdue, Unmade{
				ScheduledOperationID: o.ID, Name: o.Name, PlanID: o.Definition.PlanID, Type: o.OperationType,
				ExpectedAt: schedules[o.ID].NextAt, State: Overdue, Reason: "its window is over, and no operation engine has looked at it",
			})
		}
		if o.OperationType != karbor.ScheduledProtect && o.OperationType != karbor.ScheduledRetention {
			continue
		}
		if _, ok := longest[g.ID]; !ok {
			longest[g.ID] = longestGap(g.Properties, now)
		}
		every := longest[g.ID]
		p := Promise{Every: every, Allowed: every + late, PlanID: o.Definition.PlanID, ScheduledOperationID: o.ID, Name: o.Name}
		if old, ok := out.byPlan[p.PlanID]; every > 0 && (!ok || p.Allowed < old.Allowed) {
			out.byPlan[p.PlanID] = p
		}
	}
	return out, nil
}

// longestGap gives the longest time between two of the coming times of a trigger; 0 for one
// that does not fire twice any more.
func longestGap(p karbor.TriggerProperties, now time.Time) time.Duration {
	s, err := trigger.Parse(p)
	if err != nil {
		return 0 // it never fires
	}
	var longest time.Duration
	var last time.Time
	for i, at := range s.Times(now, leastTimes) {
		if i > 0 {
			longest = max(longest, at.Sub(last))
		}
		last = at
	}
	if last.IsZero() || last.Sub(now) > promiseSpan {
		return longest
	}
	for _, at := range s.Times(last, promiseTimes) {
		longest, last = max(longest, at.Sub(last)), at
		if at.Sub(now) > promiseSpan {
			break
		}
	}
	return longest
}

// unmade gives the runs that should have happened since a time and did not.
func (r *Reporter) unmade(ctx context.Context, project string, since time.Time, overdue []Unmade) ([]Unmade, error) {
	out := overdue
	runs, err := r.store.UnmadeRuns(ctx, project, since, maxUnmade)
	for i := range runs {
		u := &runs[i]
		out = append(out, Unmade{
			ScheduledOperationID: u.ScheduledOperationID, Name: u.Name, PlanID: u.PlanID, Type: u.Type,
			ExpectedAt: u.ExpectedAt, State: string(u.State), Reason: u.Reason,
		})
	}
	return out, err
}

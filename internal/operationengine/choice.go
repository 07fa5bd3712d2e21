package operationengine

import (
	"context"
	"fmt"
	"time"

	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/internal/trigger"
)

// choose gives the checkpoints on which a run works.
func choose(ctx context.Context, t Shelf, r store.ClaimedRun, among func(context.Context, store.Verifiable) ([]string, error)) ([]string, error) {
	d := r.Operation.Definition
	v := store.Verifiable{
		ProjectID: r.ProjectID, ProviderID: d.ProviderID, PlanID: d.PlanID, Selection: d.Selection, Most: mostOperations,
	}
	if d.Selection.Share == 0 {
		return among(ctx, v)
	}
	since, runs, err := dayOf(ctx, t, r)
	if err != nil {
		return nil, err
	}
	v.Runs, v.ScheduledOperationID, v.Since = runs, r.ScheduledOperationID, since
	if v.Done, err = t.Scheduled(ctx, r.ProjectID, r.ScheduledOperationID, since); err != nil {
		return nil, err
	}
	found, err := among(ctx, v)
	if err == nil && len(found) == 0 && v.Done > 0 {
		return nil, &nothingToDoError{fmt.Sprintf("the share of the day is done: %d operations have begun", v.Done)}
	}
	return found, err
}

// counted is how many of a day's times are computed: each costs some 10 µs.
const counted = 100

// dayOf gives the beginning of the day of a run by the clock of its trigger, and how many
// times of that day are still to come, with its own: of more than counted, as many as
// there would be if the others were as close to each other.
func dayOf(ctx context.Context, t Shelf, r store.ClaimedRun) (since time.Time, runs int, err error) {
	g, err := t.Trigger(ctx, r.ProjectID, r.Operation.TriggerID)
	if err != nil {
		return since, 0, err
	}
	schedule, err := trigger.Parse(g.Properties)
	if err != nil {
		return since, 0, err
	}
	local := r.ExpectedAt.In(schedule.Zone())
	year, month, day := local.Date()
	end := time.Date(year, month, day+1, 0, 0, 0, 0, schedule.Zone())
	runs = 1
	for at, ok := schedule.Next(r.ExpectedAt); ok && at.Before(end); at, ok = schedule.Next(at) {
		if runs++; runs > counted {
			runs = 1 + int(counted*(end.Sub(r.ExpectedAt)-1)/at.Sub(r.ExpectedAt))
			break
		}
	}
	return time.Date(year, month, day, 0, 0, 0, 0, schedule.Zone()), runs, nil
}

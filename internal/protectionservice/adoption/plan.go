package adoption

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/karbor/karbor"
)

// makePlans makes the plans again that the checkpoints remember, in the order of their
// ids. Each is as its newest checkpoint knows it, without its description, which no
// checkpoint has. Quotas do not keep a plan out that was there before.
func (a *adopter) makePlans(ctx context.Context) error {
	for _, id := range slices.Sorted(maps.Keys(a.plans)) {
		p := a.plans[id]
		known, err := a.knows(ctx, id)
		if err == nil && !known {
			known, err = a.makePlan(ctx, p)
		}
		if err != nil {
			return err
		}
		if known {
			a.report.KnownPlans++
			continue
		}
		a.report.Plans = append(a.report.Plans, Plan{ID: id, ProjectID: p.project, Name: p.Name})
	}
	return nil
}

func (a *adopter) knows(ctx context.Context, id string) (bool, error) {
	_, err := a.Store.Plan(ctx, "", id)
	if err != nil && karbor.KindOf(err) == karbor.NotFound {
		return false, nil
	}
	return err == nil, err
}

// makePlan makes one plan. known says that the database had it, deleted.
func (a *adopter) makePlan(ctx context.Context, p planned) (known bool, err error) {
	if a.DryRun {
		return false, nil
	}
	err = a.Store.CreatePlan(ctx, karbor.Plan{
		ID: p.ID, ProjectID: p.project, Name: p.Name, ProviderID: cmp.Or(p.ProviderID, a.Provider.ID), Status: karbor.PlanSuspended,
		Resources: p.Resources, Parameters: p.Parameters,
	}, -1)
	if err != nil && karbor.KindOf(err) == karbor.Conflict {
		return true, nil
	}
	return false, err
}

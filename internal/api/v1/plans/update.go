package plans

import (
	"context"
	"encoding/json"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/api"
)

// change is what a PUT asks for. What is nil stays as it is.
type change struct {
	Name *string `json:"name"`
	// Description is a text, or null for none.
	Description json.RawMessage    `json:"description"`
	Status      *karbor.PlanStatus `json:"status"`
	Resources   []karbor.Resource  `json:"resources"`
}

func (d Deps) update(ctx context.Context, r *api.Request) (any, error) {
	id, err := r.ID("id")
	if err != nil {
		return nil, err
	}
	var body struct {
		Plan change `json:"plan"`
	}
	if err := r.Decode(&body); err != nil {
		return nil, err
	}
	if name := body.Plan.Name; name != nil {
		if _, err := nameOf(*name); err != nil {
			return nil, err
		}
	}
	p, err := d.Store.UpdatePlan(ctx, r.ItemProject(), id, r.Identity.UserID, func(p *karbor.Plan) error {
		return d.apply(p, body.Plan)
	})
	if err != nil {
		return nil, err
	}
	return answer{viewOf(p)}, nil
}

// apply changes a plan. A started one is locked, except against being suspended,
// with or without other changes.
func (d Deps) apply(p *karbor.Plan, c change) error {
	edits := c.Name != nil || c.Description != nil || c.Resources != nil
	suspends := c.Status != nil && *c.Status == karbor.PlanSuspended
	if edits && p.Status != karbor.PlanSuspended && !suspends {
		return karbor.Errorf(karbor.Conflict, "plan %s is %s, and can be changed only while it is %s", p.ID, p.Status, karbor.PlanSuspended)
	}
	if c.Name != nil {
		p.Name = *c.Name
	}
	if c.Description != nil {
		p.Description = ""
		if err := json.Unmarshal(c.Description, &p.Description); err != nil {
			return karbor.Errorf(karbor.Invalid, "plan.description is not a text")
		}
	}
	if c.Status != nil {
		p.Status = *c.Status
	}
	if c.Resources == nil {
		return nil
	}
	p.Resources = c.Resources
	return d.Checker.CheckPlan(p.ProviderID, p)
}

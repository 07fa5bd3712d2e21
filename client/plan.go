package client

import (
	"context"
	"iter"
	"net/http"

	"github.com/karbor/karbor"
)

// Plan is a plan as the API shows it.
type Plan struct {
	ID          string            `json:"id"`
	Name        string            `json:"name"`
	Description string            `json:"description"`
	ProviderID  string            `json:"provider_id"`
	Status      karbor.PlanStatus `json:"status"`
	Resources   []karbor.Resource `json:"resources"`
	Parameters  karbor.Parameters `json:"parameters"`
}

// PlanRequest is a new plan. ProviderID and Resources are required.
type PlanRequest struct {
	Name        string            `json:"name"`
	Description string            `json:"description,omitempty"`
	ProviderID  string            `json:"provider_id"`
	Resources   []karbor.Resource `json:"resources"`
	Parameters  karbor.Parameters `json:"parameters"`
}

// PlanChange is a change of a plan; what is nil stays.
type PlanChange struct {
	Name        *string            `json:"name,omitempty"`
	Description *string            `json:"description,omitempty"`
	Status      *karbor.PlanStatus `json:"status,omitempty"`
	Resources   []karbor.Resource  `json:"resources,omitempty"`
}

// Plans are the plans of the API.
type Plans struct{ c *Client }

// List iterates over the plans. Filters: name (a part of it), description,
// status, project_id.
func (p *Plans) List(ctx context.Context, o ListOptions) iter.Seq2[Plan, error] {
	return list[Plan](ctx, p.c, call{path: "/plans", what: "listing the plans"}, "plans", o)
}

// Show gets one plan.
func (p *Plans) Show(ctx context.Context, id string) (Plan, error) {
	return show[Plan](ctx, p.c, call{path: "/plans/" + escape(id), what: "getting the plan " + id}, "plan")
}

// Create makes a plan, which starts out suspended.
func (p *Plans) Create(ctx context.Context, r PlanRequest) (Plan, error) {
	if r.Parameters == nil {
		r.Parameters = karbor.Parameters{}
	}
	return create[Plan](ctx, p.c, call{path: "/plans",
		body: map[string]any{"plan": r}, what: "creating the plan " + r.Name}, "plan")
}

// Update changes a plan. One that is started must be suspended first, or in
// the same change.
func (p *Plans) Update(ctx context.Context, id string, change PlanChange) (Plan, error) {
	return one[Plan](ctx, p.c, call{method: http.MethodPut, path: "/plans/" + escape(id),
		body: map[string]any{"plan": change}, what: "updating the plan " + id}, "plan")
}

// Delete deletes a plan. Its checkpoints stay.
func (p *Plans) Delete(ctx context.Context, id string) error {
	return p.c.do(ctx, call{method: http.MethodDelete, path: "/plans/" + escape(id),
		what: "deleting the plan " + id}, nil)
}

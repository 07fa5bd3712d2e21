// Package plans serves the plans of a project.
package plans

import (
	"context"
	_ "embed"
	"strings"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/api"
	"github.com/karbor/karbor/internal/store"
)

// Store keeps plans; store.Store is one.
type Store interface {
	CreatePlan(ctx context.Context, p karbor.Plan, limit int) error
	Plan(ctx context.Context, projectID, id string) (karbor.Plan, error)
	Plans(ctx context.Context, f store.PlanFilter, p store.Page) ([]karbor.Plan, error)
	UpdatePlan(ctx context.Context, projectID, id, by string, change func(*karbor.Plan) error) (karbor.Plan, error)
	DeletePlan(ctx context.Context, projectID, id string) error
}

// Checker checks what of a plan depends on its provider;
// protectionservice.Service is one.
type Checker interface {
	CheckPlan(providerID string, p *karbor.Plan) error
}

// Deps are what the room needs.
type Deps struct {
	Store   Store
	Checker Checker
	// Limits are the configured quotas of each project.
	Limits store.Limits
	Now    func() time.Time
}

var (
	//go:embed create.json
	createSchema []byte
	//go:embed update.json
	updateSchema []byte
)

// sortKeys are those of a list of plans.
var sortKeys = []string{"id", "name", "description", "status", "provider_id", "created_at", "updated_at", "project_id"}

// Routes gives what the room serves.
func Routes(d Deps) []api.Route {
	const one = "/plans/{id}"
	return []api.Route{
		{
			Method: "POST", Pattern: "/plans", Rule: "plan:create", Body: createSchema, Handle: d.create,
			Summary: "Make a plan", Description: "A new plan is `suspended`. Over the quota it is 413.", Answer: answer{},
		},
		{
			Method: "GET", Pattern: "/plans", Rule: "plan:get_all", Handle: d.list,
			Summary: "List the plans",
			Query: api.PageQuery(sortKeys, api.AllTenantsQuery(), api.ProjectQuery(), api.PartQuery("name"), api.PartQuery("description"),
				api.FilterQuery("status", string(karbor.PlanSuspended), string(karbor.PlanStarted))),
			Answer: api.ListShape("plans", view{}),
		},
		{Method: "GET", Pattern: one, Rule: "plan:get", Handle: d.show, Summary: "Show a plan", Answer: answer{}},
		{
			Method: "PUT", Pattern: one, Rule: "plan:update", Body: updateSchema, Handle: d.update,
			Summary: "Change a plan", Description: "A `started` plan is locked: 409, unless the same request suspends it.", Answer: answer{},
		},
		{
			Method: "DELETE", Pattern: one, Rule: "plan:delete", Handle: d.remove,
			Summary: "Delete a plan", Description: "Its checkpoints keep their own record of it.",
		},
	}
}

// view is a plan on the wire.
type view struct {
	ID          string            `json:"id"`
	Name        string            `json:"name"`
	Description *string           `json:"description"`
	Resources   []karbor.Resource `json:"resources"`
	ProviderID  string            `json:"provider_id"`
	Status      karbor.PlanStatus `json:"status" enum:"suspended|started"`
	Parameters  karbor.Parameters `json:"parameters" doc:"By TYPE or TYPE#id, what the provider's options_schema of that type allows."`
}

func viewOf(p karbor.Plan) view {
	v := view{
		ID: p.ID, Name: p.Name, Description: api.Text(p.Description), Resources: p.Resources,
		ProviderID: p.ProviderID, Status: p.Status, Parameters: p.Parameters,
	}
	if v.Resources == nil {
		v.Resources = []karbor.Resource{}
	}
	if v.Parameters == nil {
		v.Parameters = karbor.Parameters{}
	}
	return v
}

type answer struct {
	Plan view `json:"plan"`
}

func (d Deps) create(ctx context.Context, r *api.Request) (any, error) {
	var body struct {
		Plan struct {
			Name        string            `json:"name"`
			Description string            `json:"description"`
			ProviderID  string            `json:"provider_id"`
			Parameters  karbor.Parameters `json:"parameters"`
			Resources   []karbor.Resource `json:"resources"`
		} `json:"plan"`
	}
	if err := r.Decode(&body); err != nil {
		return nil, err
	}
	name, err := nameOf(body.Plan.Name)
	if err != nil {
		return nil, err
	}
	now := d.Now()
	p := karbor.Plan{
		ID: karbor.NewID(), ProjectID: r.Identity.ProjectID, Name: name, Description: body.Plan.Description,
		ProviderID: strings.ToLower(body.Plan.ProviderID), Status: karbor.PlanSuspended,
		Resources: body.Plan.Resources, Parameters: body.Plan.Parameters, CreatedAt: now, UpdatedAt: now,
	}
	if err := d.Checker.CheckPlan(p.ProviderID, &p); err != nil {
		return nil, err
	}
	if err := d.Store.CreatePlan(ctx, p, int(d.Limits.Of(store.QuotaPlans))); err != nil {
		return nil, err
	}
	return answer{viewOf(p)}, nil
}

// nameOf refuses a name of nothing but space.
func nameOf(name string) (string, error) {
	if strings.TrimSpace(name) == "" {
		return "", karbor.Errorf(karbor.Invalid, "Invalid input for field/attribute plan.name. Value: %q. It must have more than spaces.", name)
	}
	return name, nil
}

func (d Deps) list(ctx context.Context, r *api.Request) (any, error) {
	page, err := r.Page(sortKeys...)
	if err != nil {
		return nil, err
	}
	project, err := r.ListProject()
	if err != nil {
		return nil, err
	}
	plans, err := d.Store.Plans(ctx, store.PlanFilter{
		ProjectID: project, Name: r.Filter("name"), Description: r.Filter("description"), Status: r.Filter("status"),
	}, page)
	if err != nil {
		return nil, err
	}
	views := make([]view, len(plans))
	for i, p := range plans {
		views[i] = viewOf(p)
	}
	return api.List(r, "plans", page, views, func(v view) string { return v.ID }), nil
}

func (d Deps) show(ctx context.Context, r *api.Request) (any, error) {
	id, err := r.ID("id")
	if err != nil {
		return nil, err
	}
	p, err := d.Store.Plan(ctx, r.ItemProject(), id)
	if err != nil {
		return nil, err
	}
	return answer{viewOf(p)}, nil
}

// remove deletes a plan, also one that checkpoints were made of: each keeps its
// own record of the plan.
func (d Deps) remove(ctx context.Context, r *api.Request) (any, error) {
	id, err := r.ID("id")
	if err != nil {
		return nil, err
	}
	return nil, d.Store.DeletePlan(ctx, r.ItemProject(), id)
}

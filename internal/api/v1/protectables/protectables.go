// Package protectables serves the types of resources that can be protected, and
// the caller's instances of them.
package protectables

import (
	"cmp"
	"context"
	"slices"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/api"
	"github.com/karbor/karbor/internal/protectionservice/inventory"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/protectable"
)

// Inventory finds what can be protected; inventory.Finder does.
type Inventory interface {
	Types() []karbor.ResourceType
	DependentTypes(t karbor.ResourceType) ([]karbor.ResourceType, error)
	Instances(ctx context.Context, cloud karbor.Cloud, t karbor.ResourceType, q protectable.Query) ([]inventory.Instance, error)
	Instance(ctx context.Context, cloud karbor.Cloud, t karbor.ResourceType, id string, parameters map[string]any) (inventory.Instance, error)
}

// Deps are what the room needs.
type Deps struct {
	Inventory Inventory
	// Session opens the cloud as the caller.
	Session func(*karbor.Identity) karbor.Cloud
}

// sortKeys are those of a list of instances.
var sortKeys = []string{"id", "name", "type"}

var parametersQuery = api.Parameter{
	Name: "parameters", Description: "A dictionary for the plug-in, as JSON or as Python writes one, such as `{'region_name': 'east'}`.",
}

// Routes gives what the room serves.
func Routes(d Deps) []api.Route {
	const one = "/protectables/{type}"
	return []api.Route{
		{
			Method: "GET", Pattern: "/protectables", Rule: "protectable:get_all", Handle: d.list,
			Summary: "List the types of resources that can be protected",
			Answer:  api.Shape{"protectable_type": []karbor.ResourceType{}},
		},
		{
			Method: "GET", Pattern: one, Rule: "protectable:get", Handle: d.show,
			Summary: "Show a type of resources",
			Answer:  api.Shape{"protectable_type": api.Shape{"name": "", "dependent_types": []karbor.ResourceType{}}},
		},
		{
			Method: "GET", Pattern: one + "/instances", Rule: "protectable:instance_get_all", Handle: d.listInstances,
			Summary: "List the caller's resources of a type",
			Query:   api.PageQuery(sortKeys, parametersQuery),
			Answer:  api.ListShape("instances", view{}),
		},
		{
			Method: "GET", Pattern: one + "/instances/{id}", Rule: "protectable:instance_get", Handle: d.showInstance,
			Summary: "Show one of the caller's resources",
			Query:   []api.Parameter{parametersQuery}, Answer: api.Shape{"instance": view{}},
		},
	}
}

func (d Deps) list(context.Context, *api.Request) (any, error) {
	types := d.Inventory.Types()
	if types == nil {
		types = []karbor.ResourceType{}
	}
	return map[string]any{"protectable_type": types}, nil
}

func (d Deps) show(_ context.Context, r *api.Request) (any, error) {
	t := karbor.ResourceType(r.Path("type"))
	dependents, err := d.Inventory.DependentTypes(t)
	if err != nil {
		return nil, err
	}
	if dependents == nil {
		dependents = []karbor.ResourceType{}
	}
	return map[string]any{"protectable_type": map[string]any{"name": t, "dependent_types": dependents}}, nil
}

// resource is a resource on the wire.
type resource struct {
	ID        string              `json:"id"`
	Type      karbor.ResourceType `json:"type"`
	Name      string              `json:"name"`
	ExtraInfo map[string]string   `json:"extra_info"`
}

func resourceOf(r karbor.Resource) resource {
	v := resource{ID: r.ID, Type: r.Type, Name: r.Name, ExtraInfo: r.ExtraInfo}
	if v.ExtraInfo == nil {
		v.ExtraInfo = map[string]string{}
	}
	return v
}

// view is an instance on the wire.
type view struct {
	resource
	Dependents []resource `json:"dependent_resources" doc:"What is protected with it: a server's volumes, say."`
}

func viewOf(in inventory.Instance) view {
	v := view{resource: resourceOf(in.Resource), Dependents: []resource{}}
	for _, r := range in.Dependents {
		v.Dependents = append(v.Dependents, resourceOf(r))
	}
	return v
}

func (d Deps) listInstances(ctx context.Context, r *api.Request) (any, error) {
	page, err := r.Page(sortKeys...)
	if err != nil {
		return nil, err
	}
	parameters, err := ParseParameters(r.Filter("parameters"))
	if err != nil {
		return nil, err
	}
	found, err := d.instances(ctx, r, page, parameters)
	if err != nil {
		return nil, err
	}
	views := make([]view, len(found))
	for i, in := range found {
		views[i] = viewOf(in)
	}
	return api.List(r, "instances", page, views, func(v view) string { return v.ID }), nil
}

// instances gives a page. The plug-in has its own order; another one, or an
// offset, needs the whole list.
func (d Deps) instances(ctx context.Context, r *api.Request, page store.Page, parameters map[string]any) ([]inventory.Instance, error) {
	t := karbor.ResourceType(r.Path("type"))
	q := protectable.Query{Parameters: parameters}
	if len(page.Sort) == 0 && page.Offset == 0 {
		q.Limit, q.Marker = page.Limit, page.Marker
		return d.Inventory.Instances(ctx, d.Session(r.Identity), t, q)
	}
	all, err := d.Inventory.Instances(ctx, d.Session(r.Identity), t, q)
	if err != nil {
		return nil, err
	}
	if len(page.Sort) > 0 {
		slices.SortStableFunc(all, func(a, b inventory.Instance) int {
			return compare(a, b, page.Sort)
		})
	}
	return api.Window(page, all, func(in inventory.Instance) string { return in.ID })
}

func compare(a, b inventory.Instance, keys []store.Sort) int {
	for _, k := range keys {
		var c int
		switch k.Key {
		case "name":
			c = cmp.Compare(a.Name, b.Name)
		case "type":
			c = cmp.Compare(a.Type, b.Type)
		default:
			c = cmp.Compare(a.ID, b.ID)
		}
		if k.Desc {
			c = -c
		}
		if c != 0 {
			return c
		}
	}
	return cmp.Compare(a.ID, b.ID)
}

func (d Deps) showInstance(ctx context.Context, r *api.Request) (any, error) {
	parameters, err := ParseParameters(r.Filter("parameters"))
	if err != nil {
		return nil, err
	}
	id := r.Path("id")
	if !karbor.IsResourceID(id) {
		return nil, karbor.Errorf(karbor.Invalid, "Invalid instance id provided: %.80q can't be the id of a resource.", id)
	}
	in, err := d.Inventory.Instance(ctx, d.Session(r.Identity), karbor.ResourceType(r.Path("type")), id, parameters)
	if err != nil {
		return nil, err
	}
	return map[string]any{"instance": viewOf(in)}, nil
}

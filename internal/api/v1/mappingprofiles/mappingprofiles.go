// Package mappingprofiles serves the mapping profiles of a project: mappings for restores,
// kept under a name.
package mappingprofiles

import (
	"context"
	_ "embed"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/api"
	"github.com/karbor/karbor/internal/store"
)

// Store keeps mapping profiles; store.Store is one.
type Store interface {
	CreateMappingProfile(ctx context.Context, p karbor.MappingProfile, limit int) error
	MappingProfile(ctx context.Context, projectID, id string) (karbor.MappingProfile, error)
	MappingProfiles(ctx context.Context, f store.MappingProfileFilter, p store.Page) ([]karbor.MappingProfile, error)
	DeleteMappingProfile(ctx context.Context, projectID, id string) error
}

// Deps are what the room needs.
type Deps struct {
	Store Store
	// Limit is the most of a project; negative for no limit.
	Limit int
	Now   func() time.Time
}

//go:embed create.json
var createSchema []byte

// sortKeys are those of a list of mapping profiles.
var sortKeys = []string{"id", "name", "created_at"}

// Routes gives what the room serves.
func Routes(d Deps) []api.Route {
	const all, one = "/mapping_profiles", "/mapping_profiles/{id}"
	return []api.Route{
		{
			Method: "POST", Pattern: all, Rule: "mapping_profile:create", Since: api.ProofVersion, Body: createSchema, Handle: d.create,
			Summary: "Keep a mapping for restores", Description: "A name that the project has already is 409.", Answer: answer{},
		},
		{
			Method: "GET", Pattern: all, Rule: "mapping_profile:get_all", Since: api.ProofVersion, Handle: d.list,
			Summary: "List the mapping profiles",
			Query:   api.PageQuery(sortKeys, api.AllTenantsQuery(), api.ProjectQuery(), api.FilterQuery("name")),
			Answer:  api.ListShape("mapping_profiles", view{}),
		},
		{Method: "GET", Pattern: one, Rule: "mapping_profile:get", Since: api.ProofVersion, Handle: d.show, Summary: "Show a mapping profile", Answer: answer{}},
		{
			Method: "DELETE", Pattern: one, Rule: "mapping_profile:delete", Since: api.ProofVersion, Handle: d.remove,
			Summary: "Delete a mapping profile", Description: "Restores that used it keep what it said.",
		},
	}
}

// view is a mapping profile on the wire.
type view struct {
	ID          string         `json:"id"`
	ProjectID   string         `json:"project_id"`
	Name        string         `json:"name"`
	Description string         `json:"description"`
	Mapping     map[string]any `json:"mapping" doc:"As in a restore."`
	CreatedAt   *string        `json:"created_at" format:"date-time"`
}

type answer struct {
	Profile view `json:"mapping_profile"`
}

func viewOf(p karbor.MappingProfile) view {
	return view{p.ID, p.ProjectID, p.Name, p.Description, p.Mapping, api.Time(p.CreatedAt)}
}

func (d Deps) create(ctx context.Context, r *api.Request) (any, error) {
	var body struct {
		Profile struct {
			Name        string         `json:"name"`
			Description string         `json:"description"`
			Mapping     map[string]any `json:"mapping"`
		} `json:"mapping_profile"`
	}
	if err := r.Decode(&body); err != nil {
		return nil, err
	}
	now := d.Now()
	p := karbor.MappingProfile{
		ID: karbor.NewID(), ProjectID: r.Identity.ProjectID, Name: body.Profile.Name, Description: body.Profile.Description,
		Mapping: body.Profile.Mapping, CreatedAt: now, UpdatedAt: now,
	}
	if err := d.Store.CreateMappingProfile(ctx, p, d.Limit); err != nil {
		return nil, err
	}
	return answer{viewOf(p)}, nil
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
	found, err := d.Store.MappingProfiles(ctx, store.MappingProfileFilter{ProjectID: project, Name: r.Filter("name")}, page)
	if err != nil {
		return nil, err
	}
	views := make([]view, len(found))
	for i, p := range found {
		views[i] = viewOf(p)
	}
	return api.List(r, "mapping_profiles", page, views, func(v view) string { return v.ID }), nil
}

func (d Deps) show(ctx context.Context, r *api.Request) (any, error) {
	id, err := r.ID("id")
	if err != nil {
		return nil, err
	}
	p, err := d.Store.MappingProfile(ctx, r.ItemProject(), id)
	if err != nil {
		return nil, err
	}
	return answer{viewOf(p)}, nil
}

func (d Deps) remove(ctx context.Context, r *api.Request) (any, error) {
	id, err := r.ID("id")
	if err != nil {
		return nil, err
	}
	return nil, d.Store.DeleteMappingProfile(ctx, r.ItemProject(), id)
}

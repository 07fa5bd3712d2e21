// Package quotas serves the quotas of projects.
package quotas

import (
	"context"
	_ "embed"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/api"
	"github.com/karbor/karbor/internal/api/v1/limits"
	"github.com/karbor/karbor/internal/quota"
	"github.com/karbor/karbor/internal/store"
)

// Quotas are the quotas of all projects; quota.Quotas is one.
type Quotas interface {
	Limits(ctx context.Context, projectID string) (store.Limits, error)
	Defaults(ctx context.Context) (store.Limits, error)
	Detail(ctx context.Context, projectID string) (map[store.QuotaResource]quota.Entry, error)
	Set(ctx context.Context, projectID string, l store.Limits) (store.Limits, error)
	Reset(ctx context.Context, projectID string) error
}

// Deps are what the room needs.
type Deps struct {
	Quotas Quotas
}

//go:embed update.json
var updateSchema []byte

// Routes gives what the room serves.
func Routes(d Deps) []api.Route {
	const one = "/quotas/{id}"
	return []api.Route{
		{
			Method: "GET", Pattern: one, Rule: "quota:get", Handle: d.show,
			Summary: "Show the quotas of a project", Answer: answer{},
		},
		{
			Method: "GET", Pattern: one + "/defaults", Rule: "quota:get_default", Handle: d.defaults,
			Summary:     "Show the default quotas",
			Description: "They hold for every project that has none of its own: those of the quota class `default`, over the configured ones.",
			Answer:      answer{},
		},
		{
			Method: "GET", Pattern: one + "/detail", Rule: "quota:get_detail", Handle: d.detail,
			Summary:     "Show the quotas of a project, and what is in use",
			Description: "What is `reserved` is set aside for checkpoints that are being made. A checkpoint counts until its delete has ended.",
			Answer:      api.Shape{"quota": detail{}},
		},
		{
			Method: "PUT", Pattern: one, Rule: "quota:update", Body: updateSchema, Handle: d.update,
			Summary:     "Change the quotas of a project",
			Description: "Members that are left out stay. A limit below what is in use keeps more from being made, and takes nothing away.",
			Answer:      answer{},
		},
		{
			Method: "DELETE", Pattern: one, Rule: "quota:delete", Handle: d.remove,
			Summary: "Bring the quotas of a project back to the defaults",
		},
	}
}

// view are the quotas of a project on the wire.
type view struct {
	ID string `json:"id" doc:"Id of the project."`
	limits.View
}

type answer struct {
	Quota view `json:"quota"`
}

// detail are the quotas of a project with what it has, on the wire.
type detail struct {
	ID          string `json:"id" doc:"Id of the project."`
	Plans       entry  `json:"plans"`
	Checkpoints entry  `json:"checkpoints"`
	// Gigabytes is there from api.CopyVersion on.
	Gigabytes *entry `json:"gigabytes,omitempty" doc:"From 1.2."`
}

type entry struct {
	Limit    int64 `json:"limit" doc:"-1 is unlimited."`
	InUse    int64 `json:"in_use"`
	Reserved int64 `json:"reserved"`
}

// project gives the project of the path. One that the caller does not reach is
// karbor.NotFound, whether it exists or not.
func project(r *api.Request) (string, error) {
	id := r.Path("id")
	switch {
	case !karbor.IsResourceID(id):
		return "", karbor.Errorf(karbor.Invalid, "Invalid id provided: %.80q is not the id of a project.", id)
	case !r.Reaches(id):
		return "", karbor.Errorf(karbor.NotFound, "The quotas of this project could not be found.")
	}
	return id, nil
}

func (d Deps) show(ctx context.Context, r *api.Request) (any, error) {
	id, err := project(r)
	if err != nil {
		return nil, err
	}
	l, err := d.Quotas.Limits(ctx, id)
	return answer{view{id, limits.Of(l, r.Version)}}, err
}

func (d Deps) defaults(ctx context.Context, r *api.Request) (any, error) {
	id, err := project(r)
	if err != nil {
		return nil, err
	}
	l, err := d.Quotas.Defaults(ctx)
	return answer{view{id, limits.Of(l, r.Version)}}, err
}

func (d Deps) detail(ctx context.Context, r *api.Request) (any, error) {
	id, err := project(r)
	if err != nil {
		return nil, err
	}
	found, err := d.Quotas.Detail(ctx, id)
	if err != nil {
		return nil, err
	}
	v := detail{ID: id, Plans: entry(found[store.QuotaPlans]), Checkpoints: entry(found[store.QuotaCheckpoints])}
	if r.Version >= api.CopyVersion {
		gigabytes := entry(found[store.QuotaGigabytes])
		v.Gigabytes = &gigabytes
	}
	return map[string]detail{"quota": v}, nil
}

func (d Deps) update(ctx context.Context, r *api.Request) (any, error) {
	id, err := project(r)
	if err != nil {
		return nil, err
	}
	var body struct {
		Quota limits.Change `json:"quota"`
	}
	if err := r.Decode(&body); err != nil {
		return nil, err
	}
	change, err := body.Quota.Limits("quota", r.Version)
	if err != nil {
		return nil, err
	}
	l, err := d.Quotas.Set(ctx, id, change)
	return answer{view{id, limits.Of(l, r.Version)}}, err
}

func (d Deps) remove(ctx context.Context, r *api.Request) (any, error) {
	id, err := project(r)
	if err != nil {
		return nil, err
	}
	return nil, d.Quotas.Reset(ctx, id)
}

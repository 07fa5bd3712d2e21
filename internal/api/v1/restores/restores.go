// Package restores serves the restores of checkpoints.
package restores

import (
	"context"
	_ "embed"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/api"
	"github.com/karbor/karbor/internal/protectionservice"
	"github.com/karbor/karbor/internal/protectionservice/preflight"
	"github.com/karbor/karbor/internal/store"
)

// Store keeps restores; store.Store is one.
type Store interface {
	Profiles
	Restore(ctx context.Context, projectID, id string) (karbor.Restore, error)
	Restores(ctx context.Context, f store.RestoreFilter, p store.Page) ([]karbor.Restore, error)
}

// Service restores checkpoints; protectionservice.Service is one.
type Service interface {
	Restore(ctx context.Context, c protectionservice.Caller, r protectionservice.RestoreRequest) (karbor.Restore, error)
	Preflight(ctx context.Context, c protectionservice.Caller, r protectionservice.RestoreRequest) (preflight.Report, error)
	RestoreProgress(ctx context.Context, c protectionservice.Caller, id string) ([]karbor.ResourceProgress, error)
	LiveRestore(ctx context.Context, r karbor.Restore) (karbor.Restore, error)
}

// Deps are what the room needs.
type Deps struct {
	Store   Store
	Service Service
	// Session opens the cloud as the caller.
	Session func(*karbor.Identity) karbor.Cloud
}

//go:embed create.json
var createSchema []byte

// sortKeys are those of a list of restores.
var sortKeys = []string{"id", "project_id", "provider_id", "checkpoint_id", "restore_target", "status", "created_at", "updated_at"}

// Routes gives what the room serves.
func Routes(d Deps) []api.Route {
	return []api.Route{
		{
			Method: "POST", Pattern: "/restores", Rule: "restore:create", Body: createSchema, Handle: d.create,
			Summary:     "Restore a checkpoint",
			Description: "Only an `available` checkpoint restores. A request that can't start is a 4xx that says why, and stores nothing. With `dry_run` (from 1.4) nothing is restored: the answer says what a restore would come across.",
			Answer:      created{},
		},
		{
			Method: "GET", Pattern: "/restores", Rule: "restore:get_all", Handle: d.list,
			Summary: "List the restores",
			Query: api.PageQuery(sortKeys, api.AllTenantsQuery(), api.ProjectQuery(), api.FilterQuery("status",
				string(karbor.RestoreInProgress), string(karbor.RestoreSuccess), string(karbor.RestoreFail))),
			Answer: api.ListShape("restores", view{}),
		},
		{Method: "GET", Pattern: "/restores/{id}", Rule: "restore:get", Handle: d.show, Summary: "Show a restore", Answer: answer{}},
	}
}

func (d Deps) caller(r *api.Request) protectionservice.Caller {
	return protectionservice.Caller{Identity: r.Identity, Cloud: d.Session(r.Identity)}
}

func (d Deps) create(ctx context.Context, r *api.Request) (any, error) {
	var body struct {
		Restore request `json:"restore"`
	}
	if err := r.Decode(&body); err != nil {
		return nil, err
	}
	if err := body.Restore.check(r.Version); err != nil {
		return nil, err
	}
	wanted, err := body.Restore.service(r.Version)
	if err != nil {
		return nil, err
	}
	if profile := body.Restore.Profile; profile != nil {
		if wanted.Choices.Mapping, err = d.profiled(ctx, r.Identity.ProjectID, *profile, wanted.Choices.Mapping); err != nil {
			return nil, err
		}
	}
	if dry := body.Restore.DryRun; dry != nil && *dry {
		found, err := d.Service.Preflight(ctx, d.caller(r), wanted)
		if err != nil {
			return nil, err
		}
		return created{Preflight: preflightOf(found)}, nil
	}
	restore, err := d.Service.Restore(ctx, d.caller(r), wanted)
	if err != nil {
		return nil, err
	}
	v := viewOf(restore)
	return created{Restore: &v}, nil
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
	found, err := d.Store.Restores(ctx, store.RestoreFilter{ProjectID: project, Status: r.Filter("status")}, page)
	if err != nil {
		return nil, err
	}
	views := make([]view, len(found))
	for i, restore := range found {
		if restore, err = d.Service.LiveRestore(ctx, restore); err != nil {
			return nil, err
		}
		views[i] = viewOf(restore)
	}
	return api.List(r, "restores", page, views, func(v view) string { return v.ID }), nil
}

func (d Deps) show(ctx context.Context, r *api.Request) (any, error) {
	id, err := r.ID("id")
	if err != nil {
		return nil, err
	}
	restore, err := d.Store.Restore(ctx, r.ItemProject(), id)
	if err != nil {
		return nil, err
	}
	if restore, err = d.Service.LiveRestore(ctx, restore); err != nil {
		return nil, err
	}
	v := viewOf(restore)
	if r.Version < api.ProgressVersion {
		return answer{v}, nil
	}
	caller := d.caller(r)
	// An administrator sees another project's as its own people do.
	own := *caller.Identity
	own.ProjectID = restore.ProjectID
	caller.Identity = &own
	resources, err := d.Service.RestoreProgress(ctx, caller, id)
	if err != nil {
		return nil, err
	}
	v = v.withProgress(restore, resources, r.Version)
	if r.Version >= api.FiguresVersion {
		v.Keep = &restore.KeepOnFailure
	}
	if r.Version >= api.ControlVersion {
		v = v.withChoices(restore.Choices, resources)
		v.StandIn = restore.StandIn
	}
	if r.Version >= api.ProofVersion {
		v = v.withPlace(restore.Choices)
	}
	return answer{v}, nil
}

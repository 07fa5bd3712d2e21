// Package checkpoints serves the checkpoints of a provider: making, listing,
// showing, deleting them, and resetting their state.
package checkpoints

import (
	"context"
	_ "embed"
	"encoding/json"
	"strings"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/api"
	"github.com/karbor/karbor/internal/protectionservice"
	"github.com/karbor/karbor/internal/store"
)

// Store keeps the catalogue of checkpoints; store.Store is one.
type Store interface {
	DrillStore
	LockStore
	Checkpoint(ctx context.Context, projectID, providerID, id string) (karbor.Checkpoint, error)
	Checkpoints(ctx context.Context, f store.CheckpointFilter, p store.Page) ([]karbor.Checkpoint, error)
	Keepings(ctx context.Context, providerID string, ids []string) (map[string]karbor.Keeping, error)
}

// Service makes and changes checkpoints; protectionservice.Service is one.
type Service interface {
	Keeper
	Provider(id string) (protectionservice.Provider, error)
	Protect(ctx context.Context, c protectionservice.Caller, r protectionservice.ProtectRequest) (karbor.Checkpoint, error)
	DeleteCheckpoint(ctx context.Context, c protectionservice.Caller, providerID, id string) error
	ResetCheckpoint(ctx context.Context, c protectionservice.Caller, providerID, id string, to karbor.CheckpointStatus) error
	CheckpointProgress(ctx context.Context, cp karbor.Checkpoint) ([]karbor.ResourceProgress, error)
}

// Deps are what the room needs.
type Deps struct {
	Store   Store
	Service Service
	// Session opens the cloud as the caller.
	Session func(*karbor.Identity) karbor.Cloud
	Now     func() time.Time
}

var (
	//go:embed create.json
	createSchema []byte
	//go:embed action.json
	actionSchema []byte
)

// sortKeys are those of a list of checkpoints.
var sortKeys = []string{"id", "project_id", "provider_id", "plan_id", "status", "created_at", "updated_at"}

// Routes gives what the room serves.
func Routes(d Deps) []api.Route {
	const all = "/providers/{provider_id}/checkpoints"
	const one = all + "/{checkpoint_id}"
	const tag = "checkpoints"
	return append([]api.Route{
		{
			Method: "POST", Pattern: all, Rule: "provider:checkpoint_create", Body: createSchema, Handle: d.create, Tag: tag,
			Summary: "Protect a plan", Description: "The answer comes as soon as the checkpoint is durable; the work goes on behind it.",
			Answer: answer{},
		},
		{
			Method: "GET", Pattern: all, Rule: "provider:checkpoint_get_all", Handle: d.list, Tag: tag,
			Summary: "List the checkpoints of a provider",
			Query: api.PageQuery(sortKeys, api.AllTenantsQuery(), api.ProjectQuery(), api.FilterQuery("plan_id"), api.FilterQuery("status"),
				api.Parameter{Name: "start_date", Format: "date", Description: "Only checkpoints of this day or later."},
				api.Parameter{Name: "end_date", Format: "date", Description: "Only checkpoints of this day or earlier."},
				api.Parameter{Name: "bank", Description: "From 1.4: only checkpoints in that bank: main, or the name of a copy target."},
				api.Parameter{Name: "copy_of", Description: "From 1.4: only the copies of that checkpoint."}),
			Answer: api.ListShape("checkpoints", view{}),
		},
		{Method: "GET", Pattern: one, Rule: "provider:checkpoint_get", Handle: d.show, Tag: tag, Summary: "Show a checkpoint", Answer: answer{}},
		{
			Method: "PUT", Pattern: one, Rule: "provider:checkpoint_update", Body: actionSchema, Handle: d.reset, Tag: tag,
			Summary: "Reset the state of a checkpoint", Description: "409 while an operation works on it.", Answer: struct{}{},
		},
		{
			Method: "DELETE", Pattern: one, Rule: "provider:checkpoint_delete", Handle: d.remove, Tag: tag,
			Summary: "Delete a checkpoint",
			Description: "Allowed in `available`, `error` and `error-deleting`, else 409; so is one that is held, in use, or the newest one in which a " +
				"verification has found a resource good. It goes on after the answer.", Answer: struct{}{},
		},
	}, d.keepingRoutes(one, tag)...)
}

func (d Deps) caller(r *api.Request) protectionservice.Caller {
	return protectionservice.Caller{Identity: r.Identity, Cloud: d.Session(r.Identity)}
}

// callerOn is caller for an action on a checkpoint. Who acts on those of all projects
// does so in the project of this one.
func (d Deps) callerOn(ctx context.Context, r *api.Request, provider, id string) (protectionservice.Caller, error) {
	caller := d.caller(r)
	if r.ItemProject() != "" {
		return caller, nil
	}
	c, err := d.Store.Checkpoint(ctx, "", provider, id)
	caller.Project = c.ProjectID
	return caller, err
}

// provider gives the provider of the path; karbor.NotFound if there is none.
func (d Deps) provider(r *api.Request) (string, error) {
	id, err := r.ID("provider_id")
	if err != nil {
		return "", err
	}
	p, err := d.Service.Provider(id)
	return p.ID, err
}

// path gives the provider and the checkpoint of the path.
func (d Deps) path(r *api.Request) (provider, id string, err error) {
	if provider, err = d.provider(r); err != nil {
		return "", "", err
	}
	id, err = r.ID("checkpoint_id")
	return provider, id, err
}

func (d Deps) create(ctx context.Context, r *api.Request) (any, error) {
	var body struct {
		Checkpoint struct {
			PlanID    string                     `json:"plan_id"`
			ExtraInfo map[string]json.RawMessage `json:"extra_info"`
			// ExpiresAt is there from api.ControlVersion on.
			ExpiresAt *time.Time `json:"expires_at"`
			// Dashed is how the original's client spells it.
			Dashed map[string]json.RawMessage `json:"extra-info"`
		} `json:"checkpoint"`
	}
	if err := r.Decode(&body); err != nil {
		return nil, err
	}
	provider, err := d.provider(r)
	if err != nil {
		return nil, err
	}
	extra := body.Checkpoint.ExtraInfo
	if extra == nil {
		extra = body.Checkpoint.Dashed
	} else if body.Checkpoint.Dashed != nil {
		return nil, karbor.Errorf(karbor.Invalid, "Invalid input for field/attribute checkpoint.extra-info. It is there beside checkpoint.extra_info; send one of them.")
	}
	asked := protectionservice.ProtectRequest{ProviderID: provider, PlanID: strings.ToLower(body.Checkpoint.PlanID), ExtraInfo: extra}
	if at := body.Checkpoint.ExpiresAt; at != nil {
		if r.Version < api.ControlVersion {
			return nil, karbor.Errorf(karbor.Invalid, "Invalid input for field/attribute checkpoint.expires_at. It came with version %s of the API, and this is %s.", api.ControlVersion, r.Version)
		}
		asked.ExpiresAt = *at
	}
	c, err := d.Service.Protect(ctx, d.caller(r), asked)
	if err != nil {
		return nil, err
	}
	v, err := viewOf(c, r.Version)
	if err == nil && r.Version >= api.ControlVersion {
		v.ExpiresAt = api.Time(asked.ExpiresAt)
	}
	return answer{v}, err
}

func (d Deps) list(ctx context.Context, r *api.Request) (any, error) {
	provider, err := d.provider(r)
	if err != nil {
		return nil, err
	}
	page, err := r.Page(sortKeys...)
	if err != nil {
		return nil, err
	}
	f := store.CheckpointFilter{ProviderID: provider, PlanID: r.Filter("plan_id"), Status: r.Filter("status")}
	copyFilter(r, &f)
	if f.ProjectID, err = r.ListProject(); err != nil {
		return nil, err
	}
	if f.StartDate, err = date(r, "start_date"); err != nil {
		return nil, err
	}
	if f.EndDate, err = date(r, "end_date"); err != nil {
		return nil, err
	}
	asked := r.Filter("project_id")
	var found []karbor.Checkpoint
	// A filter by a project that the caller does not see finds nothing.
	if asked == "" || f.ProjectID == "" || f.ProjectID == asked {
		if asked != "" {
			f.ProjectID = asked
		}
		if found, err = d.Store.Checkpoints(ctx, f, page); err != nil {
			return nil, err
		}
	}
	views := make([]view, len(found))
	for i, c := range found {
		if views[i], err = viewOf(c, r.Version); err != nil {
			return nil, err
		}
	}
	if err := d.withDrills(ctx, r.Version, api.InsightVersion, provider, views); err != nil {
		return nil, err
	}
	if err := d.withKeepings(ctx, r.Version, provider, views); err != nil {
		return nil, err
	}
	return api.List(r, "checkpoints", page, views, func(v view) string { return v.ID }), nil
}

// date reads a filter of the form YYYY-MM-DD; without it, the zero time.
func date(r *api.Request, name string) (time.Time, error) {
	text := r.Filter(name)
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.DateOnly, text)
	if err != nil || t.Year() < 1 {
		return time.Time{}, karbor.Errorf(karbor.Invalid, "Invalid %s: %.80q is not a date of the form YYYY-MM-DD.", name, text)
	}
	return t, nil
}

func (d Deps) show(ctx context.Context, r *api.Request) (any, error) {
	provider, id, err := d.path(r)
	if err != nil {
		return nil, err
	}
	c, err := d.Store.Checkpoint(ctx, r.ItemProject(), provider, id)
	if err != nil {
		return nil, err
	}
	v, err := viewOf(c, r.Version)
	if err != nil || r.Version < api.ProgressVersion {
		return answer{v}, err
	}
	resources, err := d.Service.CheckpointProgress(ctx, c)
	if err != nil {
		return nil, err
	}
	v = v.withProgress(c, resources, r.Version)
	if r.Version >= api.FiguresVersion {
		v = v.withFigures(c).withNotKept(resources)
	}
	views := []view{v}
	if err := d.withLock(ctx, r.Version, provider, &views[0]); err != nil {
		return nil, err
	}
	if err := d.withDrills(ctx, r.Version, api.ProofVersion, provider, views); err != nil {
		return nil, err
	}
	err = d.withKeepings(ctx, r.Version, provider, views)
	return answer{views[0]}, err
}

func (d Deps) reset(ctx context.Context, r *api.Request) (any, error) {
	var body struct {
		Reset struct {
			State karbor.CheckpointStatus `json:"state"`
		} `json:"os-resetState"`
	}
	if err := r.Decode(&body); err != nil {
		return nil, err
	}
	provider, id, err := d.path(r)
	if err != nil {
		return nil, err
	}
	caller, err := d.callerOn(ctx, r, provider, id)
	if err != nil {
		return nil, err
	}
	return struct{}{}, d.Service.ResetCheckpoint(ctx, caller, provider, id, body.Reset.State)
}

func (d Deps) remove(ctx context.Context, r *api.Request) (any, error) {
	provider, id, err := d.path(r)
	if err != nil {
		return nil, err
	}
	caller, err := d.callerOn(ctx, r, provider, id)
	if err != nil {
		return nil, err
	}
	return struct{}{}, d.Service.DeleteCheckpoint(ctx, caller, provider, id)
}

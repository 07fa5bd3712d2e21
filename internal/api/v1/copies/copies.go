// Package copies serves the requests to copy checkpoints.
package copies

import (
	"context"
	_ "embed"
	"strings"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/api"
	"github.com/karbor/karbor/internal/protectionservice"
	"github.com/karbor/karbor/internal/store"
)

// Store keeps the requests; store.Store is one.
type Store interface {
	Copy(ctx context.Context, projectID, providerID, id string) (karbor.Copy, error)
	Copies(ctx context.Context, f store.CopyFilter, p store.Page) ([]karbor.Copy, error)
}

// Service copies checkpoints; protectionservice.Service is one.
type Service interface {
	Provider(id string) (protectionservice.Provider, error)
	Copy(ctx context.Context, c protectionservice.Caller, r protectionservice.CopyRequest) (karbor.Copy, error)
	CopyProgress(ctx context.Context, c karbor.Copy) ([]karbor.CopyProgress, error)
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

// sortKeys are those of a list of requests.
var sortKeys = []string{"id", "project_id", "provider_id", "plan_id", "status", "created_at", "updated_at"}

// Routes gives what the room serves.
func Routes(d Deps) []api.Route {
	const provider, tag = "/providers/{provider_id}", "copies"
	return []api.Route{
		{
			Method: "POST", Pattern: provider + "/checkpoints/action", Rule: "copy:create", Body: createSchema, Handle: d.create,
			Summary: "Copy the checkpoints of a plan", Tag: tag,
			Description: "The body's `copy` may be a list of one, too. Every `available` checkpoint of the plan that a copy target of the provider does not have yet is copied there. " +
				"A request that can't start is a 4xx that says why, and stores nothing. A provider without copy targets answers 501. From 1.4 on, `targets` and `checkpoint_ids` choose.",
			Answer: answer{},
		},
		{
			Method: "GET", Pattern: provider + "/copies", Rule: "copy:get_all", Since: api.CopyVersion, Handle: d.list,
			Summary: "List the requests for copies", Tag: tag,
			Query: api.PageQuery(sortKeys, api.AllTenantsQuery(), api.ProjectQuery(), api.FilterQuery("plan_id"), api.FilterQuery("status",
				string(karbor.CopyWaiting), string(karbor.CopyCopying), string(karbor.CopyFinished), string(karbor.CopyError))),
			Answer: api.ListShape("copies", view{}),
		},
		{
			Method: "GET", Pattern: provider + "/copies/{id}", Rule: "copy:get", Since: api.CopyVersion, Handle: d.show,
			Summary: "Show a request for copies", Tag: tag, Answer: answer{},
		},
	}
}

// view is a request on the wire.
type view struct {
	ID          string                    `json:"id"`
	ProjectID   string                    `json:"project_id"`
	ProviderID  string                    `json:"provider_id"`
	PlanID      string                    `json:"plan_id"`
	Checkpoints []karbor.CopiedCheckpoint `json:"checkpoint_id" doc:"Which checkpoints are copied, and what to."`
	Parameters  karbor.Parameters         `json:"parameters"`
	Status      karbor.CopyStatus         `json:"status" enum:"wait_copying|copying|finished|error"`
	// CreatedAt is there from api.CopyVersion on.
	CreatedAt *string `json:"created_at,omitempty" doc:"From 1.2." format:"date-time"`
	// Progress is there in a show from api.ControlVersion on.
	Progress *[]progressView `json:"progress,omitempty" doc:"From 1.4, in a show: how far it is, by checkpoint and target."`
}

// progressView is the copy of one checkpoint to one target, on the wire.
type progressView struct {
	CheckpointID string            `json:"checkpoint_id" doc:"The checkpoint that is copied."`
	CopyID       string            `json:"copy_id" doc:"The copy; empty for a checkpoint that can't be copied."`
	Bank         string            `json:"bank" doc:"The name of the copy target."`
	Status       karbor.CopyStatus `json:"status" enum:"wait_copying|copying|finished|error"`
	Reason       string            `json:"reason" doc:"Why it failed, or why it is tried again; else empty."`
	Done         int64             `json:"bytes_done" doc:"Logical bytes that are there."`
	Total        int64             `json:"bytes_total" doc:"Logical bytes to copy; 0 as long as that is not known."`
	Stored       int64             `json:"stored" doc:"Bytes that the target's bank has got for it."`
}

type answer struct {
	Copy view `json:"copy"`
}

func viewOf(c karbor.Copy, version api.Version) view {
	v := view{
		ID: c.ID, ProjectID: c.ProjectID, ProviderID: c.ProviderID, PlanID: c.PlanID,
		Checkpoints: c.Checkpoints, Parameters: c.Parameters, Status: c.Status,
	}
	if v.Checkpoints == nil {
		v.Checkpoints = []karbor.CopiedCheckpoint{}
	}
	if v.Parameters == nil {
		v.Parameters = karbor.Parameters{}
	}
	if version >= api.CopyVersion {
		v.CreatedAt = api.Time(c.CreatedAt)
	}
	return v
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

func (d Deps) create(ctx context.Context, r *api.Request) (any, error) {
	type asked struct {
		ProviderID string            `json:"provider_id"`
		PlanID     string            `json:"plan_id"`
		Parameters karbor.Parameters `json:"parameters"`
		// These are there from api.ControlVersion on.
		Targets     []string `json:"targets"`
		Checkpoints []string `json:"checkpoint_ids"`
	}
	var body struct {
		Copy api.Single[asked] `json:"copy"`
	}
	if err := r.Decode(&body); err != nil {
		return nil, err
	}
	provider, err := d.provider(r)
	if err != nil {
		return nil, err
	}
	b := body.Copy.Value
	if b.ProviderID != "" && !strings.EqualFold(b.ProviderID, provider) {
		return nil, karbor.Errorf(karbor.Invalid, "Invalid input for field/attribute copy.provider_id. Value: %q. It is not the provider of the path, %s.",
			b.ProviderID, provider)
	}
	for member, given := range map[string]bool{"targets": b.Targets != nil, "checkpoint_ids": b.Checkpoints != nil} {
		if given && r.Version < api.ControlVersion {
			return nil, karbor.Errorf(karbor.Invalid, "Invalid input for field/attribute copy.%s. This member is not known in version %s; it came with %s.",
				member, r.Version, api.ControlVersion)
		}
	}
	request := protectionservice.CopyRequest{
		ProviderID: provider, PlanID: strings.ToLower(b.PlanID), Parameters: b.Parameters, Targets: b.Targets,
	}
	for _, id := range b.Checkpoints {
		request.Checkpoints = append(request.Checkpoints, strings.ToLower(id))
	}
	c, err := d.Service.Copy(ctx, protectionservice.Caller{Identity: r.Identity, Cloud: d.Session(r.Identity)}, request)
	if err != nil {
		return nil, err
	}
	return answer{viewOf(c, r.Version)}, nil
}

// withProgress adds what a show has from api.ControlVersion on.
func (v view) withProgress(list []karbor.CopyProgress) view {
	views := make([]progressView, len(list))
	for i, p := range list {
		views[i] = progressView(p)
	}
	v.Progress = &views
	return v
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
	project, err := r.ListProject()
	if err != nil {
		return nil, err
	}
	found, err := d.Store.Copies(ctx, store.CopyFilter{
		ProjectID: project, ProviderID: provider, PlanID: r.Filter("plan_id"), Status: r.Filter("status"),
	}, page)
	if err != nil {
		return nil, err
	}
	views := make([]view, len(found))
	for i, c := range found {
		views[i] = viewOf(c, r.Version)
	}
	return api.List(r, "copies", page, views, func(v view) string { return v.ID }), nil
}

func (d Deps) show(ctx context.Context, r *api.Request) (any, error) {
	provider, err := d.provider(r)
	if err != nil {
		return nil, err
	}
	id, err := r.ID("id")
	if err != nil {
		return nil, err
	}
	c, err := d.Store.Copy(ctx, r.ItemProject(), provider, id)
	if err != nil {
		return nil, err
	}
	out := viewOf(c, r.Version)
	if r.Version < api.ControlVersion {
		return answer{out}, nil
	}
	progress, err := d.Service.CopyProgress(ctx, c)
	if err != nil {
		return nil, err
	}
	return answer{out.withProgress(progress)}, nil
}

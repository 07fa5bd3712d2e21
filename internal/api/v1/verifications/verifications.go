// Package verifications serves the verifications of checkpoints.
package verifications

import (
	"context"
	_ "embed"
	"strings"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/api"
	"github.com/karbor/karbor/internal/api/v1/progress"
	"github.com/karbor/karbor/internal/protectionservice"
	"github.com/karbor/karbor/internal/store"
)

// Store keeps verifications; store.Store is one.
type Store interface {
	Verification(ctx context.Context, projectID, id string) (karbor.Verification, error)
	Verifications(ctx context.Context, f store.VerificationFilter, p store.Page) ([]karbor.Verification, error)
}

// Service verifies checkpoints; protectionservice.Service is one.
type Service interface {
	Verify(ctx context.Context, c protectionservice.Caller, r protectionservice.VerifyRequest) (karbor.Verification, error)
	VerificationProgress(ctx context.Context, c protectionservice.Caller, id string) ([]karbor.ResourceProgress, error)
	LiveVerification(ctx context.Context, v karbor.Verification) (karbor.Verification, error)
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

// sortKeys are those of a list of verifications.
var sortKeys = []string{"id", "project_id", "provider_id", "checkpoint_id", "status", "created_at", "updated_at"}

// Routes gives what the room serves.
func Routes(d Deps) []api.Route {
	return []api.Route{
		{
			Method: "POST", Pattern: "/verifications", Rule: "verification:create", Body: createSchema, Handle: d.create,
			Summary: "Verify a checkpoint",
			Description: "The body's `verification` may be a list of one, too. Only an `available` checkpoint is verified. " +
				"A request that can't start is a 4xx that says why, and stores nothing. The checkpoint may be restored meanwhile, but not deleted.",
			Answer: answer{},
		},
		{
			Method: "GET", Pattern: "/verifications", Rule: "verification:get_all", Handle: d.list,
			Summary: "List the verifications",
			Query: api.PageQuery(sortKeys, api.AllTenantsQuery(), api.ProjectQuery(), api.FilterQuery("provider_id"), api.FilterQuery("checkpoint_id"),
				api.FilterQuery("status", string(karbor.VerificationVerifying), string(karbor.VerificationSuccess), string(karbor.VerificationError))),
			Answer: api.ListShape("verifications", view{}),
		},
		{
			Method: "GET", Pattern: "/verifications/{id}", Rule: "verification:get", Handle: d.show,
			Summary: "Show a verification", Answer: answer{},
		},
	}
}

// states are by TYPE#id.
type states map[string]karbor.VerificationStatus

// view is a verification on the wire. What is known by resource has two names: that
// of the seed, and that of the original.
type view struct {
	ID              string                    `json:"id"`
	ProjectID       string                    `json:"project_id"`
	ProviderID      string                    `json:"provider_id"`
	CheckpointID    string                    `json:"checkpoint_id"`
	Parameters      karbor.Parameters         `json:"parameters"`
	Status          karbor.VerificationStatus `json:"status" enum:"verifying|success|error"`
	ResourceStatus  states                    `json:"resource_status" doc:"By TYPE#id: verifying, success or error."`
	ResourcesStatus states                    `json:"resources_status" doc:"The same as resource_status."`
	ResourceReason  map[string]string         `json:"resource_reason" doc:"By TYPE#id: of one that is not good, what is wrong; of one that is, what is to be known all the same."`
	ResourcesReason map[string]string         `json:"resources_reason" doc:"The same as resource_reason."`
	// CreatedAt is there from api.CopyVersion on, Progress from api.FiguresVersion on.
	CreatedAt *string          `json:"created_at,omitempty" doc:"From 1.2." format:"date-time"`
	Progress  *[]progress.View `json:"progress,omitempty" doc:"From 1.3, in a show: how far it is, by resource."`
	StandIn   *karbor.StandIn  `json:"stand_in,omitempty" doc:"From 1.4: the copy that is verified in place of the checkpoint, and why; missing if it is the checkpoint itself."`
}

type answer struct {
	Verification view `json:"verification"`
}

func viewOf(v karbor.Verification, version api.Version) view {
	out := view{
		ID: v.ID, ProjectID: v.ProjectID, ProviderID: v.ProviderID, CheckpointID: v.CheckpointID,
		Parameters: v.Parameters, Status: v.Status, ResourceStatus: v.ResourcesStatus, ResourceReason: v.ResourcesReason,
	}
	if out.Parameters == nil {
		out.Parameters = karbor.Parameters{}
	}
	if out.ResourceStatus == nil {
		out.ResourceStatus = states{}
	}
	if out.ResourceReason == nil {
		out.ResourceReason = map[string]string{}
	}
	out.ResourcesStatus, out.ResourcesReason = out.ResourceStatus, out.ResourceReason
	if version >= api.CopyVersion {
		out.CreatedAt = api.Time(v.CreatedAt)
	}
	if version >= api.ControlVersion {
		out.StandIn = v.StandIn
	}
	return out
}

func (d Deps) caller(r *api.Request) protectionservice.Caller {
	return protectionservice.Caller{Identity: r.Identity, Cloud: d.Session(r.Identity)}
}

func (d Deps) create(ctx context.Context, r *api.Request) (any, error) {
	type verification struct {
		ProviderID   string            `json:"provider_id"`
		CheckpointID string            `json:"checkpoint_id"`
		Parameters   karbor.Parameters `json:"parameters"`
	}
	var body struct {
		Verification api.Single[verification] `json:"verification"`
	}
	if err := r.Decode(&body); err != nil {
		return nil, err
	}
	b := body.Verification.Value
	v, err := d.Service.Verify(ctx, d.caller(r), protectionservice.VerifyRequest{
		ProviderID: strings.ToLower(b.ProviderID), CheckpointID: strings.ToLower(b.CheckpointID), Parameters: b.Parameters,
	})
	if err != nil {
		return nil, err
	}
	return answer{viewOf(v, r.Version)}, nil
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
	found, err := d.Store.Verifications(ctx, store.VerificationFilter{
		ProjectID: project, ProviderID: r.Filter("provider_id"), CheckpointID: r.Filter("checkpoint_id"), Status: r.Filter("status"),
	}, page)
	if err != nil {
		return nil, err
	}
	views := make([]view, len(found))
	for i, v := range found {
		if v, err = d.Service.LiveVerification(ctx, v); err != nil {
			return nil, err
		}
		views[i] = viewOf(v, r.Version)
	}
	return api.List(r, "verifications", page, views, func(v view) string { return v.ID }), nil
}

func (d Deps) show(ctx context.Context, r *api.Request) (any, error) {
	id, err := r.ID("id")
	if err != nil {
		return nil, err
	}
	v, err := d.Store.Verification(ctx, r.ItemProject(), id)
	if err != nil {
		return nil, err
	}
	if v, err = d.Service.LiveVerification(ctx, v); err != nil {
		return nil, err
	}
	out := viewOf(v, r.Version)
	if r.Version < api.FiguresVersion {
		return answer{out}, nil
	}
	caller := d.caller(r)
	// An administrator sees another project's as its own people do.
	own := *caller.Identity
	own.ProjectID = v.ProjectID
	caller.Identity = &own
	resources, err := d.Service.VerificationProgress(ctx, caller, id)
	if err != nil {
		return nil, err
	}
	views := make([]progress.View, len(resources))
	for i, p := range resources {
		views[i] = progress.Of(p, r.Version)
	}
	out.Progress = &views
	return answer{out}, nil
}

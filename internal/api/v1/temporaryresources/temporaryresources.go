// Package temporaryresources serves the ledger of what operations hold of a project's quota in
// the cloud for a while: temporary snapshots, volumes and images.
package temporaryresources

import (
	"context"
	"strings"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/api"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/protection"
)

// Store keeps the ledger; store.Store is one.
type Store interface {
	Holdings(ctx context.Context, f store.HoldingFilter, p store.Page) ([]store.Holding, error)
	HeldNow(ctx context.Context, f store.HoldingFilter) (map[protection.HoldingKind]store.Held, error)
}

// Deps are what the room needs.
type Deps struct{ Store Store }

// limits says of what else the ledger tells, and of what not.
const limits = "What a drill restores is not among them; what a restore into another cloud or project makes there for a while is."

// sortKeys are those of the list.
var sortKeys = []string{"id", "created_at"}

// Routes gives what the room serves.
func Routes(d Deps) []api.Route {
	const all = "/temporary_resources"
	return []api.Route{
		{
			Method: "GET", Pattern: all, Rule: "temporary_resource:get_all", Since: api.InsightVersion, Handle: d.list,
			Summary:     "List what operations hold of the project's quota in the cloud for a while",
			Description: "Temporary snapshots, volumes and images; also those that are gone by now, until the record of their operation is purged. " + limits,
			Query: api.PageQuery(sortKeys, api.AllTenantsQuery(), api.ProjectQuery(), api.FilterQuery("operation_id"), api.FilterQuery("checkpoint_id"),
				api.FilterQuery("type", string(protection.HeldSnapshot), string(protection.HeldVolume), string(protection.HeldImage)),
				api.Parameter{Name: "status", Words: []string{held, released}, Description: "Only those that are there now, left ones among them, or those that are gone."}),
			Answer: api.ListShape("temporary_resources", view{}),
		},
		{
			Method: "GET", Pattern: all + "/usage", Rule: "temporary_resource:get_usage", Since: api.InsightVersion, Handle: d.usage,
			Summary:     "Sum up what operations hold of the project's quota now",
			Description: limits,
			Query:       []api.Parameter{api.FilterQuery("operation_id"), api.FilterQuery("checkpoint_id")},
			Answer:      usageAnswer{},
		},
	}
}

// The words for the status; left is for one that is held.
const (
	held     = "held"
	left     = "left"
	released = "released"
)

// view is something temporary on the wire. What it does not have is null.
type view struct {
	ID           string                 `json:"id"`
	ProjectID    string                 `json:"project_id"`
	OperationID  string                 `json:"operation_id"`
	ProviderID   string                 `json:"provider_id"`
	CheckpointID string                 `json:"checkpoint_id" doc:"The checkpoint that is made or restored."`
	Resource     string                 `json:"resource" doc:"What it was made for, as TYPE#id."`
	Type         protection.HoldingKind `json:"type" enum:"snapshot|volume|image"`
	CloudID      string                 `json:"cloud_id" doc:"Its id in the cloud."`
	Size         *int64                 `json:"size" doc:"In GiB; null where it is not known."`
	Status       string                 `json:"status" enum:"held|left|released" doc:"left: its operation is over and could not remove it; that is tried again."`
	Reason       *string                `json:"reason" doc:"Why it could not be removed the last time."`
	HeldSince    *string                `json:"held_since" format:"date-time"`
	ReleasedAt   *string                `json:"released_at" format:"date-time"`
}

// sum is how much there is now of a kind.
type sum struct {
	Number int64 `json:"number"`
	GiB    int64 `json:"gigabytes" doc:"Of those whose size is known."`
}

// usage is what is there now.
type usage struct {
	Snapshots sum `json:"snapshots"`
	Volumes   sum `json:"volumes"`
	Images    sum `json:"images"`
}

type usageAnswer struct {
	Usage usage `json:"usage"`
}

func viewOf(h store.Holding) view {
	v := view{
		ID: h.ID, ProjectID: h.ProjectID, OperationID: h.OperationID, ProviderID: h.ProviderID, CheckpointID: h.CheckpointID,
		Resource: resourceOf(h.Key), Type: h.Kind, CloudID: h.Holding.ID, Status: held, Reason: api.Text(h.Left),
		HeldSince: api.Time(h.HeldAt), ReleasedAt: api.Time(h.ReleasedAt),
	}
	if h.GiB > 0 {
		v.Size = &h.GiB
	}
	switch {
	case !h.ReleasedAt.IsZero():
		v.Status = released
	case h.Left != "":
		v.Status = left
	}
	return v
}

// resourceOf names the resource of a node as parameters do.
func resourceOf(key karbor.NodeKey) string {
	word, id, _ := strings.Cut(string(key), "/")
	id, _, _ = strings.Cut(id, "@")
	for _, t := range karbor.ResourceTypes() {
		if t.Word() == word {
			return karbor.Resource{Type: t, ID: id}.Key()
		}
	}
	return string(key)
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
	f := filterOf(r, project)
	switch f.Kind = protection.HoldingKind(r.Filter("type")); f.Kind {
	case "", protection.HeldSnapshot, protection.HeldVolume, protection.HeldImage:
	default:
		return nil, karbor.Errorf(karbor.Invalid, "Invalid type: it must be %s, %s or %s.", protection.HeldSnapshot, protection.HeldVolume, protection.HeldImage)
	}
	if status := r.Filter("status"); status != "" {
		there := status == held
		if !there && status != released {
			return nil, karbor.Errorf(karbor.Invalid, "Invalid status: it must be %s or %s.", held, released)
		}
		f.Held = &there
	}
	found, err := d.Store.Holdings(ctx, f, page)
	if err != nil {
		return nil, err
	}
	views := make([]view, len(found))
	for i, h := range found {
		views[i] = viewOf(h)
	}
	return api.List(r, "temporary_resources", page, views, func(v view) string { return v.ID }), nil
}

func filterOf(r *api.Request, project string) store.HoldingFilter {
	return store.HoldingFilter{ProjectID: project, OperationID: r.Filter("operation_id"), CheckpointID: r.Filter("checkpoint_id")}
}

func (d Deps) usage(ctx context.Context, r *api.Request) (any, error) {
	now, err := d.Store.HeldNow(ctx, filterOf(r, r.Identity.ProjectID))
	if err != nil {
		return nil, err
	}
	of := func(kind protection.HoldingKind) sum { return sum{now[kind].Number, now[kind].GiB} }
	return usageAnswer{usage{of(protection.HeldSnapshot), of(protection.HeldVolume), of(protection.HeldImage)}}, nil
}

// Package temporaryresources serves the ledger of what operations hold of a project's quota in
// the cloud for a while: temporary snapshots, volumes and images, and what drills restore.
package temporaryresources

import (
	"context"
	"slices"
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
const limits = "What a drill restores, and makes for that, is among them from 1.8 on; what a restore into another cloud or project makes there for a while is, too."

// sortKeys are those of the list.
var sortKeys = []string{"id", "created_at"}

// Routes gives what the room serves.
func Routes(d Deps) []api.Route {
	const all = "/temporary_resources"
	return []api.Route{
		{
			Method: "GET", Pattern: all, Rule: "temporary_resource:get_all", Since: api.InsightVersion, Handle: d.list,
			Summary:     "List what operations hold of the project's quota in the cloud for a while",
			Description: "Temporary snapshots, volumes and images, and what drills make; also those that are gone by now, until the record of their operation is purged. " + limits,
			Query: api.PageQuery(sortKeys, api.AllTenantsQuery(), api.ProjectQuery(), api.FilterQuery("operation_id"), api.FilterQuery("checkpoint_id"),
				api.FilterQuery("type", words(api.MaxVersion)...),
				api.Parameter{Name: "status", Words: []string{held, released}, Description: "Only those that are there now, asked and left ones among them, or those that are gone."}),
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

// kinds gives the types that there are in a microversion.
func kinds(v api.Version) []protection.HoldingKind {
	if v < api.LedgerVersion {
		return []protection.HoldingKind{protection.HeldSnapshot, protection.HeldVolume, protection.HeldImage}
	}
	return protection.HoldingKinds()
}

// words are the kinds as the type has them.
func words(v api.Version) []string {
	var out []string
	for _, k := range kinds(v) {
		out = append(out, string(k))
	}
	return out
}

// The words for the status; asked and left are for those that are held.
const (
	asked    = "asked"
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
	Type         protection.HoldingKind `json:"type" enum:"snapshot|volume|image|server|network|subnet|port|router|security_group|floatingip" doc:"All but the first three from 1.8 on."`
	CloudID      *string                `json:"cloud_id" doc:"Its id in the cloud; null for one that is asked."`
	Size         *int64                 `json:"size" doc:"In GiB; null where it is not known."`
	Status       string                 `json:"status" enum:"asked|held|left|released" doc:"asked, from 1.8 on: the cloud is being asked for it, and has not said yet that it is there; left: its operation is over and could not remove it; that is tried again."`
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
	Snapshots      sum  `json:"snapshots"`
	Volumes        sum  `json:"volumes"`
	Images         sum  `json:"images"`
	Servers        *sum `json:"servers,omitempty" doc:"This and the following from 1.8 on."`
	Networks       *sum `json:"networks,omitempty"`
	Subnets        *sum `json:"subnets,omitempty"`
	Ports          *sum `json:"ports,omitempty"`
	Routers        *sum `json:"routers,omitempty"`
	SecurityGroups *sum `json:"security_groups,omitempty"`
	FloatingIPs    *sum `json:"floatingips,omitempty"`
}

type usageAnswer struct {
	Usage usage `json:"usage"`
}

func viewOf(h store.Holding) view {
	v := view{
		ID: h.ID, ProjectID: h.ProjectID, OperationID: h.OperationID, ProviderID: h.ProviderID, CheckpointID: h.CheckpointID,
		Resource: resourceOf(h.Key), Type: h.Kind, CloudID: api.Text(h.Holding.ID), Status: held, Reason: api.Text(h.Left),
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
	case h.Asked != "":
		v.Status = asked
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
	f.Kind = protection.HoldingKind(r.Filter("type"))
	if f.Kind != "" && !slices.Contains(kinds(r.Version), f.Kind) {
		return nil, karbor.Errorf(karbor.Invalid, "Invalid type: it must be one of %s.", strings.Join(words(r.Version), ", "))
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
	return store.HoldingFilter{
		ProjectID: project, OperationID: r.Filter("operation_id"), CheckpointID: r.Filter("checkpoint_id"), NoDrills: r.Version < api.LedgerVersion,
	}
}

func (d Deps) usage(ctx context.Context, r *api.Request) (any, error) {
	now, err := d.Store.HeldNow(ctx, filterOf(r, r.Identity.ProjectID))
	if err != nil {
		return nil, err
	}
	of := func(kind protection.HoldingKind) sum { return sum{now[kind].Number, now[kind].GiB} }
	u := usage{Snapshots: of(protection.HeldSnapshot), Volumes: of(protection.HeldVolume), Images: of(protection.HeldImage)}
	if r.Version < api.LedgerVersion {
		return usageAnswer{u}, nil
	}
	for kind, to := range map[protection.HoldingKind]**sum{
		protection.HeldServer: &u.Servers, protection.HeldNetwork: &u.Networks, protection.HeldSubnet: &u.Subnets, protection.HeldPort: &u.Ports,
		protection.HeldRouter: &u.Routers, protection.HeldSecurityGroup: &u.SecurityGroups, protection.HeldFloatingIP: &u.FloatingIPs,
	} {
		s := of(kind)
		*to = &s
	}
	return usageAnswer{u}, nil
}

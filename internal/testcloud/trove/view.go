package trove

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/karbor/karbor/internal/testcloud/fabric"
)

func (t *Trove) show(r *fabric.Request, i instance, detail bool) map[string]any {
	status := t.status(i)
	body := map[string]any{"id": i.ID, "name": i.Name, "status": status, "operating_status": "HEALTHY", "links": links(r, "instances/"+i.ID),
		"flavor":    map[string]any{"id": i.FlavorID, "links": links(r, "flavors/"+i.FlavorID)},
		"datastore": map[string]any{"type": i.Store, "version": i.Version}, "region": "RegionOne",
		"access": map[string]any{"is_public": false}, "volume": map[string]any{"size": i.SizeGiB}}
	if status == "BUILD" {
		body["operating_status"] = ""
	} else if i.NetworkID != "" {
		body["ip"] = []any{"10.1.0.62"}
		body["addresses"] = []any{map[string]any{"address": "10.1.0.62", "type": "private", "network": i.NetworkID}}
	}
	if i.Access != nil {
		body["access"] = i.Access
	}
	if r.Admin() {
		body["tenant_id"] = i.Project
	}
	if i.SourceID != "" {
		body["replica_of"] = map[string]any{"id": i.SourceID, "links": links(r, "instances/"+i.SourceID)}
	}
	if replicas := t.replicas(i.ID); len(replicas) > 0 {
		list := []any{}
		for _, o := range replicas {
			list = append(list, map[string]any{"id": o.ID, "links": links(r, "instances/"+o.ID)})
		}
		body["replicas"] = list
	}
	if detail {
		maps.Copy(body, t.details(r, i))
	}
	return body
}

func (t *Trove) details(r *fabric.Request, i instance) map[string]any {
	at := fabric.Seconds(i.CreatedAt)
	at = strings.TrimSuffix(at, "Z")
	body := map[string]any{"created": at, "updated": at, "service_status_updated": at,
		"datastore": map[string]any{"type": i.Store, "version": i.Version, "version_number": i.Version}}
	if g, ok := t.groups.Get(i.Group); ok {
		body["configuration"] = map[string]any{"id": g.ID, "name": g.Name, "links": links(r, "configurations/"+g.ID)}
	}
	if i.Cluster != "" {
		body["cluster_id"] = i.Cluster
	}
	if i.Task == failed {
		body["fault"] = map[string]any{"message": "The instance could not be made.", "created": at, "details": nil}
	}
	if t.status(i) != "BUILD" {
		body["volume"] = map[string]any{"size": i.SizeGiB, "used": 0.12, "used_percent": 13.33}
	}
	return body
}

func (t *Trove) replicas(id string) []instance {
	return t.instances.List(func(o instance) bool { return o.SourceID == id })
}

// listAll is the administrators' list of the instances of all projects, which has no pages.
func (t *Trove) listAll(r *fabric.Request) error {
	if !r.Admin() {
		return fabric.Forbidden("User does not have admin privileges.")
	}
	clustered := r.Flag("include_clustered")
	items := []any{}
	for _, i := range t.instances.List(func(i instance) bool { return clustered || i.Cluster == "" }) {
		shown := t.show(r, i, true)
		shown["deleted"], shown["deleted_at"] = false, nil
		items = append(items, shown)
	}
	return r.JSON(http.StatusOK, map[string]any{"instances": items})
}

func (t *Trove) listInstances(r *fabric.Request, detail bool) error {
	clustered := r.Flag("include_clustered")
	found := t.instances.List(func(i instance) bool { return i.Project == r.ProjectID && (clustered || i.Cluster == "") })
	slices.SortFunc(found, func(a, b instance) int { return strings.Compare(a.ID, b.ID) })
	items, from := make([]any, 0, len(found)), 0
	for n, i := range found {
		if i.ID <= r.URL.Query().Get("marker") {
			from = n + 1
		}
		items = append(items, t.show(r, i, detail))
	}
	return page(r, "instances", items, from, func(end int) string { return found[end-1].ID })
}

package keystone

import (
	"net/http"
	"strings"

	"github.com/karbor/karbor/internal/testcloud/fabric"
)

// endpoint is one service of the catalog. path may hold %(project_id)s.
type endpoint struct{ kind, name, path string }

// endpoints are the services of the catalog, at the cloud's own URL.
var endpoints = []endpoint{
	{"identity", "keystone", "/v3"},
	{"volumev3", "cinderv3", "/volume/v3/%(project_id)s"},
	{"block-storage", "cinder", "/volume/v3/%(project_id)s"},
	{"image", "glance", "/image"},
	{"compute", "nova", "/compute/v2.1"},
	{"network", "neutron", "/network"},
	{"sharev2", "manilav2", "/share/v2"},
	{"shared-file-system", "manila", "/share/v2"},
	{"database", "trove", "/database/v1.0/%(project_id)s"},
	{"key-manager", "barbican", "/key-manager"},
	{"backup", "freezer", "/backup"},
}

const projectPattern = "%(project_id)s"

func (k *Keystone) catalogRoutes() {
	k.Handle("GET /v3/auth/catalog", func(r *fabric.Request) error {
		return r.JSON(http.StatusOK, collection(r, "catalog", k.catalog(r.ProjectID, r.Base())))
	})
	k.listing("services", "service", func() []any {
		list := []any{}
		for _, e := range k.all(k.fab.Base()) {
			id := k.stableID("service/" + e.kind)
			list = append(list, map[string]any{"id": id, "type": e.kind, "name": e.name, "enabled": true,
				"description": nil, "links": k.self("services", id)})
		}
		return list
	})
	k.listing("endpoints", "endpoint", func() []any {
		list := []any{}
		for _, e := range k.all(k.fab.Base()) {
			for _, face := range []string{"public", "internal", "admin"} {
				id := k.stableID("endpoint/" + e.kind + "/" + face)
				list = append(list, map[string]any{"id": id, "interface": face, "service_id": k.stableID("service/" + e.kind),
					"url": e.path, "region": k.opts.Region, "region_id": k.opts.Region, "enabled": true, "links": k.self("endpoints", id)})
			}
		}
		return list
	})
	k.listing("regions", "region", func() []any {
		return []any{map[string]any{"id": k.opts.Region, "description": "", "parent_region_id": nil,
			"links": k.self("regions", k.opts.Region)}}
	})
}

// all gives the endpoints with full URLs; base is the cloud's as the client
// reaches it.
func (k *Keystone) all(base string) []endpoint {
	list := make([]endpoint, 0, len(endpoints)+1)
	for _, e := range endpoints {
		e.path = base + e.path
		list = append(list, e)
	}
	if k.opts.DataProtectURL != "" {
		list = append(list, endpoint{"data-protect", "karbor", k.opts.DataProtectURL})
	}
	return list
}

// catalog gives the services that a token for the project can reach.
func (k *Keystone) catalog(projectID, base string) []any {
	catalog := []any{}
	for _, e := range k.all(base) {
		if projectID == "" && strings.Contains(e.path, projectPattern) {
			continue
		}
		url := strings.ReplaceAll(e.path, projectPattern, projectID)
		faces := []any{}
		for _, face := range []string{"public", "internal", "admin"} {
			faces = append(faces, map[string]any{"id": k.stableID("endpoint/" + e.kind + "/" + face), "interface": face,
				"region": k.opts.Region, "region_id": k.opts.Region, "url": url})
		}
		catalog = append(catalog, map[string]any{"id": k.stableID("service/" + e.kind), "type": e.kind, "name": e.name, "endpoints": faces})
	}
	return catalog
}

// stableID gives the id of a thing that has none of its own; it stays the same
// between runs.
func (k *Keystone) stableID(name string) string {
	if id, ok := k.ids.Get(name); ok {
		return id
	}
	id := newID()
	k.ids.Put(name, id)
	return id
}

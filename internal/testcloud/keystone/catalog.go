package keystone

import (
	"net/http"
	"slices"
	"strings"

	"github.com/karbor/karbor/internal/testcloud/fabric"
)

// endpoint is one service of the catalog. path may hold %(project_id)s.
type endpoint struct{ kind, name, path string }

// dataProtect is the type of Karbor's own service, which is not the cloud's.
const dataProtect = "data-protect"

// endpoints are the services of the catalog, by their paths below a region's URL.
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
		for _, e := range k.all() {
			id := k.stableID("service/" + e.kind)
			list = append(list, map[string]any{"id": id, "type": e.kind, "name": e.name, "enabled": true,
				"description": nil, "links": k.self("services", id)})
		}
		return list
	})
	k.listing("endpoints", "endpoint", func() []any {
		list := []any{}
		for _, e := range k.all() {
			for _, there := range k.locations(e, k.fab.Base()) {
				for _, face := range []string{"public", "internal", "admin"} {
					id := k.endpointID(there, face)
					list = append(list, map[string]any{"id": id, "interface": face, "service_id": k.stableID("service/" + e.kind),
						"url": there.path, "region": there.region, "region_id": there.region, "enabled": true, "links": k.self("endpoints", id)})
				}
			}
		}
		return list
	})
	k.listing("regions", "region", func() []any {
		list := []any{}
		for _, there := range k.locations(endpoint{}, "") {
			list = append(list, map[string]any{"id": there.region, "description": "", "parent_region_id": nil,
				"links": k.self("regions", there.region)})
		}
		return list
	})
}

// all gives the services of the catalog, with data-protect, whose path is its URL.
func (k *Keystone) all() []endpoint {
	list := slices.Clone(endpoints)
	if k.opts.DataProtectURL != "" {
		list = append(list, endpoint{dataProtect, "karbor", k.opts.DataProtectURL})
	}
	return list
}

// endpointID is the id of a service's endpoint in a region.
func (k *Keystone) endpointID(e located, face string) string {
	name := "endpoint/" + e.kind + "/" + face
	if e.region != k.opts.Region {
		name += "/" + e.region
	}
	return k.stableID(name)
}

// catalog gives the services that a token for the project can reach.
func (k *Keystone) catalog(projectID, base string) []any {
	catalog := []any{}
	for _, e := range k.all() {
		if projectID == "" && strings.Contains(e.path, projectPattern) {
			continue
		}
		faces := []any{}
		for _, there := range k.locations(e, base) {
			url := strings.ReplaceAll(there.path, projectPattern, projectID)
			for _, face := range []string{"public", "internal", "admin"} {
				faces = append(faces, map[string]any{"id": k.endpointID(there, face), "interface": face,
					"region": there.region, "region_id": there.region, "url": url})
			}
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

// Package providers serves the providers, and the schemas of their parameters.
package providers

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/api"
	"github.com/karbor/karbor/internal/protectionservice"
	"github.com/karbor/karbor/internal/store"
)

// Service knows the providers; protectionservice.Service is one.
type Service interface {
	Providers() []protectionservice.Provider
	Provider(id string) (protectionservice.Provider, error)
}

// Deps are what the room needs.
type Deps struct {
	Service Service
}

// sortKeys are those of a list of providers.
var sortKeys = []string{"id", "name", "description"}

// Routes gives what the room serves.
func Routes(d Deps) []api.Route {
	return []api.Route{
		{
			Method: "GET", Pattern: "/providers", Rule: "provider:get_all", Handle: d.list,
			Summary: "List the providers",
			Query:   api.PageQuery(sortKeys, api.PartQuery("name"), api.PartQuery("description")),
			Answer:  api.ListShape("providers", view{}),
		},
		{
			Method: "GET", Pattern: "/providers/{id}", Rule: "provider:get", Handle: d.show,
			Summary: "Show a provider", Answer: api.Shape{"provider": view{}},
		},
	}
}

// schemas are by resource type.
type schemas map[karbor.ResourceType]json.RawMessage

// view is a provider on the wire.
type view struct {
	ID          string       `json:"id"`
	Name        string       `json:"name"`
	Description string       `json:"description"`
	Schemas     extendedInfo `json:"extended_info_schema"`
	// CopyTargets is there from api.ControlVersion on.
	CopyTargets *[]string `json:"copy_targets,omitempty" doc:"From 1.4: the names of the banks that checkpoints can be copied to."`
}

type extendedInfo struct {
	Options   schemas `json:"options_schema" doc:"By resource type, the JSON Schema of a plan's parameters."`
	Restore   schemas `json:"restore_schema" doc:"By resource type, the JSON Schema of a restore's parameters."`
	Verify    schemas `json:"verify_schema" doc:"By resource type, the JSON Schema of a verification's parameters."`
	SavedInfo schemas `json:"saved_info_schema" doc:"By resource type, the JSON Schema of what a checkpoint keeps of a resource."`
}

func viewOf(p protectionservice.Provider, version api.Version) view {
	v := view{ID: p.ID, Name: p.Name, Description: p.Description, Schemas: extendedInfo{schemas{}, schemas{}, schemas{}, schemas{}}}
	for t, s := range p.Schemas {
		v.Schemas.Options[t] = orEmpty(s.Options)
		v.Schemas.Restore[t] = orEmpty(s.Restore)
		v.Schemas.Verify[t] = orEmpty(s.Verify)
		v.Schemas.SavedInfo[t] = orEmpty(s.SavedInfo)
	}
	if version >= api.ControlVersion {
		targets := append([]string{}, p.Targets...)
		v.CopyTargets = &targets
	}
	return v
}

func orEmpty(s json.RawMessage) json.RawMessage {
	if len(s) == 0 {
		return json.RawMessage("{}")
	}
	return s
}

func (d Deps) list(_ context.Context, r *api.Request) (any, error) {
	page, err := r.Page(sortKeys...)
	if err != nil {
		return nil, err
	}
	var found []protectionservice.Provider
	for _, p := range d.Service.Providers() {
		if has(p.Name, r.Filter("name")) && has(p.Description, r.Filter("description")) {
			found = append(found, p)
		}
	}
	order(found, page.Sort)
	found, err = api.Window(page, found, func(p protectionservice.Provider) string { return p.ID })
	if err != nil {
		return nil, err
	}
	views := make([]view, len(found))
	for i, p := range found {
		views[i] = viewOf(p, r.Version)
	}
	return api.List(r, "providers", page, views, func(v view) string { return v.ID }), nil
}

// has reports whether a text has a part, whatever the case.
func has(text, part string) bool {
	return strings.Contains(strings.ToLower(text), strings.ToLower(part))
}

// order sorts providers; without keys, by name.
func order(list []protectionservice.Provider, keys []store.Sort) {
	if len(keys) == 0 {
		keys = []store.Sort{{Key: "name"}}
	}
	slices.SortFunc(list, func(a, b protectionservice.Provider) int {
		for _, k := range keys {
			c := cmp.Compare(member(a, k.Key), member(b, k.Key))
			if k.Desc {
				c = -c
			}
			if c != 0 {
				return c
			}
		}
		return cmp.Compare(a.ID, b.ID)
	})
}

func member(p protectionservice.Provider, key string) string {
	switch key {
	case "name":
		return p.Name
	case "description":
		return p.Description
	default:
		return p.ID
	}
}

func (d Deps) show(_ context.Context, r *api.Request) (any, error) {
	id, err := r.ID("id")
	if err != nil {
		return nil, err
	}
	p, err := d.Service.Provider(id)
	if err != nil {
		return nil, err
	}
	return map[string]view{"provider": viewOf(p, r.Version)}, nil
}

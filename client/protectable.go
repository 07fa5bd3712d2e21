package client

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"net/http"
	"net/url"

	"github.com/karbor/karbor"
)

// ProtectableType is a type of resource that can be protected.
type ProtectableType struct {
	Name karbor.ResourceType `json:"name"`
	// DependentTypes are the types that resources of this one depend on.
	DependentTypes []karbor.ResourceType `json:"dependent_types"`
}

// Instance is a resource in the cloud that can be protected, and what it
// depends on itself.
type Instance struct {
	ID                 string              `json:"id"`
	Type               karbor.ResourceType `json:"type"`
	Name               string              `json:"name"`
	ExtraInfo          map[string]string   `json:"extra_info"`
	DependentResources []karbor.Resource   `json:"dependent_resources"`
}

// Resource gives the instance as a plan lists it.
func (i Instance) Resource() karbor.Resource {
	return karbor.Resource{Type: i.Type, ID: i.ID, Name: i.Name, ExtraInfo: i.ExtraInfo}
}

// Protectables are the protectable types and their instances.
type Protectables struct{ c *Client }

// List gets the types.
func (p *Protectables) List(ctx context.Context) ([]karbor.ResourceType, error) {
	return show[[]karbor.ResourceType](ctx, p.c,
		call{path: "/protectables", what: "listing the protectable types"}, "protectable_type")
}

// Show gets one type.
func (p *Protectables) Show(ctx context.Context, t karbor.ResourceType) (ProtectableType, error) {
	return show[ProtectableType](ctx, p.c,
		call{path: "/protectables/" + escape(string(t)), what: fmt.Sprintf("getting the protectable type %s", t)}, "protectable_type")
}

// Instances iterates over the resources of a type. parameters are handed to
// the plug-in of the type; nil for none.
func (p *Protectables) Instances(ctx context.Context, t karbor.ResourceType, parameters map[string]any, o ListOptions) iter.Seq2[Instance, error] {
	text, err := encodeParameters(parameters)
	if err != nil {
		return func(yield func(Instance, error) bool) { yield(Instance{}, err) }
	}
	filters := map[string]string{"parameters": text}
	maps.Copy(filters, o.Filters)
	o.Filters = filters
	return list[Instance](ctx, p.c, call{path: "/protectables/" + escape(string(t)) + "/instances",
		what: fmt.Sprintf("listing the instances of %s", t)}, "instances", o)
}

// Instance gets one resource of a type.
func (p *Protectables) Instance(ctx context.Context, t karbor.ResourceType, id string, parameters map[string]any) (Instance, error) {
	text, err := encodeParameters(parameters)
	if err != nil {
		return Instance{}, err
	}
	r := call{method: http.MethodGet, path: "/protectables/" + escape(string(t)) + "/instances/" + escape(id),
		what: fmt.Sprintf("getting the %s %s", t.Word(), id)}
	if text != "" {
		r.query = url.Values{"parameters": {text}}
	}
	return show[Instance](ctx, p.c, r, "instance")
}

func encodeParameters(parameters map[string]any) (string, error) {
	if len(parameters) == 0 {
		return "", nil
	}
	text, err := json.Marshal(parameters)
	if err != nil {
		return "", fmt.Errorf("encoding the parameters: %w", err)
	}
	return string(text), nil
}

package client

import (
	"context"
	"encoding/json"
	"iter"
)

// Provider is a set of plug-ins and a bank that the operator offers.
type Provider struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	Description string `json:"description"`
	// ExtendedInfoSchema holds options_schema, restore_schema, verify_schema
	// and saved_info_schema, each a map of resource type to JSON schema.
	ExtendedInfoSchema map[string]map[string]json.RawMessage `json:"extended_info_schema"`
	// CopyTargets names the banks that checkpoints can be copied to (from 1.4 on).
	CopyTargets []string `json:"copy_targets,omitzero"`
}

// Providers are the providers of the API.
type Providers struct{ c *Client }

// List iterates over the providers. Filters: name, description.
func (p *Providers) List(ctx context.Context, o ListOptions) iter.Seq2[Provider, error] {
	return list[Provider](ctx, p.c, call{path: "/providers", what: "listing the providers"}, "providers", o)
}

// Show gets one provider.
func (p *Providers) Show(ctx context.Context, id string) (Provider, error) {
	return show[Provider](ctx, p.c, call{path: "/providers/" + escape(id), what: "getting the provider " + id}, "provider")
}

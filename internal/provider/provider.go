// Package provider joins a bank and protection plug-ins into a provider, from the
// operator's files.
package provider

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/checkpoint/upkeep"
	"github.com/karbor/karbor/internal/schema"
	"github.com/karbor/karbor/protection"
)

// Provider is what a tenant chooses to protect a plan: a bank, and a protection
// plug-in for each type that it protects. It is safe for concurrent use.
type Provider struct {
	ID          string
	Name        string
	Description string
	// Target is the name of the copy target whose bank this has; "" for the provider
	// with its own bank.
	Target string

	plugins map[karbor.ResourceType]protection.Plugin
	options map[karbor.ResourceType]*schema.Schema
	restore map[karbor.ResourceType]*schema.Schema
	verify  map[karbor.ResourceType]*schema.Schema
	vault
	// targets are the same provider with other banks; keep is of one of them.
	targets []*Provider
	keep    Keep
	upkeep  upkeep.Policy
	limits  Limits
}

// Types are the types that the provider protects, parents before children.
func (p *Provider) Types() []karbor.ResourceType {
	var types []karbor.ResourceType
	for _, t := range karbor.ResourceTypes() {
		if p.plugins[t] != nil {
			types = append(types, t)
		}
	}
	return types
}

// Protects reports whether the provider has a plug-in for a type.
func (p *Provider) Protects(t karbor.ResourceType) bool { return p.plugins[t] != nil }

// Hooks gives the hooks for a type; the zero Hooks for one that the provider does
// not protect.
func (p *Provider) Hooks(op karbor.OperationType, t karbor.ResourceType) protection.Hooks {
	if plugin := p.plugins[t]; plugin != nil {
		return plugin.Hooks(op, t)
	}
	return protection.Hooks{}
}

// Schemas gives the schemas of each type that the provider protects.
func (p *Provider) Schemas() map[karbor.ResourceType]protection.Schemas {
	out := make(map[karbor.ResourceType]protection.Schemas, len(p.plugins))
	for t, plugin := range p.plugins {
		out[t] = plugin.Schemas(t)
	}
	return out
}

// compile compiles the schemas, so that a bad one stops the start and not a
// request.
func (p *Provider) compile() error {
	p.options = map[karbor.ResourceType]*schema.Schema{}
	p.restore = map[karbor.ResourceType]*schema.Schema{}
	p.verify = map[karbor.ResourceType]*schema.Schema{}
	for t, plugin := range p.plugins {
		s := plugin.Schemas(t)
		for _, c := range []struct {
			what string
			text json.RawMessage
			into map[karbor.ResourceType]*schema.Schema
		}{{"options", s.Options, p.options}, {"restore", s.Restore, p.restore}, {"verify", s.Verify, p.verify}} {
			if c.text == nil {
				continue
			}
			compiled, err := schema.Compile(c.text)
			if err != nil {
				return fmt.Errorf("compiling the %s schema for %s: %w", c.what, t, err)
			}
			c.into[t] = compiled
		}
	}
	return nil
}

// CheckOptions checks a plan's parameters against the options schemas. The error
// is karbor.Invalid and names the parameter at fault.
func (p *Provider) CheckOptions(parameters karbor.Parameters) error {
	return p.check(parameters, p.options)
}

// CheckRestore checks a restore's parameters against the restore schemas.
func (p *Provider) CheckRestore(parameters karbor.Parameters) error {
	return p.check(parameters, p.restore)
}

// CheckVerify checks a verification's parameters against the verify schemas.
func (p *Provider) CheckVerify(parameters karbor.Parameters) error {
	return p.check(parameters, p.verify)
}

// CheckCopy checks a copy's parameters. Plug-ins publish no schema for them, so only
// the keys are checked: each must be of a type that the provider protects, if it has
// members.
func (p *Provider) CheckCopy(parameters karbor.Parameters) error {
	return p.check(parameters, nil)
}

func (p *Provider) check(parameters karbor.Parameters, schemas map[karbor.ResourceType]*schema.Schema) error {
	keys := make([]string, 0, len(parameters))
	for key := range parameters {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		t, err := karbor.ParameterType(key)
		if err != nil {
			return err
		}
		members := parameters[key]
		if s := schemas[t]; s != nil {
			if err := s.Check(members); err != nil {
				return karbor.Errorf(karbor.Invalid, "parameters[%q]: %s", key, karbor.Sentence(err))
			}
		} else if len(members) > 0 && !p.Protects(t) {
			return karbor.Errorf(karbor.Invalid, "parameters[%q]: provider %s does not protect %s", key, p.Name, t)
		}
	}
	return nil
}

// Package project is the protection plug-in for projects. A project is the root
// of the graph of all that it owns; there is nothing of its own to keep, and a
// restore puts its resources into the project that asks for it.
package project

import (
	"context"
	"encoding/json"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/plugin"
	"github.com/karbor/karbor/protection"
)

// Name is the plug-in's name in provider files.
const Name = "karbor-project-protection-plugin"

// Options are none.
type Options struct{}

// Plugin is the plug-in's definition.
var Plugin = plugin.Define(Name, "Protects a project: the root of the graph of its resources.",
	func() Options { return Options{} },
	func(context.Context, Options) (protection.Plugin, error) { return room{}, nil })

type room struct{}

// Types implements protection.Plugin.
func (room) Types() []karbor.ResourceType { return []karbor.ResourceType{karbor.ProjectType} }

// Schemas implements protection.Plugin: no parameter is known.
func (room) Schemas(karbor.ResourceType) protection.Schemas {
	return protection.Schemas{
		Options:   schema("Project Protection Options"),
		Restore:   schema("Project Protection Restore"),
		Verify:    schema("Project Protection Verify"),
		SavedInfo: schema("Project Protection Saved Info"),
	}
}

func schema(title string) json.RawMessage {
	return json.RawMessage(`{"$schema":"http://json-schema.org/draft-04/schema#","title":"` + title +
		`","type":"object","properties":{},"additionalProperties":false}`)
}

// Hooks implements protection.Plugin: none, as the children do everything.
func (room) Hooks(karbor.OperationType, karbor.ResourceType) protection.Hooks {
	return protection.Hooks{}
}

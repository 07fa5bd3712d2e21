// Package noop is the protection plug-in that does nothing: resources appear in
// checkpoints with their state, and none of their content is kept. It serves
// providers that try out plans, and types that are only the root of others.
package noop

import (
	"context"
	"encoding/json"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/plugin"
	"github.com/karbor/karbor/protection"
)

// Name is the plug-in's name in provider files.
const Name = "karbor-noop-plugin"

// Options are none.
type Options struct{}

// Plugin is the plug-in's definition.
var Plugin = plugin.Define(Name, "Protects any resource without keeping anything of it.",
	func() Options { return Options{} },
	func(context.Context, Options) (protection.Plugin, error) { return room{}, nil })

type room struct{}

// Types implements protection.Plugin: every type.
func (room) Types() []karbor.ResourceType { return karbor.ResourceTypes() }

// Schemas implements protection.Plugin: no parameter is known.
func (room) Schemas(karbor.ResourceType) protection.Schemas {
	return protection.Schemas{Options: nothing(), Restore: nothing(), Verify: nothing(), SavedInfo: nothing()}
}

func nothing() json.RawMessage {
	return json.RawMessage(`{"$schema":"http://json-schema.org/draft-04/schema#","type":"object","properties":{},"additionalProperties":false}`)
}

// Hooks implements protection.Plugin: none. What restores nothing may be drilled, too; the drill
// shows that nothing is there.
func (room) Hooks(op karbor.OperationType, _ karbor.ResourceType) protection.Hooks {
	if op == karbor.RestoreOperation {
		return protection.Hooks{Drill: protection.DrilledAlone}
	}
	return protection.Hooks{}
}

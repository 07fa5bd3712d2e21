// Package project is the protection plug-in for projects. A project is the root
// of the graph of all that it owns; there is nothing of its own to keep, and a
// restore puts its resources into the project that asks for it. It tells what of the
// project was left out, as its service was absent.
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

// Schemas implements protection.Plugin.
func (room) Schemas(karbor.ResourceType) protection.Schemas {
	return protection.Schemas{
		Options: schema("Project Protection Options", `"`+protection.AbsentServices+`":{"type":"string","enum":["`+
			protection.FailAbsent+`","`+protection.ReportAbsent+`"],"default":"`+protection.FailAbsent+`","title":"Absent Services",`+
			`"description":"What becomes of a checkpoint when a service whose resources it is to hold is absent or does not answer: `+
			`it fails, or leaves them out and reports it."}`),
		Restore:   schema("Project Protection Restore", ""),
		Verify:    schema("Project Protection Verify", ""),
		SavedInfo: schema("Project Protection Saved Info", ""),
	}
}

func schema(title, properties string) json.RawMessage {
	return json.RawMessage(`{"$schema":"http://json-schema.org/draft-04/schema#","title":"` + title +
		`","type":"object","properties":{` + properties + `},"additionalProperties":false}`)
}

// Hooks implements protection.Plugin: the children do everything but tell what is not
// among them.
func (room) Hooks(op karbor.OperationType, t karbor.ResourceType) protection.Hooks {
	if t != karbor.ProjectType || op != karbor.Protect && op != karbor.RestoreOperation {
		return protection.Hooks{}
	}
	return protection.Hooks{Offline: true, Main: report}
}

// report tells which types have nothing in the checkpoint, and why.
func report(_ context.Context, call *protection.Call) error {
	sentences, err := protection.Absent(call.Node)
	for _, sentence := range sentences {
		call.NotKept(sentence)
	}
	return err
}

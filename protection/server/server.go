// Package server is the protection plug-in for Nova servers. It keeps what a
// server is made of; its disk, volumes and networks are nodes of their own, and
// the server is built again of what has taken their places.
package server

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/plugin"
	"github.com/karbor/karbor/protection"
)

// Name is the plug-in's name in provider files.
const Name = "karbor-server-protection-plugin"

// Options are the plug-in's in a provider file.
type Options struct {
	// PollInterval is the longest pause between two looks at something that is
	// waited for.
	PollInterval time.Duration `yaml:"poll_interval"`
	// Timeout limits each single wait: for the server to run, say.
	Timeout time.Duration `yaml:"timeout"`
}

// Validate reports settings that make no sense.
func (o *Options) Validate() error {
	if o.PollInterval <= 0 || o.Timeout <= 0 {
		return errors.New("poll_interval and timeout must be more than zero")
	}
	return nil
}

// Plugin is the plug-in's definition.
var Plugin = plugin.Define(Name, "Protects Nova servers: how they are made, and of what.",
	func() Options { return Options{PollInterval: 15 * time.Second, Timeout: 3 * time.Hour} },
	func(_ context.Context, o Options) (protection.Plugin, error) { return &room{options: o}, nil })

type room struct{ options Options }

//go:embed schemas/*.json
var schemas embed.FS

func schema(name string) json.RawMessage {
	// The files are embedded, so that reading can't fail; a test reads each.
	text, _ := schemas.ReadFile("schemas/" + name + ".json")
	return text
}

// Types implements protection.Plugin.
func (*room) Types() []karbor.ResourceType { return []karbor.ResourceType{karbor.ServerType} }

// Schemas implements protection.Plugin.
func (*room) Schemas(karbor.ResourceType) protection.Schemas {
	return protection.Schemas{
		Options:   schema("options"),
		Restore:   schema("restore"),
		Verify:    schema("verify"),
		SavedInfo: schema("saved_info"),
	}
}

// Hooks implements protection.Plugin. Delete has none: everything is in the
// bank, which the service clears.
func (r *room) Hooks(op karbor.OperationType, t karbor.ResourceType) protection.Hooks {
	switch {
	case t != karbor.ServerType:
		return protection.Hooks{}
	case op == karbor.Protect:
		return protection.Hooks{Main: r.protect}
	case op == karbor.RestoreOperation:
		return protection.Hooks{Complete: r.restore, Undo: r.undoRestore, Preflight: r.preflight, Drill: drilled}
	case op == karbor.Verify:
		return protection.Verified(documentKey, sound)
	default:
		return protection.Hooks{}
	}
}

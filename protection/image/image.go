// Package image is the protection plug-in that keeps the bytes and the
// properties of Glance images in the bank. In the role of a server's image it
// keeps the server's disk instead, by way of a snapshot image.
package image

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
const Name = "karbor-image-protection-plugin"

// Options are the plug-in's in a provider file.
type Options struct {
	// PollInterval is the longest pause between two looks at something that is
	// waited for.
	PollInterval time.Duration `yaml:"poll_interval"`
	// Timeout limits each single wait for an image.
	Timeout time.Duration `yaml:"timeout"`
	// EnableServerSnapshot has a server's image protected as the server's disk
	// is now, by a snapshot of the server. Without it the bytes of the image
	// that the server was made from are kept.
	EnableServerSnapshot bool `yaml:"enable_server_snapshot"`
}

// Validate reports settings that make no sense.
func (o *Options) Validate() error {
	if o.PollInterval <= 0 || o.Timeout <= 0 {
		return errors.New("poll_interval and timeout must be more than zero")
	}
	return nil
}

// Plugin is the plug-in's definition.
var Plugin = plugin.Define(Name, "Protects Glance images, and the disks of the servers that boot from one: the bytes go into the bank.",
	func() Options {
		return Options{PollInterval: 15 * time.Second, Timeout: 12 * time.Hour, EnableServerSnapshot: true}
	},
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
func (*room) Types() []karbor.ResourceType { return []karbor.ResourceType{karbor.ImageType} }

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
	case t != karbor.ImageType:
		return protection.Hooks{}
	case op == karbor.Protect && r.options.EnableServerSnapshot:
		return protection.Hooks{PrepareFinish: r.snapshot, Main: r.protect, Undo: r.undoProtect}
	case op == karbor.Protect:
		return protection.Hooks{Main: r.protect}
	case op == karbor.RestoreOperation:
		return protection.Hooks{Main: r.restore, Undo: r.undoRestore, Drill: protection.DrilledAlone, Preflight: r.preflight}
	case op == karbor.Verify:
		return protection.Verified(documentKey, sound, dataName)
	default:
		return protection.Hooks{}
	}
}

// Package volumeglance is the protection plug-in that keeps the bytes of Cinder
// volumes in the bank, by way of Glance: a snapshot, a temporary volume of it, a
// temporary image of that, whose bytes it reads. So a checkpoint can be restored
// in another cloud. Source: the seed volume-glance-protection-plugin.rst.
package volumeglance

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/plugin"
	"github.com/karbor/karbor/protection"
)

// Name is the plug-in's name in provider files.
const Name = "karbor-volume-glance-plugin"

// Options are the plug-in's in a provider file.
type Options struct {
	// PollInterval is the longest pause between two looks at something that is
	// waited for.
	PollInterval time.Duration `yaml:"poll_interval"`
	// Timeout limits each single wait: for a snapshot, a volume or an image.
	Timeout time.Duration `yaml:"timeout"`
	// TypesNotInPlace are the names of the volume types whose volumes are not restored in place: of back
	// ends where what overwrites a volume overwrites its snapshots, too. No tenant can ask for that.
	TypesNotInPlace []string `yaml:"types_not_in_place"`
}

// Validate reports settings that make no sense.
func (o *Options) Validate() error {
	if o.PollInterval <= 0 || o.Timeout <= 0 {
		return errors.New("poll_interval and timeout must be more than zero")
	}
	if slices.Contains(o.TypesNotInPlace, "") {
		return errors.New("types_not_in_place must be names of volume types")
	}
	return nil
}

// Plugin is the plug-in's definition.
var Plugin = plugin.Define(Name, "Protects Cinder volumes: their bytes go into the bank, through a temporary image.",
	func() Options { return Options{PollInterval: 15 * time.Second, Timeout: 12 * time.Hour} },
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
func (*room) Types() []karbor.ResourceType { return []karbor.ResourceType{karbor.VolumeType} }

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
	case t != karbor.VolumeType:
		return protection.Hooks{}
	case op == karbor.Protect:
		return protection.Hooks{PrepareFinish: r.snapshot, Main: r.protect, Undo: r.undoProtect, Sweep: r.undoProtect, Preflight: foresee}
	case op == karbor.RestoreOperation:
		return protection.Hooks{Main: r.restore, Undo: r.undoRestore, Preflight: r.preflight, Drill: drilled}
	case op == protection.InPlace:
		return protection.Hooks{
			PrepareBegin: r.halt, PrepareFinish: r.safeguard, Main: r.overwrite, Complete: r.settle,
			Undo: r.undoOverwrite, Resume: r.resume, Sweep: r.sweep, Preflight: r.preflightInPlace,
		}
	case op == karbor.Verify:
		return protection.Verified(documentKey, sound, dataName)
	default:
		return protection.Hooks{}
	}
}

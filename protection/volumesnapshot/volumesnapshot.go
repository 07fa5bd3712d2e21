// Package volumesnapshot is the protection plug-in that keeps a Cinder snapshot of a
// volume: quick, and in the cloud itself. A checkpoint can be restored as long as the
// snapshot is there, into the same project. Source: spec, plugins.
package volumesnapshot

import (
	"context"
	"embed"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/blockstorage"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/plugin"
	"github.com/karbor/karbor/protection"
)

// Name is the plug-in's name in provider files.
const Name = "karbor-volume-snapshot-plugin"

// Plugin is the plug-in's definition. The time-out limits each single wait: for a snapshot or a volume.
var Plugin = plugin.Define(Name, "Protects Cinder volumes: a snapshot of each stays in the cloud.",
	func() protection.Polling {
		return protection.Polling{PollInterval: 15 * time.Second, Timeout: 3 * time.Hour}
	},
	func(_ context.Context, o protection.Polling) (protection.Plugin, error) {
		s, err := protection.ReadSchemas(schemas)
		return &room{waits: blockstorage.Waits{Waits: openstack.Waits{Longest: o.PollInterval, Timeout: o.Timeout}}, schemas: s}, err
	})

var _ protection.Bound = (*room)(nil)

type room struct {
	waits   blockstorage.Waits
	schemas protection.Schemas
}

//go:embed schemas/*.json
var schemas embed.FS

// Types implements protection.Plugin.
func (*room) Types() []karbor.ResourceType { return []karbor.ResourceType{karbor.VolumeType} }

// Schemas implements protection.Plugin.
func (r *room) Schemas(karbor.ResourceType) protection.Schemas { return r.schemas }

// Bound implements protection.Bound.
func (*room) Bound(karbor.ResourceType) string {
	return "its bytes are in a snapshot in the cloud, beside the volume: protect the volume with karbor-volume-glance-plugin to have its bytes in the bank"
}

// Hooks implements protection.Plugin.
func (r *room) Hooks(op karbor.OperationType, t karbor.ResourceType) protection.Hooks {
	switch {
	case t != karbor.VolumeType:
		return protection.Hooks{}
	case op == karbor.Protect:
		return protection.Hooks{PrepareFinish: r.snapshot, Main: r.protect, Undo: r.undoProtect, Preflight: foresee}
	case op == karbor.RestoreOperation:
		return protection.Hooks{Main: r.restore, Undo: r.undoRestore, Preflight: r.preflight, Drill: protection.DrilledAlone}
	case op == karbor.Delete:
		return protection.Hooks{Main: r.remove}
	case op == karbor.Verify:
		hooks := protection.Verified(documentKey, sound)
		hooks.Offline = false
		return hooks
	default:
		return protection.Hooks{}
	}
}

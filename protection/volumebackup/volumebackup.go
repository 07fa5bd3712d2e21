// Package volumebackup is the protection plug-in that has Cinder make a backup of a
// volume, of a snapshot: its bytes lie where the cloud keeps backups, often in Swift.
// Source: spec, plugins; the Block Storage API v3, backups (metadata since 3.43, a
// volume of a backup since 3.47).
package volumebackup

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
const Name = "karbor-volume-protection-plugin"

// Plugin is the plug-in's definition. The time-out limits each single wait: for a snapshot, a backup or a restored volume.
var Plugin = plugin.Define(Name, "Protects Cinder volumes: Cinder makes a backup of each, full or incremental.",
	func() protection.Polling {
		return protection.Polling{PollInterval: 15 * time.Second, Timeout: 12 * time.Hour}
	},
	func(_ context.Context, o protection.Polling) (protection.Plugin, error) {
		s, err := protection.ReadSchemas(schemas)
		return &room{waits: blockstorage.Waits{Waits: openstack.Waits{Longest: o.PollInterval, Timeout: o.Timeout}}, schemas: s}, err
	})

var (
	_ protection.Bound      = (*room)(nil)
	_ protection.NotInPlace = (*room)(nil)
)

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
	return "its bytes are in a backup of Cinder, where the cloud keeps them: protect the volume with karbor-volume-glance-plugin to have its bytes in the bank"
}

// NotInPlace implements protection.NotInPlace.
func (*room) NotInPlace(karbor.ResourceType) string {
	return "if Cinder fails to restore a backup into a volume, it leaves that half written, in a state out of which only an administrator gets it; " +
		"leave in_place out, and it is restored to a new volume, or protect it once more, detach it, and give its own id as the parameter volume_id of the restore"
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

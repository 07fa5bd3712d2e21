// Package volumefreezer is the protection plug-in that has Freezer back up Cinder volumes:
// a job for one of its schedulers makes a backup in Cinder, another restores that into a
// volume which this plug-in has made, so that the new volume is known. Source: spec,
// plugins; Freezer's API v2 and its agent's mode "cindernative"; the Block Storage API v3.
package volumefreezer

import (
	"context"
	"embed"
	"strings"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/blockstorage"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/plugin"
	"github.com/karbor/karbor/protection"
)

// Name is the plug-in's name in provider files.
const Name = "karbor-volume-freezer-plugin"

// Options are the plug-in's settings in a provider file.
type Options struct {
	// PollInterval is the longest pause between two looks at something that is waited for.
	PollInterval time.Duration `yaml:"poll_interval"`
	// Timeout limits each single wait: for a job, a backup or a restored volume.
	Timeout time.Duration `yaml:"timeout"`
	// SchedulerClientID is the client of Freezer's whose scheduler does the jobs; "" for
	// one of those that the tenant's project has.
	SchedulerClientID string `yaml:"scheduler_client_id"`
	// Container is where Cinder puts the backups, if the plan does not say. Freezer takes
	// no slash in it.
	Container string `yaml:"container"`
	// Storage is the kind of storage that Freezer's agent is told; it holds no bytes of
	// volumes in this mode, but an agent does not start without: "swift" or "local".
	Storage string `yaml:"storage"`
}

// Validate says what is wrong with the options.
func (o Options) Validate() error {
	if err := (&protection.Polling{PollInterval: o.PollInterval, Timeout: o.Timeout}).Validate(); err != nil {
		return err
	}
	switch {
	case o.Container == "" || strings.ContainsAny(o.Container, unsafe):
		return karbor.Errorf(karbor.Invalid, "container: it must be a name without any of %s", unsafe)
	case o.Storage != "swift" && o.Storage != "local":
		return karbor.Errorf(karbor.Invalid, "storage: it must be swift or local")
	}
	return nil
}

// unsafe are characters that Freezer takes for its own: of paths, of patterns, and of the
// file that a scheduler writes for its agent.
const unsafe = "/{}%\n\r"

// Plugin is the plug-in's definition.
var Plugin = plugin.Define(Name, "Protects Cinder volumes: jobs of Freezer's make the backups and restore them.",
	func() Options {
		return Options{PollInterval: 20 * time.Second, Timeout: 12 * time.Hour, Container: "karbor", Storage: "swift"}
	},
	func(_ context.Context, o Options) (protection.Plugin, error) {
		s, err := protection.ReadSchemas(schemas)
		return &room{options: o, waits: blockstorage.Waits{Waits: openstack.Waits{Longest: o.PollInterval, Timeout: o.Timeout}}, schemas: s}, err
	})

var _ protection.Bound = (*room)(nil)

type room struct {
	options Options
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
	return "its bytes are in a backup of Cinder that Freezer has made, where the cloud keeps them: protect the volume with karbor-volume-glance-plugin to have its bytes in the bank"
}

// Hooks implements protection.Plugin.
func (r *room) Hooks(op karbor.OperationType, t karbor.ResourceType) protection.Hooks {
	switch {
	case t != karbor.VolumeType:
		return protection.Hooks{}
	case op == karbor.Protect:
		return protection.Hooks{Main: r.protect, Undo: r.undoProtect, Preflight: foresee}
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

// Package database is the protection plug-in that has Trove make a backup of a database
// instance: its bytes lie where Trove keeps backups, mostly in Swift. A checkpoint can be
// restored as long as the backup is there, into the same project. Source: spec, plugins;
// the Database API v1.0.
package database

import (
	"context"
	"embed"
	"time"

	"github.com/gophercloud/gophercloud/v2"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/database"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/plugin"
	"github.com/karbor/karbor/protection"
)

// Name is the plug-in's name in provider files.
const Name = "karbor-database-protection-plugin"

// Plugin is the plug-in's definition. The time-out limits each single wait: for a backup
// or for an instance.
var Plugin = plugin.Define(Name, "Protects Trove instances: Trove makes a backup of each, full or incremental.",
	func() protection.Polling {
		return protection.Polling{PollInterval: 15 * time.Second, Timeout: 12 * time.Hour}
	},
	func(_ context.Context, o protection.Polling) (protection.Plugin, error) {
		s, err := protection.ReadSchemas(schemas)
		return &room{waits: openstack.Waits{Longest: o.PollInterval, Timeout: o.Timeout}, schemas: s}, err
	})

//go:embed schemas/*.json
var schemas embed.FS

var _ protection.Bound = (*room)(nil)

type room struct {
	waits   openstack.Waits
	schemas protection.Schemas
}

// Types implements protection.Plugin.
func (*room) Types() []karbor.ResourceType { return []karbor.ResourceType{karbor.DatabaseType} }

// Schemas implements protection.Plugin.
func (r *room) Schemas(karbor.ResourceType) protection.Schemas { return r.schemas }

// Bound implements protection.Bound.
func (*room) Bound(karbor.ResourceType) string {
	return "its bytes are in a backup of Trove's, where the cloud keeps them: dump the databases by other means to have them elsewhere"
}

// Hooks implements protection.Plugin.
func (r *room) Hooks(op karbor.OperationType, t karbor.ResourceType) protection.Hooks {
	switch {
	case t != karbor.DatabaseType:
		return protection.Hooks{}
	case op == karbor.Protect:
		return protection.Hooks{PrepareFinish: r.begin, Main: r.protect, Undo: r.undoProtect}
	case op == karbor.RestoreOperation:
		return protection.Hooks{Main: r.restore, Undo: r.undoRestore, Preflight: r.preflight}
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

// documentKey is the key of the document about the instance.
const documentKey = "metadata"

// document is what is kept of an instance beside its backup. It lies in the bank: members
// are only ever added.
type document struct {
	Name             string          `json:"name"`
	FlavorID         string          `json:"flavor_id"`
	Size             int             `json:"size"` // of the volume, in GiB; 0 for none
	Datastore        string          `json:"datastore"`
	DatastoreVersion string          `json:"datastore_version"`
	NetworkID        string          `json:"network_id"`
	Access           database.Access `json:"access"`
	ConfigurationID  string          `json:"configuration_id"`
	Configuration    string          `json:"configuration"` // the group's name
	ReplicaOf        string          `json:"replica_of"`
	Replicas         []string        `json:"replicas"`
	// BackupID is the backup that a restore takes.
	BackupID string `json:"backup_id"`
	// BackupMode is how it was made: "full" or "incremental".
	BackupMode string `json:"backup_mode"`
	// BackupName and BackupDescription are the plan's parameters.
	BackupName        string `json:"backup_name"`
	BackupDescription string `json:"backup_description"`
}

// inspect describes the call's instance, if a backup of it can be made now.
func inspect(ctx context.Context, client *gophercloud.ServiceClient, call *protection.Call) (*document, error) {
	i, err := database.Get(ctx, client, call.Cloud, call.Node.ID)
	switch {
	case err != nil:
		return nil, err
	case i.ClusterID != "":
		return nil, karbor.Errorf(karbor.Invalid, "database instance %s can't be protected: it is of a cluster, and Trove makes no backups of those", i.ID)
	case database.Unfit(i.Status):
		return nil, karbor.Errorf(karbor.Conflict, "database instance %s is in state %q and can't be protected", i.ID, i.Status)
	case !database.Ready(i.Status):
		return nil, karbor.Transientf("database instance %s is in state %q and no backup of it can be made now", i.ID, i.Status)
	}
	d := &document{
		Name: i.Name, FlavorID: i.Flavor.ID, Size: i.Volume.Size, Datastore: i.Datastore.Type, DatastoreVersion: i.Datastore.Version,
		Access: i.Access, BackupName: call.Text("backup_name"), BackupDescription: call.Text("description"),
	}
	for _, a := range i.Addresses {
		if a.Type != "public" && a.Network != "" {
			d.NetworkID = a.Network
		}
	}
	if i.Configuration != nil {
		d.ConfigurationID, d.Configuration = i.Configuration.ID, i.Configuration.Name
	}
	if i.ReplicaOf != nil {
		d.ReplicaOf = i.ReplicaOf.ID
	}
	for _, o := range i.Replicas {
		d.Replicas = append(d.Replicas, o.ID)
	}
	return d, nil
}

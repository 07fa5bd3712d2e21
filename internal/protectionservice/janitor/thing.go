package janitor

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/database"
	"github.com/karbor/karbor/internal/protectionservice/drill"
	"github.com/karbor/karbor/protection"
)

// Kind is the kind of a resource that a hook makes for a while.
type Kind string

// The kinds, in the order in which they can go: a server holds volumes and ports, an image is
// made of a volume, and that of a snapshot; a router is joined to networks, and a port is on one and
// in security groups. Servers, and what is Neutron's, only restore drills make for a while; databases,
// shares and ports are only what a restore has not finished.
const (
	Server        Kind = "server"
	Database      Kind = "database"
	Share         Kind = "share"
	Image         Kind = "image"
	Volume        Kind = "volume"
	Snapshot      Kind = "snapshot"
	FloatingIP    Kind = "floatingip"
	Router        Kind = "router"
	Port          Kind = "port"
	Network       Kind = "network"
	SecurityGroup Kind = "security-group"
)

// Kinds gives all of them, in the order in which they can go.
func Kinds() []Kind {
	return []Kind{Server, Database, Share, Image, Volume, Snapshot, FloatingIP, Router, Port, Network, SecurityGroup}
}

// Thing is a resource of some project in the cloud.
type Thing struct {
	Kind      Kind
	ID        string
	Name      string
	ProjectID string
	// Status is the service's word. A thing in transition can't be deleted.
	Status    string
	CreatedAt time.Time
	// Tags are its metadata, or the properties of an image, or what these would be for a thing
	// that has none.
	Tags map[string]string
	// Used says how somebody uses or keeps it, as in "it is attached"; "" for not.
	Used string
}

// Installation names the Karbor whose thing it says to be; "" for none.
func (t Thing) Installation() string {
	return protection.First(t.Tags[protection.TemporaryTag], t.Tags[protection.RestoringTag])
}

// Restoring reports whether it says to be what a restore is to leave, and not to be whole yet.
func (t Thing) Restoring() bool {
	return t.Tags[protection.RestoringTag] != "" && t.Tags[protection.TemporaryTag] == ""
}

// maker is the word for what has made it.
func (t Thing) maker() string {
	if t.Restoring() {
		return "restore"
	}
	return "drill"
}

// Owner is the id of the checkpoint or restore that it says to be made for.
func (t Thing) Owner() string { return t.Tags[protection.CheckpointTag] }

// Provider is the id of the provider that it says to be made for.
func (t Thing) Provider() string { return t.Tags[protection.ProviderTag] }

// ownName reports whether it bears the very name that protection.Call.Name gives, or that of
// the drill which has made it: who copies metadata from one thing to another, as the cloud's own
// services do, gives it another name.
func (t Thing) ownName() bool {
	if t.Restoring() {
		return karbor.IsUUID(t.Owner()) // its name is its tenant's
	}
	if t.Tags[protection.DrillTag] != "" {
		return karbor.IsUUID(t.Owner()) && (t.Name == drill.Name(t.Owner()) || strings.HasPrefix(t.Name, drill.Name(t.Owner())+"-"))
	}
	id, role, inRole := strings.Cut(t.Tags[protection.ResourceTag], "@")
	if !karbor.IsUUID(t.Owner()) || id == "" || inRole && role == "" {
		return false
	}
	name := protection.OwnerMark(t.Owner()) + "-" + id
	if inRole {
		name += "-" + role
	}
	return t.Name == name
}

// ofSameDrill reports whether both say by tag and name that one drill has made them.
func (t Thing) ofSameDrill(o Thing) bool {
	return t.Tags[protection.DrillTag] != "" && t.ownName() && o.ownName() &&
		t.Owner() == o.Owner() && t.Installation() == o.Installation()
}

// ofSameRestore reports whether both say that one restore has made and not finished them.
func (t Thing) ofSameRestore(o Thing) bool {
	return t.Restoring() && o.Restoring() && t.ownName() && t.Owner() == o.Owner() && t.Installation() == o.Installation()
}

// kin reports whether both say that one operation has made them, and nobody else.
func (t Thing) kin(o Thing) bool { return t.ofSameDrill(o) || t.ofSameRestore(o) }

// settled reports whether its status is one in which it can be deleted.
func (t Thing) settled() bool {
	switch t.Kind {
	case Image:
		return t.Status != "deleted" && t.Status != "pending_delete"
	case Database:
		return database.Ready(t.Status) || t.Status == "ERROR" || t.Status == "FAILED"
	case Server, FloatingIP, Router, Port, Network, SecurityGroup:
		return !slices.Contains([]string{"build", "creating", "deleted", "soft_deleted", "pending_delete"}, strings.ToLower(t.Status))
	default:
		return t.Status == "available" || t.Status == "error" || t.Status == "error_deleting"
	}
}

// Cloud lists and removes things of all projects; NewCloud makes one of a session.
type Cloud interface {
	// Temporary lists the things of a kind that bear the tag of something temporary, or of what
	// a restore has not finished: of one installation, or of any for "".
	Temporary(ctx context.Context, kind Kind, installation string) ([]Thing, error)
	// Show gives one of them as it is now; karbor.NotFound if it is gone.
	Show(ctx context.Context, kind Kind, id string) (Thing, error)
	// Remove asks for its end. One that is gone is no error.
	Remove(ctx context.Context, kind Kind, id string) error
}

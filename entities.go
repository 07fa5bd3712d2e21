package karbor

import (
	"encoding/json"
	"maps"
	"slices"
	"time"
)

// Identity is who makes a request: what Keystone says of the token.
type Identity struct {
	UserID      string
	UserName    string
	ProjectID   string
	ProjectName string
	Roles       []string
	// Token is the caller's own token, and ExpiresAt its end.
	Token     Secret
	ExpiresAt time.Time
	// CanDelegate is false for a token that Keystone gives no trusts to: one
	// of an application credential, or of a trust.
	CanDelegate bool
	// AccessRules are all that the token of an application credential may be used
	// for. nil sets no bounds; a list without rules allows nothing.
	AccessRules []AccessRule
	// FromService says that another service of the cloud handed the token on, and
	// proved who it is by a service token.
	FromService bool
	// OutsideAdminProject says that Keystone has an admin project, and that this
	// token is of another one. Policy files may ask for it as is_admin_project.
	OutsideAdminProject bool
}

// HasRole reports whether the identity has the role in its project.
func (i *Identity) HasRole(name string) bool {
	return slices.Contains(i.Roles, name)
}

// Parameters are a plan's or a restore's: by resource type ("OS::Nova::Server")
// or by resource ("OS::Nova::Server#id"), then by member.
type Parameters map[string]map[string]any

// For gives the members for one resource: those of its type, overridden one by
// one by those of the resource itself.
func (p Parameters) For(r Resource) map[string]any {
	out := map[string]any{}
	maps.Copy(out, p[string(r.Type)])
	maps.Copy(out, p[r.Key()])
	return out
}

// Plan names what a tenant wants protected, and how.
type Plan struct {
	ID          string
	ProjectID   string
	Name        string
	Description string
	ProviderID  string
	Status      PlanStatus
	Resources   []Resource
	Parameters  Parameters
	CreatedAt   time.Time
	UpdatedAt   time.Time
}

// PlanRecord is what a checkpoint remembers of its plan.
type PlanRecord struct {
	ID         string     `json:"id"`
	Name       string     `json:"name"`
	ProviderID string     `json:"provider_id"`
	Resources  []Resource `json:"resources"`
	Parameters Parameters `json:"parameters,omitempty"`
}

// Checkpoint is what one protect operation made.
type Checkpoint struct {
	ID         string
	ProjectID  string
	ProviderID string
	Status     CheckpointStatus
	Plan       PlanRecord
	Graph      *Graph
	// ExtraInfo holds created_by and the caller's own members.
	ExtraInfo map[string]json.RawMessage
	CreatedAt time.Time
	UpdatedAt time.Time
	// Size is the number of logical bytes that it holds.
	Size int64
	// Reasons says, for a checkpoint in error, what failed on which resource.
	Reasons map[string]string
	// Figures are those of the resources with bytes, by TYPE#id, or TYPE#id@role of one
	// that is there for another resource. None are known of old checkpoints.
	Figures map[string]Figures
	// CopyOf is the checkpoint that it was copied from, and Bank the provider's copy
	// target in whose bank it lies; both are "" for one that is no copy.
	CopyOf, Bank string
}

// Figures say how much of a resource a checkpoint holds, in bytes.
type Figures struct {
	// Size is the number of its logical bytes.
	Size int64 `json:"size"`
	// New is how many of them the bank had not had before, and Stored how many bytes the
	// bank has got more for them. Both are nil where they are not to be told: in a bank
	// that keeps all projects' data together they would tell of others' data.
	New    *int64 `json:"new,omitempty"`
	Stored *int64 `json:"stored,omitempty"`
}

// Restore is one run that brings a checkpoint's resources back.
type Restore struct {
	ID            string
	ProjectID     string
	ProviderID    string
	CheckpointID  string
	RestoreTarget string
	Parameters    Parameters
	Status        RestoreStatus
	// ResourcesStatus and ResourcesReason are by TYPE#new id, or by TYPE#original
	// id as long as there is no new one.
	ResourcesStatus map[string]ResourceState
	ResourcesReason map[string]string
	// KeepOnFailure says that what is restored stays when the restore fails elsewhere.
	KeepOnFailure bool
	// StandIn is the copy that is restored in place of the checkpoint; nil for none.
	StandIn *StandIn
	// Choices say what of the checkpoint is restored, and how.
	Choices   RestoreChoices
	CreatedAt time.Time
	UpdatedAt time.Time
}

// OperationLog is the record of one operation.
type OperationLog struct {
	ID                   string
	ProjectID            string
	OperationType        OperationType
	CheckpointID         string
	PlanID               string
	ProviderID           string
	RestoreID            string
	ScheduledOperationID string
	Status               LogStatus
	StartedAt            time.Time
	EndedAt              time.Time
	ErrorInfo            string
	ExtraInfo            map[string]json.RawMessage
}

// ResourceProgress is how far an operation is with one resource.
type ResourceProgress struct {
	Resource
	State ResourceState
	// Phase is the hook that runs now, such as "main"; empty before and after.
	Phase string
	// Done and Total are bytes; Total is 0 as long as it is not known.
	Done, Total int64
	// Speed is in bytes a second, in the mean of the last seconds; 0 where nothing moves,
	// or where it is not known. Left is an estimate of the time that the rest takes, in
	// whole seconds; 0 where there is none.
	Speed int64
	Left  time.Duration
	// Waiting says what it waits for, for the tenant; empty where it does not.
	Waiting string
	Reason  string
	// NewID is the id of the restored resource, once it exists.
	NewID string
	// NotKept lists what a restore could not bring back, Mapped what it put something
	// else in the place of because the tenant asked for that.
	NotKept, Mapped []string
}

// Cloud is a session with an OpenStack cloud in the name of one user in one
// project. Plug-ins get their clients from it through internal/openstack; the
// contracts only hand it on.
type Cloud interface {
	// ProjectID and UserID say in whose name it acts.
	ProjectID() string
	UserID() string
}

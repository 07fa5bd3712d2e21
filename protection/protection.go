// Package protection is the contract of a protection plug-in: how resources of
// some types are protected, restored and deleted. The service orders the hooks
// of all the resources of an operation (docs/plugin-authors, "Hooks"); a plug-in
// only says what each does. protectiontest is the suite that each passes.
package protection

import (
	"context"
	"encoding/json"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
)

// Plugin protects resources of one or more types. Methods may be called
// concurrently, and must give the same answer each time.
type Plugin interface {
	// Types are the resource types that it protects.
	Types() []karbor.ResourceType
	// Schemas describes its parameters for a type of Types.
	Schemas(t karbor.ResourceType) Schemas
	// Hooks gives what it does in an operation for resources of type t. An
	// operation that needs nothing done has the zero Hooks.
	Hooks(op karbor.OperationType, t karbor.ResourceType) Hooks
}

// Schemas are JSON Schemas (draft 4), published as extended_info_schema. Options
// are the parameters of a plan, Restore those of a restore, Verify those of a
// verification; SavedInfo is what the plug-in keeps of a resource. A nil one
// stands for {}. Each must refuse unknown members.
type Schemas struct {
	Options, Restore, Verify, SavedInfo json.RawMessage
}

// Hook does one part of an operation for one resource.
//
// In a verification, an error that does not pass is what was found of the resource: it is
// told to the tenant, and the other resources are verified all the same.
// It may run more than once
// (the process may die at any instant, and what may pass is tried again), so it
// must find again what an earlier run of it made outside, and go on from there:
// by the scratch record, by a name or by metadata that CheckpointTag and
// ResourceTag name. It returns soon after its context ends.
//
// An error that may pass (karbor.IsTransient) makes it run again later; any other
// fails the resource, and with it the operation. Its text is read by the tenant.
type Hook func(ctx context.Context, call *Call) error

// Hooks are a plug-in's for one operation. A nil hook costs nothing.
type Hooks struct {
	// Offline says that none of the hooks needs the cloud: then an operation of only such
	// ones asks for no leave to act for the tenant, and Call.Cloud may be nil.
	Offline bool
	// PrepareBegin runs from parents to children: quiesce.
	PrepareBegin Hook
	// PrepareFinish runs from children to parents: snapshot, thaw. It and
	// PrepareBegin are short.
	PrepareFinish Hook
	// Main moves the data.
	Main Hook
	// Complete runs from children to parents: put the parts together.
	Complete Hook
	// Undo runs when the operation has failed or was cancelled, after all
	// other hooks are over, for each resource one of whose hooks has started. It
	// removes all that the hooks made in the cloud, temporary or not; the bank is
	// cleared by the service. While the cloud refuses because something is in
	// transition, it returns a transient error, and runs again; so it does as long
	// as the cloud may still make something that it was asked for (Intents).
	Undo Hook
	// Resume, in a restore in place (InPlace), runs after the Undo hooks of all resources, whatever
	// came of them: what uses several of the originals may begin to use them again.
	Resume Hook
	// Sweep, in a restore in place (InPlace), takes the place of Undo where that has failed and
	// the operation has ended: the original is in its tenant's hands again, and nothing may
	// change it any more. It removes what is of no use to him, and leaves what still holds
	// his bytes. It is tried for days, as Undo is in other operations.
	// In a protect that has ended well it removes what is temporary (Call.Hold) and was not released:
	// nothing of what the checkpoint needs.
	Sweep Hook
	// Preflight, in a restore, tells what the hooks would come across, and what they
	// would use. It changes nothing: neither in the cloud nor in the call's records,
	// which are empty. A node of the call's graph will be restored, and has no new id
	// yet. Nil where nothing can be told.
	// In a protect it tells what the hooks will use of quotas, before any of them runs; of the Forecast only that
	// counts. There is nothing in the bank then: Documents and Data are nil.
	Preflight func(ctx context.Context, call *Call) (*Forecast, error)
	// Drill, in a restore, describes the resource for a restore drill, in which the hooks above
	// run, and then Undo. It changes nothing, as Preflight. A type without it can't be drilled.
	Drill func(ctx context.Context, call *Call) (Drilled, error)
}

// Metadata keys and properties that tag what a hook creates in the cloud, so
// that it is found again after a crash, and never left behind.
const (
	// CheckpointTag holds the id of the operation's checkpoint (protect) or
	// restore (restore).
	CheckpointTag = "karbor_checkpoint_id"
	// ResourceTag holds the id of the resource that it is made for.
	ResourceTag = "karbor_resource_id"
	// TemporaryTag holds the name of the Karbor whose thing it is, for what goes before
	// the operation ends; ProviderTag the id of the provider that it works for.
	TemporaryTag = "karbor_temporary"
	ProviderTag  = "karbor_provider_id"
	// DrillTag marks, beside these, what a restore drill makes: it may be anything that a
	// restore makes, so nobody removes it by its tags alone.
	DrillTag = "karbor_drill"
	// RestoringTag holds the name of the Karbor that makes it, for what a restore is to leave as
	// long as it is not whole: the last hook that works on it takes it away.
	RestoringTag = "karbor_restoring"
)

// Call is all that a hook gets. One call belongs to one run of one hook.
type Call struct {
	// OperationID is the id of the operation; Owner is the id to tag things
	// with: the checkpoint's for protect and delete, the restore's for restore.
	OperationID string
	Owner       string
	// Installation names the Karbor that the call is of, and ProviderID the provider, for
	// TemporaryTags; "" where nobody looks for what is left.
	Installation, ProviderID string
	// Drill says that all that is made goes before the operation ends.
	Drill bool
	// CheckpointID is the checkpoint that is made, restored or deleted.
	CheckpointID string
	// Graph is the checkpoint's, Node this resource's node in it.
	Graph *karbor.Graph
	Node  *karbor.Node
	// Parameters are those of the plan or restore that apply to this resource:
	// its type's, overridden by its own. They have passed the schema.
	Parameters map[string]any
	// Documents are small keyed documents of this node in the bank. Objects are
	// written once: use Scratch for what changes.
	Documents Documents
	// Data is this node's bulk data.
	Data Repository
	// Scratch is a record that lives until the operation ends, shared by this
	// node's hooks.
	Scratch Scratch
	// Intents are kept in the scratch record: what was asked of the cloud without
	// an answer. Nil where nobody keeps them.
	Intents *Intents
	// Ledger keeps what uses the tenant's quota for a while: see Hold and Release. Nil where
	// nobody keeps it.
	Ledger Ledger
	// Turns has the operation's hooks take turns: see InTurn. Nil where the call is the only one.
	Turns Turns
	// NewResources are the restored resources' new ids, shared by all nodes.
	NewResources NewResources
	// Cloud acts as the tenant; in a restore, in the target cloud.
	Cloud karbor.Cloud
	// Service acts as Karbor's service user, for what a tenant can't read or set,
	// where the operator allows it; nil elsewhere.
	Service karbor.Cloud
	// Progress reports bytes moved and bytes in all (0: not known). It is cheap:
	// call it as often as you like.
	Progress func(done, total int64)
	// Waiting tells the tenant what the hook waits for, in one sentence, and "" when it
	// goes on. Nil where nobody listens.
	Waiting func(sentence string)
	// NotKept reports, for the tenant, something of the resource that could not
	// be brought back, in one sentence.
	NotKept func(sentence string)
	// Mapped reports, for the tenant, what a restore put something else in the place of
	// because he asked for that, in one sentence.
	Mapped func(sentence string)
}

// Documents are the small documents of one node; bank.Section is one.
type Documents interface {
	// CreateJSON writes a document. One that is there already with the same
	// content is no error.
	CreateJSON(ctx context.Context, key string, v any) error
	// GetJSON reads one; karbor.NotFound if it is not there.
	GetJSON(ctx context.Context, key string, v any) error
}

// Scratch is a durable record: a JSON object. Members that begin with "karbor_" are
// the service's.
type Scratch interface {
	// Load reads the record into v, which stays as it is if there is none yet.
	Load(ctx context.Context, v any) error
	// Save replaces the record. When it returns nil the record survives a crash.
	Save(ctx context.Context, v any) error
}

// NewResources maps the nodes of a restored checkpoint to the new resources' ids.
type NewResources interface {
	// ID gives the new id for a node, or "" if there is none (yet).
	ID(key karbor.NodeKey) string
	// Set records the new id of this call's own node, durably.
	Set(ctx context.Context, id string) error
	// Part gives the new id of a part of some node that is no node itself (a
	// subnet, a security group), or "" if there is none (yet).
	Part(original string) string
	// SetPart records the new id of a part of this call's own node, durably.
	SetPart(ctx context.Context, original, id string) error
}

var _ Documents = (*bank.Section)(nil)

package admission

import (
	"cmp"
	"encoding/json"
	"maps"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/internal/store"
)

// Caller is who asks, with a session in the cloud that acts as them.
type Caller struct {
	Identity *karbor.Identity
	Cloud    karbor.Cloud
	// Project is the project whose checkpoint an administrator acts on; "" stands for
	// the caller's own. Whether the caller may is asked before.
	Project string
	// Run is the scheduled run that the caller acts for; nil for a request of their own.
	Run *ScheduledRun

	// Borrowed is the delegation that the caller acts through, which stays theirs: see
	// delegation.Registry.Borrow. It is nil for a request of their own.
	Borrowed *openstack.Delegation
}

// ActsOn gives the project whose things the caller acts on.
func (c Caller) ActsOn() string { return cmp.Or(c.Project, c.Identity.ProjectID) }

// Crosses reports whether this is another project than the caller's.
func (c Caller) Crosses() bool { return c.ActsOn() != c.Identity.ProjectID }

// OperationID gives the id of an operation that the caller asks for: that of their
// run, or a new one.
func (c Caller) OperationID() string {
	if c.Run != nil {
		return c.Run.operationID()
	}
	return karbor.NewID()
}

// CreatedBy is the member of a checkpoint's extra information that says what
// asked for it; Manual is its value for a tenant's own request, and ScheduledBy that of
// what a schedule asked for.
const (
	CreatedBy   = "created_by"
	Manual      = "manual"
	ScheduledBy = "operation-engine"
)

// CheckpointInfo adds what the service itself says of a checkpoint to the caller's members. The
// service's own can't be overridden.
func (c Caller) CheckpointInfo(own map[string]json.RawMessage) map[string]json.RawMessage {
	out := map[string]json.RawMessage{}
	maps.Copy(out, own)
	out[CreatedBy] = json.RawMessage(`"` + Manual + `"`)
	if c.Run != nil {
		maps.Copy(out, c.Run.info())
	}
	return out
}

// RunInfo adds to the extra information of an operation log what tells of the caller's
// run, if it is for one.
func (c Caller) RunInfo(own map[string]json.RawMessage) map[string]json.RawMessage {
	if c.Run == nil {
		return own
	}
	out := map[string]json.RawMessage{}
	maps.Copy(out, own)
	maps.Copy(out, c.Run.info())
	return out
}

// ScheduledRun says which run of a scheduled operation a Caller acts for. The
// operation that is accepted then begins the run, and has its id.
type ScheduledRun struct {
	Claim                           store.RunClaim
	ScheduledOperationID, TriggerID string
	// Step says which operation of the run it is, of a run that has several; nil
	// otherwise. That operation has the step's id.
	Step *store.RunStep
}

// info gives the members of extra information that tell of a run.
func (r *ScheduledRun) info() map[string]json.RawMessage {
	text := func(s string) json.RawMessage {
		raw, _ := json.Marshal(s) // a text always encodes
		return raw
	}
	return map[string]json.RawMessage{
		CreatedBy: text(ScheduledBy), "trigger_id": text(r.TriggerID), "scheduled_operation_id": text(r.ScheduledOperationID),
	}
}

// operationID gives the id of the operation that is accepted for the run.
func (r *ScheduledRun) operationID() string {
	if r.Step != nil {
		return r.Step.OperationID
	}
	return r.Claim.RunID
}

// begin makes an acceptance that of the run.
func (r *ScheduledRun) begin(a *Acceptance) {
	a.Run, a.Step = &r.Claim, r.Step
	a.Operation.ID = r.operationID()
	a.Log.ID = a.Operation.ID
	a.Log.ScheduledOperationID = r.ScheduledOperationID
}

package protectionservice

import (
	"cmp"
	"encoding/json"

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

// project gives the project whose things the caller acts on.
func (c Caller) project() string { return cmp.Or(c.Project, c.Identity.ProjectID) }

// crosses reports whether this is another project than the caller's.
func (c Caller) crosses() bool { return c.project() != c.Identity.ProjectID }

// ScheduledBy is the value of CreatedBy of what a schedule asked for.
const ScheduledBy = "operation-engine"

// scheduledInfo gives the members of extra information that tell of a run.
func (r *ScheduledRun) scheduledInfo() map[string]json.RawMessage {
	text := func(s string) json.RawMessage {
		raw, _ := json.Marshal(s) // a text always encodes
		return raw
	}
	return map[string]json.RawMessage{
		CreatedBy: text(ScheduledBy), "trigger_id": text(r.TriggerID), "scheduled_operation_id": text(r.ScheduledOperationID),
	}
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

// operationID gives the id of the operation that is accepted for the run.
func (r *ScheduledRun) operationID() string {
	if r.Step != nil {
		return r.Step.OperationID
	}
	return r.Claim.RunID
}

// begin makes an acceptance that of the run.
func (r *ScheduledRun) begin(a *acceptance) {
	a.Run, a.Step = &r.Claim, r.Step
	a.Operation.ID = r.operationID()
	a.Log.ID = a.Operation.ID
	a.Log.ScheduledOperationID = r.ScheduledOperationID
}

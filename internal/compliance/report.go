// Package compliance says of each resource of a project whether it is protected as was
// promised: which plans include it, how old its last good checkpoint is against what the
// schedules promise, when it was last verified, and which runs should have happened and
// did not.
//
// It reads the database and lists the project's resources as the tenant; it changes
// nothing. docs/tenants/compliance.md says the rules in the tenant's words.
package compliance

import (
	"time"

	"github.com/karbor/karbor"
)

// Finding is one thing that is to be said of a resource.
type Finding string

// The findings, in the order in which they count: the first that holds is the verdict.
const (
	// Missing is a resource that a plan names and that is not there, or can't be protected.
	Missing Finding = "missing"
	// Unprotected is one that no plan includes.
	Unprotected Finding = "unprotected"
	// NoCheckpoint is one that a plan includes and of which there is no good checkpoint.
	NoCheckpoint Finding = "no_checkpoint"
	// Damaged is one of which the newest checkpoint was verified and found damaged.
	Damaged Finding = "damaged"
	// Late is one whose last good checkpoint is older than was promised.
	Late Finding = "late"
	// Unpromised is one that no schedule protects.
	Unpromised Finding = "unpromised"
	// Unverified is one of which no checkpoint was verified and found good, or not lately.
	Unverified Finding = "unverified"
	// Undrilled is one of which the last drill that saw anything, if there is one, did not show
	// that it can be restored, or is too long ago; it is found only where drills were asked for.
	Undrilled Finding = "undrilled"
	// Unlisted is one of which it is not known whether it is still there: its service did
	// not tell.
	Unlisted Finding = "unlisted"
	// Kept is one of which there is nothing else to say.
	Kept Finding = "kept"
)

// Findings gives all findings, in the order in which they count.
func Findings() []Finding {
	return []Finding{Missing, Unprotected, NoCheckpoint, Damaged, Late, Unpromised, Unverified, Undrilled, Unlisted, Kept}
}

// Request asks for a report.
type Request struct {
	// Cloud is a session of the tenant, whose project the report is of.
	Cloud karbor.Cloud
	// VerifiedWithin is how long ago a resource may have been verified to count as that;
	// 0 sets no bound.
	VerifiedWithin time.Duration
	// DrilledWithin is how long ago a drill may have been; with 0, none is needed.
	DrilledWithin time.Duration
	// UnmadeWithin is how far back it is looked for runs that did not happen; 0 is a week.
	UnmadeWithin time.Duration
}

// Report is how a project stood at a time.
type Report struct {
	ProjectID string
	At        time.Time
	// Types are the types of resources that were looked for, parents before children.
	Types []TypeState
	// Resources are in the order of the types, then of the names and ids.
	Resources []Resource
	// Unmade are the runs that should have happened and did not, the latest first.
	Unmade []Unmade
	// BackTo is how far back checkpoints were looked at; zero if all were.
	BackTo time.Time
}

// ListState says what came of listing the resources of a type.
type ListState string

// The states.
const (
	Listed ListState = "listed"
	// Partial is a list of which only a part was read: there are more than a report takes.
	Partial ListState = "partial"
	// Absent is a type whose service the cloud has not got.
	Absent ListState = "absent"
	// Failed is a type whose service did not answer, or refused.
	Failed ListState = "failed"
)

// TypeState is what came of listing the resources of a type.
type TypeState struct {
	Type  karbor.ResourceType
	State ListState
	// Count is how many were found.
	Count int
	// Reason is a sentence for what is not Listed.
	Reason string
}

// Through says how a plan includes a resource.
type Through string

// The ways.
const (
	// Directly: the plan lists it.
	Directly Through = "direct"
	// ByDependency: what the plan lists depended on it when the plan's last available
	// checkpoint was made.
	ByDependency Through = "dependency"
	// ByProject: the plan lists the project itself, and with it all that it has.
	ByProject Through = "project"
	// ByTopology: the plan includes the topology of all networks.
	ByTopology Through = "topology"
)

// Membership is a plan that includes a resource.
type Membership struct {
	PlanID, PlanName, ProviderID string
	Through                      Through
}

// Promise is what the schedules of a plan promise of the resources in it.
type Promise struct {
	// Every is the longest time between two runs; Allowed is how old the data may be:
	// longer by the time by which a run may begin late.
	Every, Allowed                     time.Duration
	PlanID, ScheduledOperationID, Name string
}

// Good is the last good checkpoint of a resource.
type Good struct {
	CheckpointID, ProviderID, PlanID string
	// At is when its data is from.
	At time.Time
	// Bank is the copy target in whose bank it lies; "" for the provider's own.
	Bank string
	// Copies are the copy targets that have a copy of it, by name.
	Copies []string
}

// Verified is the last time that a checkpoint of a resource was verified and found good.
type Verified struct {
	CheckpointID string
	At           time.Time
	// Depth is quick, stored or full.
	Depth string
}

// Drilled is the last drill that saw a resource to be right or wrong; where none did, the last that
// restored it.
type Drilled struct {
	DrillID, CheckpointID string
	At                    time.Time
	// Verdict is what the drill says of it.
	Verdict karbor.DrillVerdict
	// RecoveryTime is how long it took until it was ready; 0 if that was not measured.
	RecoveryTime time.Duration
}

// Resource is what is to be said of one resource.
type Resource struct {
	karbor.Resource
	Verdict Finding
	// Findings are all that hold; Kept is one only where it is the only one.
	Findings []Finding
	Plans    []Membership
	// Promise is the strictest; nil if there is none.
	Promise *Promise
	// Good, Verified and Drilled are nil where there is none.
	Good     *Good
	Verified *Verified
	Drilled  *Drilled
	// Age is how old the data of the last good checkpoint is; 0 without one.
	Age time.Duration
}

// Unmade is a run that should have happened and did not.
type Unmade struct {
	ScheduledOperationID, Name, PlanID string
	Type                               karbor.ScheduledOperationType
	ExpectedAt                         time.Time
	// State is that of the run, or Overdue.
	State  string
	Reason string
}

// Overdue is the state of a run that no operation engine has looked at, although its
// window is over.
const Overdue = "overdue"

// Totals counts the resources by verdict, and by finding.
func (r *Report) Totals() (verdicts, findings map[Finding]int) {
	verdicts, findings = map[Finding]int{}, map[Finding]int{}
	for _, f := range Findings() {
		verdicts[f], findings[f] = 0, 0
	}
	for i := range r.Resources {
		verdicts[r.Resources[i].Verdict]++
		for _, f := range r.Resources[i].Findings {
			findings[f]++
		}
	}
	return verdicts, findings
}

package karbor

import (
	"encoding/json"
	"time"
)

// ScheduledOperationType is what a scheduled operation does at each of its times.
type ScheduledOperationType string

// The types of scheduled operations.
const (
	// ScheduledProtect makes a checkpoint of the plan.
	ScheduledProtect ScheduledOperationType = "protect"
	// ScheduledRetention makes a checkpoint, and then deletes those of its plan
	// that a schedule made and that are beyond the definition's limits.
	ScheduledRetention ScheduledOperationType = "retention_protect"
	// ScheduledVerify verifies some checkpoints, one after another. Microversion 1.5, as
	// those below.
	ScheduledVerify ScheduledOperationType = "verify"
	// ScheduledCopy copies the checkpoints of the plan that are not copied yet.
	ScheduledCopy ScheduledOperationType = "copy"
	// ScheduledDrill makes restore drills of some checkpoints, one after another.
	ScheduledDrill ScheduledOperationType = "drill"
)

// SelectionOrder says which checkpoints a scheduled operation takes first.
type SelectionOrder string

// The orders.
const (
	// OldestVerified takes those first of which nobody has begun a verification for the
	// longest time; those that never were verified before all. It is the default of a
	// verification.
	OldestVerified SelectionOrder = "longest_unverified"
	// OldestDrilled is the same of drills.
	OldestDrilled SelectionOrder = "longest_undrilled"
	// NewestFirst takes the newest first; of a Share, those that the day has not taken yet. It is the
	// default of a drill without a Share: with one, OldestDrilled is, so that the days go through all.
	NewestFirst SelectionOrder = "newest"
)

// Selection says which checkpoints one run of a scheduled operation works on. One of
// Share and Checkpoints is set, or neither, which stands for one checkpoint.
type Selection struct {
	// Order is the default of the type if empty.
	Order SelectionOrder
	// Share is a part of those that there are, in per cent, rounded up.
	Share int
	// Checkpoints is how many.
	Checkpoints int
}

// OperationDefinition says what a scheduled operation works on. As JSON it has
// the form of the wire contract: numbers are written as texts, and read from
// texts or numbers. What is zero is left out.
type OperationDefinition struct {
	// PlanID is "" for a verification or a drill of all checkpoints that the project has at the
	// provider.
	PlanID     string
	ProviderID string
	// MaxBackups is how many checkpoints are kept; 0 for any number.
	MaxBackups int
	// RetentionDuration is for how many days checkpoints are kept; 0 for ever.
	RetentionDuration int
	// Keep and Manual are as in RetentionRules. Microversion 1.4.
	Keep   KeepRules
	Manual bool
	// Selection says what a verification or a drill works on, and Depth how deep it looks: "quick",
	// "stored" or "full", or "" for what the provider's plug-ins do by themselves.
	// Microversion 1.5, as all below.
	Selection Selection
	Depth     string
	// Targets are the copy targets to which a copy copies; none stands for all of them.
	Targets []string
	// CheckpointIDs, if any, are the only checkpoints that it copies.
	CheckpointIDs []string
	// Probes are what a drill looks at; nil stands for DefaultDrillProbes.
	Probes *DrillProbes
}

// definitionDocument is OperationDefinition as JSON.
type definitionDocument struct {
	PlanID            string         `json:"plan_id,omitempty"`
	ProviderID        string         `json:"provider_id"`
	MaxBackups        number         `json:"max_backups,omitempty"`
	RetentionDuration number         `json:"retention_duration,omitempty"`
	KeepHourly        number         `json:"keep_hourly,omitempty"`
	KeepDaily         number         `json:"keep_daily,omitempty"`
	KeepWeekly        number         `json:"keep_weekly,omitempty"`
	KeepMonthly       number         `json:"keep_monthly,omitempty"`
	KeepYearly        number         `json:"keep_yearly,omitempty"`
	MinimumKeep       number         `json:"minimum_keep,omitempty"`
	IncludeManual     truth          `json:"include_manual,omitempty"`
	Order             SelectionOrder `json:"order,omitempty"`
	Share             number         `json:"share,omitempty"`
	Checkpoints       number         `json:"checkpoints,omitempty"`
	Depth             string         `json:"depth,omitempty"`
	Targets           []string       `json:"targets,omitempty"`
	CheckpointIDs     []string       `json:"checkpoint_ids,omitempty"`
	Probes            *DrillProbes   `json:"probes,omitempty"`
}

// MarshalJSON implements json.Marshaler.
func (d OperationDefinition) MarshalJSON() ([]byte, error) {
	k := d.Keep
	return json.Marshal(definitionDocument{
		d.PlanID, d.ProviderID, number(d.MaxBackups), number(d.RetentionDuration),
		number(k.Hourly), number(k.Daily), number(k.Weekly), number(k.Monthly), number(k.Yearly), number(k.Minimum), truth(d.Manual),
		d.Selection.Order, number(d.Selection.Share), number(d.Selection.Checkpoints), d.Depth, d.Targets, d.CheckpointIDs, d.Probes,
	})
}

// UnmarshalJSON implements json.Unmarshaler. A number that is none has the kind
// Invalid.
func (d *OperationDefinition) UnmarshalJSON(text []byte) error {
	var doc definitionDocument
	if err := json.Unmarshal(text, &doc); err != nil {
		return err
	}
	*d = OperationDefinition{
		PlanID: doc.PlanID, ProviderID: doc.ProviderID,
		MaxBackups: int(doc.MaxBackups), RetentionDuration: int(doc.RetentionDuration),
		Keep: KeepRules{
			Hourly: int(doc.KeepHourly), Daily: int(doc.KeepDaily), Weekly: int(doc.KeepWeekly),
			Monthly: int(doc.KeepMonthly), Yearly: int(doc.KeepYearly), Minimum: int(doc.MinimumKeep),
		},
		Manual:    bool(doc.IncludeManual),
		Selection: Selection{Order: doc.Order, Share: int(doc.Share), Checkpoints: int(doc.Checkpoints)},
		Depth:     doc.Depth, Targets: doc.Targets, CheckpointIDs: doc.CheckpointIDs, Probes: doc.Probes,
	}
	return nil
}

// ScheduledOperation is an operation that the operation engine runs whenever its
// trigger fires, as the user who made it.
type ScheduledOperation struct {
	ID        string
	ProjectID string
	// UserID is the user who made it.
	UserID        string
	Name          string
	Description   string
	OperationType ScheduledOperationType
	TriggerID     string
	Definition    OperationDefinition
	// Fault is why the definition that is stored can't be read, and Definition has no more
	// than the plan; "" if it can. Such an operation does not run until it has another one.
	Fault string
	// Enabled is false for one that does not run for now.
	Enabled   bool
	CreatedAt time.Time
	UpdatedAt time.Time
}

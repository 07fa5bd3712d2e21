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
)

// OperationDefinition says what a scheduled operation works on. As JSON it has
// the form of the wire contract: numbers are written as texts, and read from
// texts or numbers. What is zero is left out.
type OperationDefinition struct {
	PlanID     string
	ProviderID string
	// MaxBackups is how many checkpoints are kept; 0 for any number.
	MaxBackups int
	// RetentionDuration is for how many days checkpoints are kept; 0 for ever.
	RetentionDuration int
	// Keep and Manual are as in RetentionRules. Microversion 1.4.
	Keep   KeepRules
	Manual bool
}

// definitionDocument is OperationDefinition as JSON.
type definitionDocument struct {
	PlanID            string `json:"plan_id"`
	ProviderID        string `json:"provider_id"`
	MaxBackups        number `json:"max_backups,omitempty"`
	RetentionDuration number `json:"retention_duration,omitempty"`
	KeepHourly        number `json:"keep_hourly,omitempty"`
	KeepDaily         number `json:"keep_daily,omitempty"`
	KeepWeekly        number `json:"keep_weekly,omitempty"`
	KeepMonthly       number `json:"keep_monthly,omitempty"`
	KeepYearly        number `json:"keep_yearly,omitempty"`
	MinimumKeep       number `json:"minimum_keep,omitempty"`
	IncludeManual     truth  `json:"include_manual,omitempty"`
}

// MarshalJSON implements json.Marshaler.
func (d OperationDefinition) MarshalJSON() ([]byte, error) {
	k := d.Keep
	return json.Marshal(definitionDocument{
		d.PlanID, d.ProviderID, number(d.MaxBackups), number(d.RetentionDuration),
		number(k.Hourly), number(k.Daily), number(k.Weekly), number(k.Monthly), number(k.Yearly), number(k.Minimum), truth(d.Manual),
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
		Manual: bool(doc.IncludeManual),
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
	// Enabled is false for one that does not run for now.
	Enabled   bool
	CreatedAt time.Time
	UpdatedAt time.Time
}

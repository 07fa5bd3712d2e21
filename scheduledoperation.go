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
}

// definitionDocument is OperationDefinition as JSON.
type definitionDocument struct {
	PlanID            string `json:"plan_id"`
	ProviderID        string `json:"provider_id"`
	MaxBackups        number `json:"max_backups,omitempty"`
	RetentionDuration number `json:"retention_duration,omitempty"`
}

// MarshalJSON implements json.Marshaler.
func (d OperationDefinition) MarshalJSON() ([]byte, error) {
	return json.Marshal(definitionDocument{d.PlanID, d.ProviderID, number(d.MaxBackups), number(d.RetentionDuration)})
}

// UnmarshalJSON implements json.Unmarshaler. A number that is none has the kind
// Invalid.
func (d *OperationDefinition) UnmarshalJSON(text []byte) error {
	var doc definitionDocument
	if err := json.Unmarshal(text, &doc); err != nil {
		return err
	}
	*d = OperationDefinition{doc.PlanID, doc.ProviderID, int(doc.MaxBackups), int(doc.RetentionDuration)}
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

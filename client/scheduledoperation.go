package client

import (
	"context"
	"iter"
	"net/http"

	"github.com/karbor/karbor"
)

// ScheduledOperation is a scheduled operation as the API shows it.
type ScheduledOperation struct {
	ID                  string                        `json:"id"`
	Name                string                        `json:"name"`
	Description         string                        `json:"description"`
	OperationType       karbor.ScheduledOperationType `json:"operation_type"`
	TriggerID           string                        `json:"trigger_id"`
	OperationDefinition karbor.OperationDefinition    `json:"operation_definition"`
	Enabled             bool                          `json:"enabled"`
	// These are there from microversion 1.4 on. UserID is as whom it runs.
	UserID  string               `json:"user_id"`
	Overlap karbor.OverlapPolicy `json:"overlap"`
	// State is waiting, finished, disabled, paused, missed or broken, and StateReason
	// what is in its way.
	State       string    `json:"state"`
	StateReason string    `json:"state_reason"`
	NextRunAt   Timestamp `json:"next_run_at"`
	PausedUntil Timestamp `json:"paused_until"`
	// Delegation tells how it can act as its user.
	Delegation *Delegation `json:"delegation,omitempty"`
}

// Delegation tells how a scheduled operation can act as its user.
type Delegation struct {
	// Type is trust or application_credential.
	Type   string                 `json:"type"`
	State  karbor.DelegationState `json:"state"`
	Reason string                 `json:"reason"`
	// ExpiresAt is zero for one that does not end by itself.
	ExpiresAt Timestamp `json:"expires_at"`
	CheckedAt Timestamp `json:"checked_at"`
}

// ScheduledOperationRequest is a new scheduled operation. All but Description is
// required; karbor.ScheduledRetention needs a limit in OperationDefinition.
type ScheduledOperationRequest struct {
	Name                string                        `json:"name"`
	Description         string                        `json:"description,omitempty"`
	OperationType       karbor.ScheduledOperationType `json:"operation_type"`
	TriggerID           string                        `json:"trigger_id"`
	OperationDefinition karbor.OperationDefinition    `json:"operation_definition"`
	// Overlap is karbor.OverlapSkip if empty. Microversion 1.4.
	Overlap karbor.OverlapPolicy `json:"overlap,omitempty"`
}

// ScheduledOperations are the scheduled operations of the API.
type ScheduledOperations struct{ c *Client }

const scheduledOperationKey = "scheduled_operation"

func scheduledOperationPath(id string) string { return "/scheduled_operations/" + escape(id) }

// List iterates over the scheduled operations. Filters: name (a part of it),
// operation_type, trigger_id, operation_definition, project_id.
func (p *ScheduledOperations) List(ctx context.Context, o ListOptions) iter.Seq2[ScheduledOperation, error] {
	return list[ScheduledOperation](ctx, p.c, call{path: "/scheduled_operations", what: "listing the scheduled operations"}, "operations", o)
}

// Show gets one scheduled operation.
func (p *ScheduledOperations) Show(ctx context.Context, id string) (ScheduledOperation, error) {
	return show[ScheduledOperation](ctx, p.c, call{path: scheduledOperationPath(id),
		what: "getting the scheduled operation " + id}, scheduledOperationKey)
}

// Create makes a scheduled operation. The operation engine runs it whenever its
// trigger fires.
func (p *ScheduledOperations) Create(ctx context.Context, r ScheduledOperationRequest) (ScheduledOperation, error) {
	return create[ScheduledOperation](ctx, p.c, call{path: "/scheduled_operations",
		body: map[string]any{scheduledOperationKey: r}, what: "creating the scheduled operation " + r.Name}, scheduledOperationKey)
}

// Delete deletes a scheduled operation. The checkpoints that it made stay.
func (p *ScheduledOperations) Delete(ctx context.Context, id string) error {
	return p.c.do(ctx, call{method: http.MethodDelete, path: scheduledOperationPath(id),
		what: "deleting the scheduled operation " + id}, nil)
}

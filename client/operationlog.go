package client

import (
	"context"
	"encoding/json"
	"iter"

	"github.com/karbor/karbor"
)

// OperationLog is the record of one operation.
type OperationLog struct {
	ID                   string               `json:"id"`
	OperationType        karbor.OperationType `json:"operation_type"`
	CheckpointID         string               `json:"checkpoint_id"`
	PlanID               string               `json:"plan_id"`
	ProviderID           string               `json:"provider_id"`
	RestoreID            string               `json:"restore_id"`
	ScheduledOperationID string               `json:"scheduled_operation_id"`
	Status               karbor.LogStatus     `json:"status"`
	StartedAt            Timestamp            `json:"started_at"`
	EndedAt              Timestamp            `json:"ended_at"`
	ErrorInfo            string               `json:"error_info"`
	// ExtraInfo is JSON, or JSON in a string, as the service has it.
	ExtraInfo json.RawMessage `json:"extra_info,omitempty"`
}

// OperationLogs are the operation logs of the API.
type OperationLogs struct{ c *Client }

// List iterates over the operation logs. Filters: checkpoint_id, plan_id,
// restore_id, status, project_id.
func (p *OperationLogs) List(ctx context.Context, o ListOptions) iter.Seq2[OperationLog, error] {
	return list[OperationLog](ctx, p.c, call{path: "/operation_logs", what: "listing the operation logs"}, "operation_logs", o)
}

// Show gets one operation log.
func (p *OperationLogs) Show(ctx context.Context, id string) (OperationLog, error) {
	return show[OperationLog](ctx, p.c, call{path: "/operation_logs/" + escape(id),
		what: "getting the operation log " + id}, "operation_log")
}

// Package operationlogs serves the records of operations.
package operationlogs

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/api"
	"github.com/karbor/karbor/internal/store"
)

// Store keeps operation logs; store.Store is one.
type Store interface {
	OperationLog(ctx context.Context, projectID, id string) (karbor.OperationLog, error)
	OperationLogs(ctx context.Context, f store.OperationLogFilter, p store.Page) ([]karbor.OperationLog, error)
}

// Deps are what the room needs.
type Deps struct {
	Store Store
}

// sortKeys are those of a list of operation logs.
var sortKeys = []string{
	"id", "operation_type", "checkpoint_id", "plan_id", "provider_id", "restore_id",
	"scheduled_operation_id", "status", "started_at", "ended_at", "created_at",
}

// Routes gives what the room serves.
func Routes(d Deps) []api.Route {
	return []api.Route{
		{
			Method: "GET", Pattern: "/operation_logs", Rule: "operation_log:get_all", Handle: d.list,
			Summary: "List the records of operations",
			Query: api.PageQuery(sortKeys, api.AllTenantsQuery(), api.ProjectQuery(), api.FilterQuery("checkpoint_id"), api.FilterQuery("plan_id"),
				api.FilterQuery("restore_id"), api.FilterQuery("status")),
			Answer: api.ListShape("operation_logs", view{}),
		},
		{
			Method: "GET", Pattern: "/operation_logs/{id}", Rule: "operation_log:get", Handle: d.show,
			Summary: "Show the record of an operation", Answer: api.Shape{"operation_log": view{}},
		},
	}
}

// view is an operation log on the wire. What an operation does not have is null.
type view struct {
	ID                   string               `json:"id"`
	OperationType        karbor.OperationType `json:"operation_type"`
	CheckpointID         *string              `json:"checkpoint_id"`
	PlanID               *string              `json:"plan_id"`
	ProviderID           *string              `json:"provider_id"`
	RestoreID            *string              `json:"restore_id"`
	ScheduledOperationID *string              `json:"scheduled_operation_id"`
	Status               karbor.LogStatus     `json:"status"`
	StartedAt            *string              `json:"started_at" format:"date-time"`
	EndedAt              *string              `json:"ended_at" format:"date-time"`
	ErrorInfo            *string              `json:"error_info"`
	// ExtraInfo is a text that holds JSON, as in a checkpoint.
	ExtraInfo *string `json:"extra_info" doc:"A text that holds JSON."`
}

func viewOf(l karbor.OperationLog) (view, error) {
	v := view{
		ID: l.ID, OperationType: l.OperationType, CheckpointID: api.Text(l.CheckpointID), PlanID: api.Text(l.PlanID),
		ProviderID: api.Text(l.ProviderID), RestoreID: api.Text(l.RestoreID),
		ScheduledOperationID: api.Text(l.ScheduledOperationID), Status: l.Status,
		StartedAt: api.Time(l.StartedAt), EndedAt: api.Time(l.EndedAt), ErrorInfo: api.Text(l.ErrorInfo),
	}
	if len(l.ExtraInfo) > 0 {
		text, err := json.Marshal(l.ExtraInfo)
		if err != nil {
			return view{}, fmt.Errorf("writing the extra info of operation log %s: %w", l.ID, err)
		}
		v.ExtraInfo = api.Text(string(text))
	}
	return v, nil
}

func (d Deps) list(ctx context.Context, r *api.Request) (any, error) {
	page, err := r.Page(sortKeys...)
	if err != nil {
		return nil, err
	}
	project, err := r.ListProject()
	if err != nil {
		return nil, err
	}
	logs, err := d.Store.OperationLogs(ctx, store.OperationLogFilter{
		ProjectID: project, CheckpointID: r.Filter("checkpoint_id"), PlanID: r.Filter("plan_id"),
		RestoreID: r.Filter("restore_id"), Status: r.Filter("status"),
	}, page)
	if err != nil {
		return nil, err
	}
	views := make([]view, len(logs))
	for i, l := range logs {
		if views[i], err = viewOf(l); err != nil {
			return nil, err
		}
	}
	return api.List(r, "operation_logs", page, views, func(v view) string { return v.ID }), nil
}

func (d Deps) show(ctx context.Context, r *api.Request) (any, error) {
	id, err := r.ID("id")
	if err != nil {
		return nil, err
	}
	l, err := d.Store.OperationLog(ctx, r.ItemProject(), id)
	if err != nil {
		return nil, err
	}
	v, err := viewOf(l)
	return map[string]view{"operation_log": v}, err
}

// Package scheduledoperations serves the scheduled operations of a project. It
// keeps and shows them; the operation engine runs them.
package scheduledoperations

import (
	"context"
	_ "embed"
	"encoding/json"
	"strings"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/api"
	"github.com/karbor/karbor/internal/store"
)

// Store keeps scheduled operations; store.Store is one.
type Store interface {
	CreateScheduledOperation(ctx context.Context, o karbor.ScheduledOperation) error
	ScheduledOperation(ctx context.Context, projectID, id string) (karbor.ScheduledOperation, error)
	ScheduledOperations(ctx context.Context, f store.ScheduledOperationFilter, p store.Page) ([]karbor.ScheduledOperation, error)
	DeleteScheduledOperation(ctx context.Context, projectID, id string) error
}

// Deps are what the room needs.
type Deps struct {
	Store Store
	Now   func() time.Time
}

//go:embed create.json
var createSchema []byte

// sortKeys are those of a list of scheduled operations.
var sortKeys = []string{
	"id", "name", "description", "operation_type", "trigger_id", "project_id", "enabled", "created_at", "updated_at",
}

// Routes gives what the room serves.
func Routes(d Deps) []api.Route {
	const one = "/scheduled_operations/{id}"
	return []api.Route{
		{
			Method: "POST", Pattern: "/scheduled_operations", Rule: "scheduled_operation:create", Body: createSchema, Handle: d.create,
			Summary: "Make a scheduled operation", Description: "Its plan and its trigger must be of the caller's project.", Answer: answer{},
		},
		{
			Method: "GET", Pattern: "/scheduled_operations", Rule: "scheduled_operation:get_all", Handle: d.list,
			Summary: "List the scheduled operations",
			Query: api.PageQuery(sortKeys, api.AllTenantsQuery(), api.ProjectQuery(), api.PartQuery("name"),
				api.FilterQuery("operation_type", string(karbor.ScheduledProtect), string(karbor.ScheduledRetention)), api.FilterQuery("trigger_id"),
				api.Parameter{Name: "operation_definition", Description: "Only items whose definition has these members, as `key=value,key=value` or JSON, or this text."}),
			Answer: api.ListShape("operations", view{}),
		},
		{Method: "GET", Pattern: one, Rule: "scheduled_operation:get", Handle: d.show, Summary: "Show a scheduled operation", Answer: answer{}},
		{
			Method: "DELETE", Pattern: one, Rule: "scheduled_operation:delete", Handle: d.remove,
			Summary: "Delete a scheduled operation", Description: "The checkpoints that it made stay.",
		},
	}
}

// view is a scheduled operation on the wire.
type view struct {
	ID            string                        `json:"id"`
	Name          string                        `json:"name"`
	Description   *string                       `json:"description"`
	OperationType karbor.ScheduledOperationType `json:"operation_type" enum:"protect|retention_protect"`
	TriggerID     string                        `json:"trigger_id"`
	Definition    definition                    `json:"operation_definition"`
	Enabled       bool                          `json:"enabled"`
}

// definition is an operation_definition on the wire: all texts, and without what
// the tenant has left out.
type definition struct {
	PlanID            string `json:"plan_id"`
	ProviderID        string `json:"provider_id"`
	MaxBackups        string `json:"max_backups,omitempty"`
	RetentionDuration string `json:"retention_duration,omitempty" doc:"Days."`
}

type answer struct {
	ScheduledOperation view `json:"scheduled_operation"`
}

func viewOf(o karbor.ScheduledOperation) (view, error) {
	v := view{
		ID: o.ID, Name: o.Name, Description: api.Text(o.Description), OperationType: o.OperationType,
		TriggerID: o.TriggerID, Enabled: o.Enabled,
	}
	// The definition knows its own form on the wire.
	text, err := json.Marshal(o.Definition)
	if err == nil {
		err = json.Unmarshal(text, &v.Definition)
	}
	return v, err
}

func answerOf(o karbor.ScheduledOperation, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	v, err := viewOf(o)
	return answer{v}, err
}

func (d Deps) create(ctx context.Context, r *api.Request) (any, error) {
	var body struct {
		ScheduledOperation struct {
			Name          string                        `json:"name"`
			Description   string                        `json:"description"`
			OperationType karbor.ScheduledOperationType `json:"operation_type"`
			TriggerID     string                        `json:"trigger_id"`
			Definition    json.RawMessage               `json:"operation_definition"`
		} `json:"scheduled_operation"`
	}
	if err := r.Decode(&body); err != nil {
		return nil, err
	}
	asked := body.ScheduledOperation
	if strings.TrimSpace(asked.Name) == "" {
		return nil, karbor.Errorf(karbor.Invalid, "Invalid input for field/attribute scheduled_operation.name. Value: %q. It must have more than spaces.", asked.Name)
	}
	defined, err := parseDefinition(asked.Definition)
	if err != nil {
		return nil, err
	}
	if asked.OperationType == karbor.ScheduledRetention && defined.MaxBackups == 0 && defined.RetentionDuration == 0 {
		return nil, karbor.Errorf(karbor.Invalid, "Invalid input for field/attribute operation_definition: a %s needs max_backups, retention_duration or both.", asked.OperationType)
	}
	now := d.Now()
	o := karbor.ScheduledOperation{
		ID: karbor.NewID(), ProjectID: r.Identity.ProjectID, UserID: r.Identity.UserID, Name: asked.Name,
		Description: asked.Description, OperationType: asked.OperationType, TriggerID: strings.ToLower(asked.TriggerID),
		Definition: defined, Enabled: true, CreatedAt: now, UpdatedAt: now,
	}
	return answerOf(o, d.Store.CreateScheduledOperation(ctx, o))
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
	found, err := d.Store.ScheduledOperations(ctx, store.ScheduledOperationFilter{
		ProjectID: project, Name: r.Filter("name"), OperationType: r.Filter("operation_type"), TriggerID: r.Filter("trigger_id"),
		Definition: api.MemberParts(r.Filter("operation_definition"), definitionNames...),
	}, page)
	if err != nil {
		return nil, err
	}
	views := make([]view, len(found))
	for i, o := range found {
		if views[i], err = viewOf(o); err != nil {
			return nil, err
		}
	}
	return api.List(r, "operations", page, views, func(v view) string { return v.ID }), nil
}

func (d Deps) show(ctx context.Context, r *api.Request) (any, error) {
	id, err := r.ID("id")
	if err != nil {
		return nil, err
	}
	return answerOf(d.Store.ScheduledOperation(ctx, r.ItemProject(), id))
}

func (d Deps) remove(ctx context.Context, r *api.Request) (any, error) {
	id, err := r.ID("id")
	if err != nil {
		return nil, err
	}
	return nil, d.Store.DeleteScheduledOperation(ctx, r.ItemProject(), id)
}

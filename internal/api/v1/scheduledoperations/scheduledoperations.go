// Package scheduledoperations serves the scheduled operations of a project, and the log
// of their runs. It keeps and shows them; the operation engine runs them.
package scheduledoperations

import (
	"cmp"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/api"
	"github.com/karbor/karbor/internal/store"
)

// Store keeps scheduled operations; store.Store is one.
type Store interface {
	CreateSchedule(ctx context.Context, o karbor.ScheduledOperation, overlap karbor.OverlapPolicy, lent *store.Lent) error
	UpdateSchedule(ctx context.Context, projectID, id string, lent *store.Lent, change func(*store.ScheduleChange) error) (karbor.ScheduledOperation, error)
	Schedules(ctx context.Context, ids []string) (map[string]karbor.Schedule, error)
	UnreadableTriggers(ctx context.Context, ids []string) (map[string]bool, error)
	ScheduledRuns(ctx context.Context, scheduledOperationID string) ([]karbor.ScheduledRun, error)
	RunNow(ctx context.Context, projectID, id string) (karbor.ScheduledRun, error)
	SkipNext(ctx context.Context, projectID, id, reason string) (karbor.ScheduledRun, error)
	ScheduledOperation(ctx context.Context, projectID, id string) (karbor.ScheduledOperation, error)
	ScheduledOperations(ctx context.Context, f store.ScheduledOperationFilter, p store.Page) ([]karbor.ScheduledOperation, error)
	DeleteScheduledOperation(ctx context.Context, projectID, id string) error
}

// Delegations takes the rights of callers for their scheduled operations;
// delegation.Registry does.
type Delegations interface {
	Lend(ctx context.Context, from *karbor.Identity, projectID, scheduledOperationID string) (store.Lent, error)
	ReturnLent(ctx context.Context, scheduledOperationID string, sealed []byte) error
}

// Service checks what of a scheduled operation depends on its provider;
// protectionservice.Service is one.
type Service interface {
	CheckSchedule(ctx context.Context, t karbor.ScheduledOperationType, d karbor.OperationDefinition) error
}

// Deps are what the room needs.
type Deps struct {
	Store       Store
	Delegations Delegations
	Service     Service
	// Wake tells the operation engine that something has changed; nil for none here.
	Wake func()
	Now  func() time.Time
}

var (
	//go:embed create.json
	createSchema []byte
	//go:embed update.json
	updateSchema []byte
	//go:embed action.json
	actionSchema []byte
)

// sortKeys are those of a list of scheduled operations.
var sortKeys = []string{
	"id", "name", "description", "operation_type", "trigger_id", "project_id", "enabled", "created_at", "updated_at",
}

// types are those of scheduled operations.
var types = []string{
	string(karbor.ScheduledProtect), string(karbor.ScheduledRetention), string(karbor.ScheduledVerify), string(karbor.ScheduledCopy),
	string(karbor.ScheduledDrill),
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
				api.FilterQuery("operation_type", types...), api.FilterQuery("trigger_id"),
				api.Parameter{Name: "operation_definition", Description: "Only items whose definition has these members, as `key=value,key=value` or JSON, or this text."}),
			Answer: api.ListShape("operations", view{}),
		},
		{Method: "GET", Pattern: one, Rule: "scheduled_operation:get", Handle: d.show, Summary: "Show a scheduled operation", Answer: answer{}},
		{
			Method: "DELETE", Pattern: one, Rule: "scheduled_operation:delete", Handle: d.remove,
			Summary: "Delete a scheduled operation", Description: "The checkpoints that it made stay.",
		},
		{
			Method: "PUT", Pattern: one, Rule: "scheduled_operation:update", Since: api.ControlVersion, Body: updateSchema, Handle: d.update,
			Summary: "Change a scheduled operation",
			Description: "What is not there stays. With another trigger or definition, with `renew`, or if it can't act as its user any more, " +
				"it runs as the caller from then on.",
			Answer: answer{},
		},
		{
			Method: "POST", Pattern: one + "/action", Rule: "scheduled_operation:update", Since: api.ControlVersion, Body: actionSchema, Handle: d.act,
			Summary:     "Pause, resume or run a scheduled operation, or skip its next run",
			Description: "`run` and `skip` answer with the run, `pause` and `resume` with the scheduled operation. `run` is 409 while a run is not over.",
			Answer:      actionAnswer{},
		},
		{
			Method: "GET", Pattern: one + "/runs", Rule: "scheduled_operation:get", Since: api.ControlVersion, Handle: d.runs,
			Summary: "List the runs of a scheduled operation", Description: "The newest first; of those that are over, as many as the operator keeps.",
			Answer: runsAnswer{},
		},
	}
}

func (d Deps) create(ctx context.Context, r *api.Request) (any, error) {
	var body struct {
		ScheduledOperation struct {
			Name          string                        `json:"name"`
			Description   string                        `json:"description"`
			OperationType karbor.ScheduledOperationType `json:"operation_type"`
			TriggerID     string                        `json:"trigger_id"`
			Definition    json.RawMessage               `json:"operation_definition"`
			// These are there from api.ControlVersion on.
			Overlap karbor.OverlapPolicy `json:"overlap"`
			Enabled *bool                `json:"enabled"`
		} `json:"scheduled_operation"`
	}
	if err := r.Decode(&body); err != nil {
		return nil, err
	}
	asked := body.ScheduledOperation
	if strings.TrimSpace(asked.Name) == "" {
		return nil, karbor.Errorf(karbor.Invalid, "Invalid input for field/attribute scheduled_operation.name. Value: %q. It must have more than spaces.", asked.Name)
	}
	if err := checkType(r.Version, asked.OperationType); err != nil {
		return nil, err
	}
	defined, err := definitionFor(r.Version, asked.OperationType, asked.Definition)
	if err != nil {
		return nil, err
	}
	if err := d.Service.CheckSchedule(ctx, asked.OperationType, defined); err != nil {
		return nil, err
	}
	if err := checkSince(r.Version, map[string]bool{"overlap": asked.Overlap != "", "enabled": asked.Enabled != nil}); err != nil {
		return nil, err
	}
	now := d.Now()
	o := karbor.ScheduledOperation{
		ID: karbor.NewID(), ProjectID: r.Identity.ProjectID, UserID: r.Identity.UserID, Name: asked.Name,
		Description: asked.Description, OperationType: asked.OperationType, TriggerID: strings.ToLower(asked.TriggerID),
		Definition: defined, Enabled: asked.Enabled == nil || *asked.Enabled, CreatedAt: now, UpdatedAt: now,
	}
	lent, err := d.Delegations.Lend(ctx, r.Identity, o.ProjectID, o.ID)
	if err != nil {
		return nil, err
	}
	if err := d.Store.CreateSchedule(ctx, o, cmp.Or(asked.Overlap, karbor.OverlapSkip), &lent); err != nil {
		return nil, d.takeBack(ctx, o.ID, &lent, err)
	}
	return d.changed(ctx, r, o)
}

// checkSince refuses members that came with api.ControlVersion where an older version is
// spoken.
func checkSince(v api.Version, given map[string]bool) error {
	for _, member := range slices.Sorted(maps.Keys(given)) {
		if given[member] && v < api.ControlVersion {
			return karbor.Errorf(karbor.Invalid, "Invalid input for field/attribute scheduled_operation.%s. This member is not known in version %s; it came with %s.",
				member, v, api.ControlVersion)
		}
	}
	return nil
}

// takeBack gives a delegation back that nobody will use, and gives the error because of
// which that is so. A delegation that can't be given back now ends with its user's
// other trusts; the tenant is better told why there is no scheduled operation. Where it is
// not known whether the scheduled operation was kept, it may need the delegation.
func (d Deps) takeBack(ctx context.Context, id string, lent *store.Lent, why error) error {
	if lent == nil || errors.Is(why, store.ErrUncertain) {
		return why
	}
	if err := d.Delegations.ReturnLent(context.WithoutCancel(ctx), id, lent.Sealed); err != nil {
		return fmt.Errorf("%w (its delegation can't be given back: %s)", why, karbor.Sentence(err))
	}
	return why
}

// changed wakes the engine, and answers with a scheduled operation.
func (d Deps) changed(ctx context.Context, r *api.Request, o karbor.ScheduledOperation) (any, error) {
	if d.Wake != nil {
		d.Wake()
	}
	views, err := d.views(ctx, r, []karbor.ScheduledOperation{o})
	if err != nil {
		return nil, err
	}
	return answer{views[0]}, nil
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
	views, err := d.views(ctx, r, found)
	if err != nil {
		return nil, err
	}
	return api.List(r, "operations", page, views, func(v view) string { return v.ID }), nil
}

func (d Deps) show(ctx context.Context, r *api.Request) (any, error) {
	id, err := r.ID("id")
	if err != nil {
		return nil, err
	}
	o, err := d.Store.ScheduledOperation(ctx, r.ItemProject(), id)
	if err != nil {
		return nil, err
	}
	views, err := d.views(ctx, r, []karbor.ScheduledOperation{o})
	if err != nil {
		return nil, err
	}
	return answer{views[0]}, nil
}

func (d Deps) remove(ctx context.Context, r *api.Request) (any, error) {
	id, err := r.ID("id")
	if err != nil {
		return nil, err
	}
	if err := d.Store.DeleteScheduledOperation(ctx, r.ItemProject(), id); err != nil {
		return nil, err
	}
	if d.Wake != nil {
		d.Wake()
	}
	return nil, nil
}

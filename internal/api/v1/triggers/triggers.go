// Package triggers serves the triggers of a project: when its scheduled operations
// run.
package triggers

import (
	"context"
	_ "embed"
	"encoding/json"
	"strings"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/api"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/internal/trigger"
)

// Store keeps triggers; store.Store is one.
type Store interface {
	CreateTrigger(ctx context.Context, t karbor.Trigger) error
	Trigger(ctx context.Context, projectID, id string) (karbor.Trigger, error)
	Triggers(ctx context.Context, f store.TriggerFilter, p store.Page) ([]karbor.Trigger, error)
	UpdateTrigger(ctx context.Context, projectID, id, by string, change func(*karbor.Trigger) error) (karbor.Trigger, error)
	DeleteTrigger(ctx context.Context, projectID, id string) error
}

// Deps are what the room needs.
type Deps struct {
	Store Store
	// Limits bound what a trigger may ask for.
	Limits trigger.Limits
	// Wake tells the operation engine that something has changed; nil for none here.
	Wake func()
	Now  func() time.Time
}

var (
	//go:embed create.json
	createSchema []byte
	//go:embed update.json
	updateSchema []byte
	//go:embed check.json
	checkSchema []byte
)

// sortKeys are those of a list of triggers.
var sortKeys = []string{"id", "name", "type", "project_id", "created_at", "updated_at"}

// propertyNames are the members of properties.
var propertyNames = []string{"format", "pattern", "start_time", "end_time", "window", "timezone", "jitter"}

// Routes gives what the room serves.
func Routes(d Deps) []api.Route {
	const one = "/triggers/{id}"
	return []api.Route{
		{
			Method: "POST", Pattern: "/triggers", Rule: "trigger:create", Body: createSchema, Handle: d.create,
			Summary: "Make a trigger", Description: "A pattern that gives no run, or runs too close to each other, is 400.", Answer: answer{},
		},
		{
			Method: "GET", Pattern: "/triggers", Rule: "trigger:get_all", Handle: d.list,
			Summary: "List the triggers",
			Query: api.PageQuery(sortKeys, api.AllTenantsQuery(), api.ProjectQuery(), api.PartQuery("name"),
				api.FilterQuery("type", string(karbor.TimeTrigger)),
				api.Parameter{Name: "properties", Description: "Only items that have these properties, as `key=value,key=value` or JSON, or this text in them."}),
			Answer: api.ListShape("triggers", view{}),
		},
		{
			Method: "GET", Pattern: one, Rule: "trigger:get", Handle: d.show, Summary: "Show a trigger", Answer: answer{},
			Query: []api.Parameter{{Name: "next", Description: "From 1.4: how many of the next times to give, at most 100."}},
		},
		{
			Method: "POST", Pattern: "/triggers/check", Rule: "trigger:check", Since: api.ControlVersion, Body: checkSchema, Handle: d.check,
			Summary: "See when a trigger would fire, without making it", Description: "What a creation would refuse is 400 here, too.", Answer: checkAnswer{},
		},
		{
			Method: "PUT", Pattern: one, Rule: "trigger:update", Body: updateSchema, Handle: d.update,
			Summary: "Change a trigger", Description: "Properties are replaced as a whole; empty ones stay.", Answer: answer{},
		},
		{
			Method: "DELETE", Pattern: one, Rule: "trigger:delete", Handle: d.remove,
			Summary: "Delete a trigger", Description: "One that a scheduled operation uses is 424.",
		},
	}
}

// view is a trigger on the wire.
type view struct {
	ID         string             `json:"id"`
	Name       string             `json:"name"`
	Type       karbor.TriggerType `json:"type" enum:"time"`
	Properties properties         `json:"properties"`
	Fault      *string            `json:"fault,omitempty" doc:"From 1.6, only of one that does not fire, as its properties can't be read: why that is so, and what helps."`
	NextRuns   *[]string          `json:"next_runs,omitempty" doc:"From 1.4, in a show, if next asks for them: the next times, ISO 8601, UTC."`
}

// properties are those of a trigger on the wire. What the tenant has left out is
// left out.
type properties struct {
	Format    karbor.TriggerFormat `json:"format,omitempty" enum:"crontab|calendar" doc:"Missing only of properties that can't be read."`
	Pattern   string               `json:"pattern" doc:"As it was sent."`
	StartTime string               `json:"start_time" doc:"YYYY-MM-DD HH:MM:SS, UTC."`
	EndTime   string               `json:"end_time,omitempty" doc:"YYYY-MM-DD HH:MM:SS, UTC."`
	Window    string               `json:"window,omitempty" doc:"Seconds."`
	Timezone  string               `json:"timezone,omitempty" doc:"From 1.4: the zone of whose clock the pattern speaks."`
	Jitter    string               `json:"jitter,omitempty" doc:"From 1.4: seconds over which the runs are spread."`
}

type answer struct {
	TriggerInfo view `json:"trigger_info"`
}

func viewOf(t karbor.Trigger, version api.Version) (view, error) {
	v := view{ID: t.ID, Name: t.Name, Type: t.Type}
	// The properties know their own form on the wire.
	text, err := json.Marshal(t.Properties)
	if err == nil {
		err = json.Unmarshal(text, &v.Properties)
	}
	if version < api.ControlVersion {
		v.Properties.Timezone, v.Properties.Jitter = "", ""
	}
	if t.Fault != "" && version >= api.InsightVersion {
		v.Fault = api.Text("Its properties can't be read, and it does not fire. Replace them, or delete it.")
	}
	return v, err
}

func answerOf(r *api.Request, t karbor.Trigger, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	v, err := viewOf(t, r.Version)
	return answer{v}, err
}

func (d Deps) create(ctx context.Context, r *api.Request) (any, error) {
	var body struct {
		TriggerInfo struct {
			Name       string             `json:"name"`
			Type       karbor.TriggerType `json:"type"`
			Properties json.RawMessage    `json:"properties"`
		} `json:"trigger_info"`
	}
	if err := r.Decode(&body); err != nil {
		return nil, err
	}
	if err := checkName(body.TriggerInfo.Name); err != nil {
		return nil, err
	}
	now := d.Now()
	p, err := d.properties(body.TriggerInfo.Properties, now, r.Version)
	if err != nil {
		return nil, err
	}
	t := karbor.Trigger{
		ID: karbor.NewID(), ProjectID: r.Identity.ProjectID, Name: body.TriggerInfo.Name, Type: body.TriggerInfo.Type,
		Properties: p, CreatedAt: now, UpdatedAt: now,
	}
	return answerOf(r, t, d.Store.CreateTrigger(ctx, t))
}

// properties reads and checks what a tenant has sent. A start time that is not
// there is now.
func (d Deps) properties(text json.RawMessage, now time.Time, version api.Version) (karbor.TriggerProperties, error) {
	var p karbor.TriggerProperties
	if err := json.Unmarshal(text, &p); err != nil {
		return p, err
	}
	var later struct {
		Timezone json.RawMessage `json:"timezone"`
		Jitter   json.RawMessage `json:"jitter"`
	}
	if err := json.Unmarshal(text, &later); err != nil {
		return p, err
	}
	if version < api.ControlVersion && (later.Timezone != nil || later.Jitter != nil) {
		return p, karbor.Errorf(karbor.Invalid, "Invalid input for field/attribute properties. timezone and jitter came with version %s of the API, and this is %s.",
			api.ControlVersion, version)
	}
	if p.StartTime.IsZero() {
		p.StartTime = now.UTC().Truncate(time.Second)
	}
	_, err := trigger.Check(p, d.Limits, now)
	return p, err
}

// checkName refuses a name of nothing but space.
func checkName(name string) error {
	if strings.TrimSpace(name) == "" {
		return karbor.Errorf(karbor.Invalid, "Invalid input for field/attribute trigger_info.name. Value: %q. It must have more than spaces.", name)
	}
	return nil
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
	found, err := d.Store.Triggers(ctx, store.TriggerFilter{
		ProjectID: project, Name: r.Filter("name"), Type: r.Filter("type"),
		Properties: api.MemberParts(r.Filter("properties"), propertyNames...),
	}, page)
	if err != nil {
		return nil, err
	}
	views := make([]view, len(found))
	for i, t := range found {
		if views[i], err = viewOf(t, r.Version); err != nil {
			return nil, err
		}
	}
	return api.List(r, "triggers", page, views, func(v view) string { return v.ID }), nil
}

func (d Deps) show(ctx context.Context, r *api.Request) (any, error) {
	id, err := r.ID("id")
	if err != nil {
		return nil, err
	}
	t, err := d.Store.Trigger(ctx, r.ItemProject(), id)
	if err != nil {
		return nil, err
	}
	v, err := viewOf(t, r.Version)
	if n := r.Filter("next"); err == nil && n != "" && r.Version >= api.ControlVersion && t.Fault == "" {
		v.NextRuns, err = d.nextRuns(t.Properties, n)
	}
	return answer{v}, err
}

func (d Deps) update(ctx context.Context, r *api.Request) (any, error) {
	id, err := r.ID("id")
	if err != nil {
		return nil, err
	}
	var body struct {
		TriggerInfo struct {
			Name       *string                    `json:"name"`
			Properties map[string]json.RawMessage `json:"properties"`
		} `json:"trigger_info"`
	}
	if err := r.Decode(&body); err != nil {
		return nil, err
	}
	change := body.TriggerInfo
	if change.Name != nil {
		if err := checkName(*change.Name); err != nil {
			return nil, err
		}
	}
	var p karbor.TriggerProperties
	if len(change.Properties) > 0 {
		if p, err = d.replacement(change.Properties, r.Version); err != nil {
			return nil, err
		}
	}
	t, err := d.Store.UpdateTrigger(ctx, r.ItemProject(), id, r.Identity.UserID, func(t *karbor.Trigger) error {
		if change.Name != nil {
			t.Name = *change.Name
		}
		if len(change.Properties) == 0 {
			return nil
		}
		before := t.Properties
		t.Properties = p
		if r.Version < api.ControlVersion {
			return d.keepLater(before, &t.Properties)
		}
		return nil
	})
	if err == nil && d.Wake != nil {
		d.Wake()
	}
	return answerOf(r, t, err)
}

// replacement reads the properties of a PUT, which stand for all of them. (The
// original's client sends an empty object where it means none.)
func (d Deps) replacement(members map[string]json.RawMessage, version api.Version) (karbor.TriggerProperties, error) {
	for _, name := range []string{"format", "pattern"} {
		if members[name] == nil {
			return karbor.TriggerProperties{}, karbor.Errorf(karbor.Invalid,
				"Invalid input for field/attribute trigger_info.properties.%s. It is required, as properties are replaced as a whole.", name)
		}
	}
	text, err := json.Marshal(members)
	if err != nil {
		return karbor.TriggerProperties{}, err
	}
	return d.properties(text, d.Now(), version)
}

// keepLater leaves a trigger the properties that the caller's version does not have: it
// neither sees them nor means to change them. A window that has become shorter cuts the
// jitter, of which the caller knows nothing.
func (d Deps) keepLater(before karbor.TriggerProperties, p *karbor.TriggerProperties) error {
	if before.Timezone == "" && before.Jitter == 0 {
		return nil
	}
	p.Timezone, p.Jitter = before.Timezone, min(before.Jitter, d.Limits.Window(*p))
	_, err := trigger.Check(*p, d.Limits, d.Now())
	return err
}

func (d Deps) remove(ctx context.Context, r *api.Request) (any, error) {
	id, err := r.ID("id")
	if err != nil {
		return nil, err
	}
	return nil, d.Store.DeleteTrigger(ctx, r.ItemProject(), id)
}

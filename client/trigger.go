package client

import (
	"context"
	"iter"
	"net/http"

	"github.com/karbor/karbor"
)

// Trigger is a trigger as the API shows it.
type Trigger struct {
	ID         string                   `json:"id"`
	Name       string                   `json:"name"`
	Type       karbor.TriggerType       `json:"type"`
	Properties karbor.TriggerProperties `json:"properties"`
	// NextRuns are the next times, where they were asked for. Microversion 1.4.
	NextRuns []Timestamp `json:"next_runs,omitempty"`
	// Fault is why it does not fire, if its properties can't be read. Microversion 1.6.
	Fault string `json:"fault,omitempty"`
}

// TriggerRequest is a new trigger. Name and, of Properties, Format and Pattern are
// required. Without a start time it starts now.
type TriggerRequest struct {
	Name string `json:"name"`
	// Type is karbor.TimeTrigger if empty.
	Type       karbor.TriggerType       `json:"type"`
	Properties karbor.TriggerProperties `json:"properties"`
}

// TriggerChange is a change of a trigger; what is nil stays. Properties are
// replaced as a whole.
type TriggerChange struct {
	Name       *string                   `json:"name,omitempty"`
	Properties *karbor.TriggerProperties `json:"properties,omitempty"`
}

// Triggers are the triggers of the API.
type Triggers struct{ c *Client }

const triggerKey = "trigger_info"

func triggerPath(id string) string { return "/triggers/" + escape(id) }

// List iterates over the triggers. Filters: name (a part of it), type, properties,
// project_id.
func (p *Triggers) List(ctx context.Context, o ListOptions) iter.Seq2[Trigger, error] {
	return list[Trigger](ctx, p.c, call{path: "/triggers", what: "listing the triggers"}, "triggers", o)
}

// Show gets one trigger.
func (p *Triggers) Show(ctx context.Context, id string) (Trigger, error) {
	return show[Trigger](ctx, p.c, call{path: triggerPath(id), what: "getting the trigger " + id}, triggerKey)
}

// Create makes a trigger.
func (p *Triggers) Create(ctx context.Context, r TriggerRequest) (Trigger, error) {
	if r.Type == "" {
		r.Type = karbor.TimeTrigger
	}
	return create[Trigger](ctx, p.c, call{path: "/triggers",
		body: map[string]any{triggerKey: r}, what: "creating the trigger " + r.Name}, triggerKey)
}

// Update changes a trigger.
func (p *Triggers) Update(ctx context.Context, id string, change TriggerChange) (Trigger, error) {
	return one[Trigger](ctx, p.c, call{method: http.MethodPut, path: triggerPath(id),
		body: map[string]any{triggerKey: change}, what: "updating the trigger " + id}, triggerKey)
}

// Delete deletes a trigger. One that a scheduled operation uses is
// karbor.FailedDependency.
func (p *Triggers) Delete(ctx context.Context, id string) error {
	return p.c.do(ctx, call{method: http.MethodDelete, path: triggerPath(id), what: "deleting the trigger " + id}, nil)
}

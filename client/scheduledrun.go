package client

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/karbor/karbor"
)

// ScheduledOperationChange is a change of a scheduled operation; what is nil or empty
// stays.
type ScheduledOperationChange struct {
	Name                *string                     `json:"name,omitempty"`
	Description         *string                     `json:"description,omitempty"`
	TriggerID           *string                     `json:"trigger_id,omitempty"`
	OperationDefinition *karbor.OperationDefinition `json:"operation_definition,omitempty"`
	Enabled             *bool                       `json:"enabled,omitempty"`
	Overlap             karbor.OverlapPolicy        `json:"overlap,omitempty"`
	// Renew has it run as the caller from now on.
	Renew bool `json:"renew,omitempty"`
}

// ScheduledRun is a run of a scheduled operation. The operation log that belongs to it
// has the same id.
type ScheduledRun struct {
	ID string `json:"id"`
	// ExpectedAt is the time of the trigger, or that of the request of a Manual run.
	ExpectedAt   Timestamp       `json:"expected_at"`
	Manual       bool            `json:"manual"`
	State        karbor.RunState `json:"state"`
	TriggeredAt  Timestamp       `json:"triggered_at"`
	StartedAt    Timestamp       `json:"started_at"`
	EndedAt      Timestamp       `json:"ended_at"`
	CheckpointID string          `json:"checkpoint_id"`
	Reason       string          `json:"reason"`
	// Operations are its operations, in their order: several of a run that verifies
	// several checkpoints. Microversion 1.5.
	Operations []RunOperation `json:"operations"`
}

// RunOperation is one operation of a run.
type RunOperation struct {
	// ID is that of the operation, and so of its verification or copy; "" before it has
	// begun.
	ID           string          `json:"id"`
	CheckpointID string          `json:"checkpoint_id"`
	State        karbor.RunState `json:"state"`
	Reason       string          `json:"reason"`
}

// Update changes a scheduled operation. With another trigger or definition it runs as
// the caller from then on. Microversion 1.4.
func (p *ScheduledOperations) Update(ctx context.Context, id string, change ScheduledOperationChange) (ScheduledOperation, error) {
	return one[ScheduledOperation](ctx, p.c, call{method: http.MethodPut, path: scheduledOperationPath(id),
		body: map[string]any{scheduledOperationKey: change}, what: "updating the scheduled operation " + id}, scheduledOperationKey)
}

// act does an action on a scheduled operation, and gives the member key of the answer.
func act[T any](ctx context.Context, p *ScheduledOperations, id, action string, body any, what, key string) (T, error) {
	return one[T](ctx, p.c, call{method: http.MethodPost, path: scheduledOperationPath(id) + "/action",
		body: map[string]any{action: body}, what: what + " the scheduled operation " + id}, key)
}

// Pause has a scheduled operation not run until a time. Microversion 1.4, as all below.
func (p *ScheduledOperations) Pause(ctx context.Context, id string, until time.Time) (ScheduledOperation, error) {
	body := map[string]any{"until": until.UTC().Format(time.RFC3339)}
	return act[ScheduledOperation](ctx, p, id, "pause", body, "pausing", scheduledOperationKey)
}

// Resume ends a pause.
func (p *ScheduledOperations) Resume(ctx context.Context, id string) (ScheduledOperation, error) {
	return act[ScheduledOperation](ctx, p, id, "resume", nil, "resuming", scheduledOperationKey)
}

// RunNow has a scheduled operation run at once. While a run is not over, the error is
// karbor.Conflict.
func (p *ScheduledOperations) RunNow(ctx context.Context, id string) (ScheduledRun, error) {
	return act[ScheduledRun](ctx, p, id, "run", nil, "running", "run")
}

// SkipNext leaves the next run of a scheduled operation out, and gives it.
func (p *ScheduledOperations) SkipNext(ctx context.Context, id string) (ScheduledRun, error) {
	return act[ScheduledRun](ctx, p, id, "skip", nil, "skipping the next run of", "run")
}

// Runs gives the runs of a scheduled operation, the newest first.
func (p *ScheduledOperations) Runs(ctx context.Context, id string) ([]ScheduledRun, error) {
	return show[[]ScheduledRun](ctx, p.c, call{path: scheduledOperationPath(id) + "/runs",
		what: "listing the runs of the scheduled operation " + id}, "runs")
}

// Next gets a trigger with its next n times.
func (p *Triggers) Next(ctx context.Context, id string, n int) (Trigger, error) {
	return show[Trigger](ctx, p.c, call{path: triggerPath(id) + "?next=" + strconv.Itoa(n), what: "getting the trigger " + id}, triggerKey)
}

// Check gives the next n times of a trigger that is not made.
func (p *Triggers) Check(ctx context.Context, properties karbor.TriggerProperties, n int) ([]Timestamp, error) {
	body := map[string]any{triggerKey: map[string]any{"properties": properties}, "next": n}
	return one[[]Timestamp](ctx, p.c, call{method: http.MethodPost, path: "/triggers/check", body: body, what: "checking a trigger"}, "next_runs")
}

package scheduledoperations

import (
	"cmp"
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/api"
	"github.com/karbor/karbor/internal/store"
)

// change is what a PUT asks for; what is nil stays.
type change struct {
	Name        *string              `json:"name"`
	Description *string              `json:"description"`
	TriggerID   *string              `json:"trigger_id"`
	Enabled     *bool                `json:"enabled"`
	Overlap     karbor.OverlapPolicy `json:"overlap"`
	Renew       bool                 `json:"renew"`
	Definition  json.RawMessage      `json:"operation_definition"`
}

func (d Deps) update(ctx context.Context, r *api.Request) (any, error) {
	id, err := r.ID("id")
	if err != nil {
		return nil, err
	}
	var body struct {
		ScheduledOperation json.RawMessage `json:"scheduled_operation"`
	}
	if err := r.Decode(&body); err != nil {
		return nil, err
	}
	var c change
	// An absent description and one that is null differ.
	var given map[string]json.RawMessage
	if json.Unmarshal(body.ScheduledOperation, &c) != nil || json.Unmarshal(body.ScheduledOperation, &given) != nil {
		return nil, karbor.Errorf(karbor.Invalid, "The body can't be understood: a value in it does not fit.")
	}
	if given["description"] != nil && c.Description == nil {
		c.Description = new(string)
	}
	if c.Name != nil && strings.TrimSpace(*c.Name) == "" {
		return nil, karbor.Errorf(karbor.Invalid, "Invalid input for field/attribute scheduled_operation.name. Value: %q. It must have more than spaces.", *c.Name)
	}
	o, err := d.Store.ScheduledOperation(ctx, r.ItemProject(), id)
	if err != nil {
		return nil, err
	}
	defined := o.Definition
	if c.Definition != nil {
		if defined, err = definitionFor(r.Version, o.OperationType, c.Definition); err != nil {
			return nil, err
		}
		if err := d.Service.CheckSchedule(ctx, o.OperationType, defined); err != nil {
			return nil, err
		}
	}
	lent, err := d.relend(ctx, r, o, c)
	if err != nil {
		return nil, err
	}
	o, err = d.Store.UpdateSchedule(ctx, r.ItemProject(), id, lent, func(s *store.ScheduleChange) error {
		c.apply(s)
		if c.Definition != nil {
			s.Definition, s.Fault = defined, ""
		}
		if lent != nil {
			s.UserID = r.Identity.UserID
		}
		return nil
	})
	if err != nil {
		return nil, d.takeBack(ctx, id, lent, err)
	}
	return d.changed(ctx, r, o)
}

// apply makes the changes that need no check.
func (c change) apply(s *store.ScheduleChange) {
	if c.Name != nil {
		s.Name = *c.Name
	}
	if c.Description != nil {
		s.Description = *c.Description
	}
	if c.TriggerID != nil {
		s.TriggerID = strings.ToLower(*c.TriggerID)
	}
	if c.Enabled != nil {
		s.Enabled = *c.Enabled
	}
	s.Overlap = cmp.Or(c.Overlap, s.Overlap)
}

// relend gets a delegation from the caller where the scheduled operation is to run as
// them: nobody may have others' rights do what those have not asked for.
func (d Deps) relend(ctx context.Context, r *api.Request, o karbor.ScheduledOperation, c change) (*store.Lent, error) {
	schedules, err := d.Store.Schedules(ctx, []string{o.ID})
	if err != nil {
		return nil, err
	}
	ours := o.ProjectID == r.Identity.ProjectID
	works := schedules[o.ID].DelegationState == karbor.DelegationGood
	if c.TriggerID == nil && c.Definition == nil && !c.Renew && (works || !ours) {
		return nil, nil
	}
	lent, err := d.Delegations.Lend(ctx, r.Identity, o.ProjectID, o.ID)
	if err != nil {
		return nil, err
	}
	return &lent, nil
}

// actionAnswer is that of an action: one of both is there.
type actionAnswer struct {
	ScheduledOperation *view    `json:"scheduled_operation,omitempty"`
	Run                *runView `json:"run,omitempty"`
}

func (d Deps) act(ctx context.Context, r *api.Request) (any, error) {
	id, err := r.ID("id")
	if err != nil {
		return nil, err
	}
	var body map[string]struct {
		Until time.Time `json:"until"`
	}
	if err := r.Decode(&body); err != nil {
		return nil, err
	}
	for action, asked := range body {
		switch action {
		case "run":
			run, err := d.Store.RunNow(ctx, r.ItemProject(), id)
			return d.ran(r, run, err)
		case "skip":
			run, err := d.Store.SkipNext(ctx, r.ItemProject(), id, "it was skipped by "+cmp.Or(r.Identity.UserName, r.Identity.UserID))
			return d.ran(r, run, err)
		case "pause":
			if !asked.Until.After(d.Now()) {
				return nil, karbor.Errorf(karbor.Invalid, "Invalid input for field/attribute pause.until. It is not in the future.")
			}
			return d.pause(ctx, r, id, asked.Until.UTC().Truncate(time.Second))
		}
	}
	return d.pause(ctx, r, id, time.Time{})
}

// ran answers with a run.
func (d Deps) ran(r *api.Request, run karbor.ScheduledRun, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	if d.Wake != nil {
		d.Wake()
	}
	v := runViewOf(r.Version, run)
	return actionAnswer{Run: &v}, nil
}

// pause has a scheduled operation not run until a time; the zero time resumes it.
func (d Deps) pause(ctx context.Context, r *api.Request, id string, until time.Time) (any, error) {
	o, err := d.Store.UpdateSchedule(ctx, r.ItemProject(), id, nil, func(s *store.ScheduleChange) error {
		s.PausedUntil = until
		return nil
	})
	if err != nil {
		return nil, err
	}
	return d.changed(ctx, r, o)
}

// runView is a run on the wire.
type runView struct {
	ID           string          `json:"id" doc:"The operation that it started, the first of several, and its log have the same."`
	ExpectedAt   *string         `json:"expected_at" doc:"The time of the trigger, or that of the request." format:"date-time"`
	Manual       bool            `json:"manual" doc:"Whether somebody asked for it."`
	State        karbor.RunState `json:"state" enum:"queued|running|success|error|skipped|dropped_out_of_window"`
	TriggeredAt  *string         `json:"triggered_at" format:"date-time"`
	StartedAt    *string         `json:"started_at" format:"date-time"`
	EndedAt      *string         `json:"ended_at" format:"date-time"`
	CheckpointID *string         `json:"checkpoint_id"`
	Reason       *string         `json:"reason" doc:"Why it waits, was left out or failed, or what else it did."`
	// Operations are there from api.ProofVersion on.
	Operations *[]runOperation `json:"operations,omitempty" doc:"From 1.5: its operations, in their order. A verification and a copy have the id of their operation."`
}

// runOperation is an operation of a run on the wire.
type runOperation struct {
	ID           *string         `json:"id" doc:"Null before it has begun."`
	CheckpointID *string         `json:"checkpoint_id"`
	State        karbor.RunState `json:"state" enum:"queued|running|success|error|skipped"`
	Reason       *string         `json:"reason"`
}

// operationsOf gives the operations of a run.
func operationsOf(r karbor.ScheduledRun) *[]runOperation {
	out := []runOperation{}
	for _, o := range r.Operations {
		out = append(out, runOperation{ID: api.Text(o.OperationID), CheckpointID: api.Text(o.CheckpointID), State: o.State, Reason: api.Text(o.Reason)})
	}
	if len(out) == 0 && !r.StartedAt.IsZero() {
		out = append(out, runOperation{ID: &r.ID, CheckpointID: api.Text(r.CheckpointID), State: r.State, Reason: api.Text(r.Reason)})
	}
	return &out
}

func runViewOf(v api.Version, r karbor.ScheduledRun) runView {
	out := runView{
		ID: r.ID, ExpectedAt: api.Time(r.ExpectedAt), Manual: r.Manual, State: r.State, TriggeredAt: api.Time(r.TriggeredAt),
		StartedAt: api.Time(r.StartedAt), EndedAt: api.Time(r.EndedAt), CheckpointID: api.Text(r.CheckpointID), Reason: api.Text(r.Reason),
	}
	if v >= api.ProofVersion {
		out.Operations = operationsOf(r)
	}
	return out
}

type runsAnswer struct {
	Runs []runView `json:"runs"`
}

func (d Deps) runs(ctx context.Context, r *api.Request) (any, error) {
	id, err := r.ID("id")
	if err != nil {
		return nil, err
	}
	if _, err := d.Store.ScheduledOperation(ctx, r.ItemProject(), id); err != nil {
		return nil, err
	}
	found, err := d.Store.ScheduledRuns(ctx, id)
	if err != nil {
		return nil, err
	}
	out := runsAnswer{Runs: make([]runView, len(found))}
	for i, run := range found {
		out.Runs[i] = runViewOf(r.Version, run)
	}
	return out, nil
}

package scheduledoperations

import (
	"context"
	"encoding/json"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/api"
)

// view is a scheduled operation on the wire.
type view struct {
	ID            string                        `json:"id"`
	Name          string                        `json:"name"`
	Description   *string                       `json:"description"`
	OperationType karbor.ScheduledOperationType `json:"operation_type" enum:"protect|retention_protect|verify|copy|drill" doc:"verify, copy and drill from 1.5."`
	TriggerID     string                        `json:"trigger_id"`
	Definition    definition                    `json:"operation_definition"`
	Enabled       bool                          `json:"enabled"`
	schedule
}

// schedule is what a scheduled operation has from api.ControlVersion on.
type schedule struct {
	UserID      *string               `json:"user_id,omitempty" doc:"From 1.4: the user as whom it runs."`
	Overlap     *karbor.OverlapPolicy `json:"overlap,omitempty" doc:"From 1.4: what becomes of a run while an earlier one goes on." enum:"skip|queue"`
	State       *state                `json:"state,omitempty" doc:"From 1.4." enum:"waiting|finished|disabled|paused|missed|broken"`
	Reason      *string               `json:"state_reason,omitempty" doc:"From 1.4, if something is in its way: what that is."`
	NextRunAt   *string               `json:"next_run_at,omitempty" doc:"From 1.4: the next time of its trigger, if there is one." format:"date-time"`
	PausedUntil *string               `json:"paused_until,omitempty" doc:"From 1.4, if it is paused." format:"date-time"`
	Delegation  *delegation           `json:"delegation,omitempty" doc:"From 1.4: how it can act as its user."`
	CreatedAt   *string               `json:"created_at,omitempty" doc:"From 1.4." format:"date-time"`
	UpdatedAt   *string               `json:"updated_at,omitempty" doc:"From 1.4." format:"date-time"`
}

// delegation tells how a scheduled operation can act as its user.
type delegation struct {
	Type      *string                `json:"type" enum:"trust|application_credential"`
	State     karbor.DelegationState `json:"state" enum:"good|broken|missing"`
	Reason    *string                `json:"reason"`
	ExpiresAt *string                `json:"expires_at" doc:"Null for one that does not end by itself." format:"date-time"`
	CheckedAt *string                `json:"checked_at" doc:"When it was last tried." format:"date-time"`
}

// state is that of a scheduled operation.
type state string

// The states, of which the first that fits is shown.
const (
	stateDisabled state = "disabled"
	stateBroken   state = "broken"
	stateMissed   state = "missed"
	statePaused   state = "paused"
	stateWaiting  state = "waiting"
	stateFinished state = "finished"
)

// grace is how late an operation engine may be before a run counts as missed.
const grace = time.Minute

// stateOf gives the state of a scheduled operation, and what is in its way; timeless says
// that its trigger can't be read.
func stateOf(o karbor.ScheduledOperation, s karbor.Schedule, timeless bool, now time.Time) (state, string) {
	switch {
	case o.Fault != "":
		return stateBroken, "Its operation_definition can't be read. Update it with another one, or delete it."
	case !o.Enabled:
		return stateDisabled, ""
	case timeless:
		return stateBroken, "Its trigger can't be read. Replace the trigger's properties."
	case s.DelegationState == karbor.DelegationMissing:
		return stateBroken, "It can't act as its user, as it is older than the operation engine. Update it, so that it may."
	case s.DelegationState == karbor.DelegationBroken:
		return stateBroken, s.DelegationReason
	case !s.DueAt.IsZero() && now.Sub(s.DueAt) > grace:
		return stateMissed, "Nothing has run it at its time: no operation engine is at work."
	case now.Before(s.PausedUntil):
		return statePaused, ""
	case s.NextAt.IsZero():
		return stateFinished, ""
	}
	return stateWaiting, ""
}

// views gives scheduled operations on the wire.
func (d Deps) views(ctx context.Context, r *api.Request, found []karbor.ScheduledOperation) ([]view, error) {
	views := make([]view, len(found))
	ids := make([]string, len(found))
	for i, o := range found {
		var err error
		if views[i], err = viewOf(o); err != nil {
			return nil, err
		}
		ids[i] = o.ID
	}
	if r.Version < api.ProofVersion {
		for i := range views {
			views[i].Definition.proofView = proofView{}
		}
	}
	if r.Version < api.ControlVersion {
		for i := range views {
			views[i].Definition.keepView = keepView{}
		}
		return views, nil
	}
	schedules, err := d.Store.Schedules(ctx, ids)
	if err != nil {
		return nil, err
	}
	timeless, err := d.timeless(ctx, found, schedules)
	if err != nil {
		return nil, err
	}
	for i, o := range found {
		s := schedules[o.ID]
		state, reason := stateOf(o, s, timeless[o.TriggerID], d.Now())
		views[i].schedule = schedule{
			UserID: &o.UserID, Overlap: &s.Overlap, State: &state, Reason: api.Text(reason), NextRunAt: api.Time(s.NextAt),
			PausedUntil: api.Time(s.PausedUntil), CreatedAt: api.Time(o.CreatedAt), UpdatedAt: api.Time(o.UpdatedAt),
			Delegation: &delegation{
				Type: api.Text(s.DelegationKind), State: s.DelegationState, Reason: api.Text(s.DelegationReason),
				ExpiresAt: api.Time(s.DelegationEnd), CheckedAt: api.Time(s.ProbedAt),
			},
		}
	}
	return views, nil
}

// timeless gives which triggers can't be read, of those that have no time to come.
func (d Deps) timeless(ctx context.Context, found []karbor.ScheduledOperation, schedules map[string]karbor.Schedule) (map[string]bool, error) {
	var ids []string
	for _, o := range found {
		if schedules[o.ID].NextAt.IsZero() {
			ids = append(ids, o.TriggerID)
		}
	}
	return d.Store.UnreadableTriggers(ctx, ids)
}

// definition is an operation_definition on the wire: all texts, and without what
// the tenant has left out.
type definition struct {
	PlanID            string `json:"plan_id,omitempty" doc:"Missing of a verify or a drill of all checkpoints that the project has at the provider."`
	ProviderID        string `json:"provider_id"`
	MaxBackups        string `json:"max_backups,omitempty"`
	RetentionDuration string `json:"retention_duration,omitempty" doc:"Days."`
	keepView
	proofView
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

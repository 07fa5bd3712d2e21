package local

import (
	"time"

	"github.com/karbor/karbor/internal/workflow"
)

// failure says why the operation does not succeed, or nil.
func (o *operation) failure() *workflow.Failure {
	if !o.record.Cancelled && len(o.failed) == 0 {
		return nil
	}
	f := &workflow.Failure{}
	if o.record.Cancelled {
		f.Cancelled = o.record.Requested
	}
	for _, i := range o.failed {
		f.Steps = append(f.Steps, workflow.StepError{Step: o.steps[i].ID, Sentence: o.steps[i].Error})
	}
	return f
}

// describe says how far the operation is.
func (o *operation) describe() workflow.Description {
	d := workflow.Description{
		ID: o.record.ID, State: o.record.State, StartedAt: o.record.StartedAt, EndedAt: o.record.EndedAt,
		Steps: make([]workflow.StepDescription, len(o.steps)),
	}
	if o.lingering {
		d.State, d.EndedAt = workflow.Running, time.Time{}
	}
	if o.record.Cancelled || !o.record.Closing {
		d.Cancelled = o.record.Requested
	}
	for i := range o.steps {
		s := &o.steps[i]
		sd := workflow.StepDescription{
			ID: s.ID, Action: s.Action, State: s.State, Attempts: s.Attempts,
			Done: s.Done, Total: s.Total, Error: s.Error, Waiting: s.Due,
		}
		if s.live != nil {
			sd.Done, sd.Total = s.live.done.Load(), s.live.total.Load()
		}
		if s.marked {
			sd.State, sd.Attempts = workflow.Pending, s.Attempts-1
		}
		d.Steps[i] = sd
	}
	return d
}

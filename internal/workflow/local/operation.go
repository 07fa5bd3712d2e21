package local

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"github.com/karbor/karbor/internal/workflow"
)

// operation is one in memory. Its methods do no work of their own: they say what
// follows from what happened. The caller guards it.
type operation struct {
	record OperationRecord
	steps  []step
	// open counts the steps of each part that are not over.
	openNormal, openClosing int
	running                 int
	// failed are the positions of the failed steps, in the order in which they
	// failed.
	failed []int
	// stopping says that no further normal step starts.
	stopping bool
	// failing says, in the closing part, that a normal step failed or that the
	// operation was cancelled.
	failing bool
	// dropped says that its waiting steps were taken out of the pools.
	dropped bool

	// lingering says that it is over, and that this is not journalled yet.
	lingering bool

	// What the caller has to do next: to journal the operation's record, to
	// journal steps, to start steps.
	changed bool
	noted   []int
	ready   []int
}

type step struct {
	workflow.Step
	// next are the steps that wait for this one; after is how many this one
	// still waits for.
	next  []int
	after int
	StepRecord
	// marked says that Attempts counts an attempt that has not begun.
	marked bool
	// live is set while an attempt runs.
	live *live
}

// live is a running attempt.
type live struct {
	cancel      context.CancelCauseFunc
	done, total atomic.Int64
	// moved says that done or total are newer than what is journalled.
	moved atomic.Bool
	// stopped says that the operation stopped it.
	stopped bool
}

// restore makes an operation from what is journalled.
func restore(found *Recorded) *operation {
	o := &operation{record: found.OperationRecord, steps: make([]step, len(found.Steps))}
	positions := make(map[string]int, len(found.Steps))
	for i := range found.Steps {
		o.steps[i].Step = found.Steps[i]
		o.steps[i].StepRecord = StepRecord{Operation: found.ID, Position: i, State: workflow.Pending}
		positions[found.Steps[i].ID] = i
	}
	for _, r := range found.Records {
		if r.Position < len(o.steps) {
			o.steps[r.Position].StepRecord = r
		}
		if r.State == workflow.Failed {
			o.failed = append(o.failed, r.Position)
		}
	}
	slices.SortFunc(o.failed, func(a, b int) int { return o.steps[a].Order - o.steps[b].Order })
	for i := range o.steps {
		o.connect(i, positions)
	}
	o.stopping = o.record.Closing || o.record.Requested != "" || len(o.failed) > 0
	o.pass(false)
	if o.record.Closing {
		o.leaveOut()
		o.pass(true)
	}
	if o.record.State.Ended() {
		for i := range o.steps {
			o.steps[i].giveUp()
		}
	}
	return o
}

// idle reports whether a step has nothing to do when its turn comes: a join, or one
// for a failure if there was none.
func (o *operation) idle(s *step) bool {
	return s.Action == "" || s.When == workflow.OnFailure && !o.failing
}

// passBy ends an idle step.
func (o *operation) passBy(s *step) {
	s.State = workflow.Succeeded
	if s.When == workflow.OnFailure && !o.failing {
		s.State = workflow.Skipped
	}
	o.count(s)
}

// connect links a step to those that it waits for.
func (o *operation) connect(i int, positions map[string]int) {
	s := &o.steps[i]
	for _, id := range slices.Compact(slices.Sorted(slices.Values(s.After))) {
		before := &o.steps[positions[id]]
		before.next = append(before.next, i)
		s.after++
	}
	if s.State.Ended() {
		return
	}
	if s.When == workflow.Normal {
		o.openNormal++
	} else {
		o.openClosing++
	}
}

// pass goes through the steps of one part, from the first to the last, and lets
// those go on that wait for steps which are over. Joins end as soon as they can:
// their state, which is not journalled, follows from that of the others.
func (o *operation) pass(closing bool) {
	for i := range o.steps {
		s := &o.steps[i]
		if (s.When != workflow.Normal) != closing {
			continue
		}
		if s.after == 0 && !s.State.Ended() && o.idle(s) {
			o.passBy(s)
		}
		for _, n := range s.next {
			if next := &o.steps[n]; s.over(next.When) {
				next.after--
			}
		}
	}
}

// over reports whether those that wait for the step need no longer do so.
func (s *step) over(when workflow.When) bool {
	if when == workflow.Normal {
		return s.State == workflow.Succeeded
	}
	return s.State.Ended()
}

// giveUp settles the state of a step that is not over and never will be.
func (s *step) giveUp() {
	if s.State.Ended() {
		return
	}
	if s.marked {
		s.Attempts-- // the attempt that was counted did not begin
		s.marked = false
	}
	s.State = workflow.Skipped
	if s.Attempts > 0 {
		s.State = workflow.Cancelled
	}
	s.Due = time.Time{}
}

// begin gives the steps that can start as ready. resumed says that attempts may
// have begun of which the journal does not know.
func (o *operation) begin(resumed bool, now time.Time) {
	for i := range o.steps {
		s := &o.steps[i]
		if s.State.Ended() || s.after > 0 || (s.When != workflow.Normal) != o.record.Closing {
			continue
		}
		if s.When == workflow.Normal && o.stopping {
			if resumed && s.Attempts == 0 {
				s.Attempts = 1
				o.noted = append(o.noted, i)
			}
			continue
		}
		switch {
		case !resumed:
		case s.Due.After(now):
			// What it failed of may have gone with the process that died: it does
			// not wait any longer.
			s.Due = time.Time{}
			o.noted = append(o.noted, i)
		default:
			o.mark(s)
		}
		o.ready = append(o.ready, i)
	}
	o.settle(now)
}

// mark counts the attempt that comes next as begun before it is. Each step that
// may have been running when a process died is marked at the next start, so that
// Task.Attempt is 1 only if the step surely never ran.
func (o *operation) mark(s *step) {
	if s.State != workflow.Running {
		s.Attempts++ // the attempt that may have begun
	}
	s.Attempts++
	s.State, s.Due, s.marked = workflow.Running, time.Time{}, true
	o.noted = append(o.noted, s.Position)
}

// start counts a new attempt.
func (o *operation) start(i int, l *live) {
	s := &o.steps[i]
	if !s.marked {
		s.Attempts++
	}
	s.State, s.marked, s.live, s.Due = workflow.Running, false, l, time.Time{}
	s.Done, s.Total = 0, 0
	o.running++
}

// ended keeps the end of an attempt. state is that of the step after it: Pending
// if it is tried again at due.
func (o *operation) ended(i int, state workflow.State, sentence string, due, now time.Time) {
	s := &o.steps[i]
	s.Done, s.Total = s.live.done.Load(), s.live.total.Load()
	s.live = nil
	o.running--
	s.State, s.Error, s.Due = state, sentence, due
	if state == workflow.Pending || state == workflow.Failed {
		s.Failures++
	}
	o.noted = append(o.noted, i)
	if state == workflow.Pending {
		o.ready = append(o.ready, i)
		return
	}
	s.EndedAt = now
	if state == workflow.Failed {
		o.failed = append(o.failed, i)
		s.Order = len(o.failed)
		if s.When == workflow.Normal {
			o.stop()
		}
	}
	o.count(s)
	o.release(i)
	o.settle(now)
}

// interrupted forgets an attempt that ended because the engine stops. The step
// runs again at the next start.
func (o *operation) interrupted(i int) {
	o.steps[i].live = nil
	o.running--
}

// count takes a step that is over off its part's.
func (o *operation) count(s *step) {
	if s.When == workflow.Normal {
		o.openNormal--
	} else {
		o.openClosing--
	}
}

// release lets those go on that wait for a step which is over. Joins end at once.
func (o *operation) release(i int) {
	for over := []int{i}; len(over) > 0; {
		s := &o.steps[over[0]]
		over = over[1:]
		for _, n := range s.next {
			next := &o.steps[n]
			if !s.over(next.When) {
				continue
			}
			next.after--
			if next.after > 0 || next.State.Ended() {
				continue
			}
			if o.idle(next) {
				o.passBy(next)
				over = append(over, n)
			} else if next.When != workflow.Normal || !o.stopping {
				o.ready = append(o.ready, n)
			}
		}
	}
}

// stop lets no further normal step start, and ends those that run.
func (o *operation) stop() {
	o.stopping = true
	o.ready = slices.DeleteFunc(o.ready, func(i int) bool { return o.steps[i].When == workflow.Normal })
	for i := range o.steps {
		if s := &o.steps[i]; s.live != nil && s.When == workflow.Normal {
			s.live.stopped = true
			s.live.cancel(workflow.ErrStopped)
		}
	}
}

// cancel stops the operation, unless its normal steps are over already.
func (o *operation) cancel(reason string, now time.Time) {
	if o.record.Closing || o.record.Requested != "" {
		return
	}
	o.record.Requested = reason
	o.stop()
	o.settle(now)
}

// settle begins the closing part, and ends the operation, when it is time.
func (o *operation) settle(now time.Time) {
	if o.record.State.Ended() || o.running > 0 {
		return
	}
	if !o.record.Closing {
		if o.openNormal > 0 && !o.stopping {
			return
		}
		o.close()
	}
	if o.openClosing > 0 {
		return
	}
	o.record.EndedAt, o.changed = now, true
	switch {
	case o.record.Cancelled:
		o.record.State = workflow.Cancelled
	case len(o.failed) > 0:
		o.record.State = workflow.Failed
	default:
		o.record.State = workflow.Succeeded
	}
}

// close begins the closing part.
func (o *operation) close() {
	o.record.Closing, o.record.Cancelled, o.changed = true, o.record.Requested != "", true
	o.stopping, o.ready = true, nil
	o.leaveOut()
	o.pass(true)
	for i := range o.steps {
		if s := &o.steps[i]; s.When != workflow.Normal && !s.State.Ended() && s.after == 0 {
			o.ready = append(o.ready, i)
		}
	}
}

// leaveOut settles the normal steps that are left, and finds out whether the
// closing steps for a failure are needed: those of closing steps do not count.
func (o *operation) leaveOut() {
	o.failing = o.record.Cancelled
	for i := range o.steps {
		s := &o.steps[i]
		if s.When != workflow.Normal {
			continue
		}
		if !s.State.Ended() {
			if s.marked {
				o.noted = append(o.noted, i)
			}
			s.giveUp()
			o.count(s)
		}
		o.failing = o.failing || s.State == workflow.Failed
	}
}

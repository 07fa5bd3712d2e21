package local

import (
	"container/heap"
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/workflow"
)

const (
	// progressEvery is how often progress is journalled.
	progressEvery = time.Second
	// loadsPerTurn is the most operations that are read between two turns.
	loadsPerTurn = 16
)

// gather applies what came since the last turn. It gives the operations that it
// touched, and what has to be journalled before they go on.
func (r *run) gather() ([]*operation, Batch) {
	r.e.mu.Lock()
	defer r.e.mu.Unlock()
	now, stopping := r.e.now(), r.ctx.Err() != nil
	touched := r.fresh
	r.fresh = nil
	for _, found := range r.taken {
		o := restore(found)
		o.begin(false, now)
		r.loaded[found.ID] = o
		touched = append(touched, o)
	}
	for _, a := range r.finished {
		r.free(a)
		r.e.settle(a, stopping)
		touched = append(touched, a.o)
	}
	for id, reason := range r.cancels {
		o := r.loaded[id]
		if o != nil {
			o.cancel(reason, now)
			touched = append(touched, o)
		}
		// One that is on its way into memory may have been read too early.
		if o != nil || !r.queue.isKnown(id) {
			delete(r.cancels, id)
		}
	}
	r.taken, r.finished = nil, nil
	touched = append(touched, r.dueRetries(now)...)
	var batch Batch
	if !now.Before(r.nextProgress) {
		batch.Steps = r.progress(now)
	}
	for _, o := range touched {
		if !r.linger(o, now) {
			o.flush(&batch)
		}
	}
	if stopping || !batch.empty() || len(r.lingering) >= maxLingering || !now.Before(r.lingersUntil) {
		for _, o := range r.lingering {
			o.lingering = false
			o.flush(&batch)
		}
		touched, r.lingering = append(touched, r.lingering...), nil
	}
	return touched, batch
}

// maxLingering is the most operations whose end waits to be journalled.
const maxLingering = 64

// linger lets the end of an operation wait to be journalled, if it may: nothing follows
// from it that anybody could see before.
func (r *run) linger(o *operation, now time.Time) bool {
	if r.e.options.Linger == 0 || o.record.State != workflow.Succeeded || o.lingering {
		return o.lingering
	}
	if len(r.lingering) == 0 {
		r.lingersUntil = now.Add(r.e.options.Linger)
	}
	o.lingering = true
	r.lingering = append(r.lingering, o)
	return true
}

// flush moves what has to be journalled to the batch.
func (o *operation) flush(batch *Batch) {
	for _, i := range o.noted {
		batch.Steps = append(batch.Steps, o.steps[i].StepRecord)
	}
	o.noted = nil
	if o.changed {
		batch.Operations = append(batch.Operations, o.record)
		o.changed = false
	}
}

// progress gives the records of the running steps that have moved.
func (r *run) progress(now time.Time) []StepRecord {
	var records []StepRecord
	for a := range r.running {
		if a.live.moved.Swap(false) {
			record := a.o.steps[a.position].StepRecord
			record.Done, record.Total = a.live.done.Load(), a.live.total.Load()
			records = append(records, record)
		}
	}
	if len(records) > 0 {
		r.nextProgress = now.Add(progressEvery)
	}
	return records
}

// admit queues the steps that are ready, forgets operations that are over, and
// fills the free places.
func (r *run) admit(touched []*operation) {
	r.e.mu.Lock()
	defer r.e.mu.Unlock()
	now := r.e.now()
	for _, o := range touched {
		if o.stopping && !o.dropped {
			o.dropped = true
			for _, p := range r.pools {
				p.drop(o)
			}
		}
		for _, i := range o.ready {
			s := &o.steps[i]
			if s.Due.After(now) {
				heap.Push(&r.retries, retry{s.Due, o, i})
			} else {
				r.pool(s.Limit).add(o, i)
			}
		}
		o.ready = nil
		// One that was forgotten meanwhile may have been started anew.
		if o.record.State.Ended() && !o.lingering && r.loaded[o.record.ID] == o {
			delete(r.loaded, o.record.ID)
			r.queue.drop(o.record.ID)
		}
	}
	if r.ctx.Err() == nil {
		r.fill()
	}
}

func (r *run) pool(name string) *pool {
	p := r.pools[name]
	if p == nil {
		places := r.e.options.Places(name)
		p = newPool(places)
		r.pools[name] = p
	}
	return p
}

// free gives the place of an attempt back.
func (r *run) free(a *attempt) {
	delete(r.running, a)
	r.pool(a.pool).used--
}

// fill starts steps as long as there are places.
func (r *run) fill() {
	for name, p := range r.pools {
		for {
			o, i, ok := p.next()
			if !ok {
				break
			}
			r.begin(o, i, name)
		}
		if p.idle() {
			delete(r.pools, name)
		}
	}
}

// begin starts an attempt.
func (r *run) begin(o *operation, i int, poolName string) {
	s := &o.steps[i]
	l := &live{}
	ctx, cancel := context.WithCancelCause(r.ctx)
	l.cancel = cancel
	o.start(i, l)
	timeout := s.Timeout
	if timeout == 0 {
		timeout = workflow.DefaultTimeout
	}
	a := &attempt{
		o: o, position: i, pool: poolName, live: l, action: r.e.options.Actions[s.Action], name: s.Action,
		timeout: timeout,
		task: workflow.Task{
			Operation: o.record.ID, Step: s.ID, Input: s.Input, Attempt: s.Attempts, Progress: l.report,
		},
	}
	if s.When != workflow.Normal {
		a.task.Failure = o.failure()
	}
	r.running[a] = struct{}{}
	r.actions.Go(func() {
		defer r.finish(a)
		a.do(ctx, r.e.options.Context)
	})
}

// report is a step's Task.Progress.
func (l *live) report(done, total int64) {
	l.done.Store(done)
	l.total.Store(total)
	l.moved.Store(true)
}

// finish hands an attempt that is over to the loop.
func (r *run) finish(a *attempt) {
	a.live.cancel(nil)
	r.e.mu.Lock()
	defer r.e.mu.Unlock()
	r.finished = append(r.finished, a)
	r.signal()
}

// load brings waiting operations into memory while there is room. It reports
// whether there were any.
func (r *run) load() bool {
	ids := r.next()
	now := r.e.now()
	for _, id := range ids {
		found, err := r.e.journal.Load(r.ctx, id)
		if err != nil || found.State.Ended() {
			if err != nil && r.ctx.Err() == nil && karbor.KindOf(err) != karbor.NotFound && !r.refused[id] {
				r.refused[id] = errors.Is(err, workflow.ErrDamaged) // it is told once
				r.e.log.LogAttrs(r.ctx, slog.LevelError, "an operation can't be read from the journal",
					slog.String("operation", id), slog.Any("error", err))
			}
			r.unknow(id, err != nil && karbor.KindOf(err) != karbor.NotFound)
			continue
		}
		o := restore(&found)
		resumed := o.record.State == workflow.Running
		if !resumed {
			o.record.State, o.record.StartedAt, o.changed = workflow.Running, now, true
		}
		o.begin(resumed, now)
		r.keep(id, o)
	}
	return len(ids) > 0
}

// next takes ids from the queue for which there is room.
func (r *run) next() []string {
	r.e.mu.Lock()
	defer r.e.mu.Unlock()
	var ids []string
	for len(ids) < loadsPerTurn {
		id := r.queue.next()
		if id == "" {
			break
		}
		ids = append(ids, id)
	}
	return ids
}

// unknow forgets an operation that is not to be loaded, or can't be.
func (r *run) unknow(id string, failed bool) {
	r.e.mu.Lock()
	defer r.e.mu.Unlock()
	if failed {
		r.queue.fail(id)
	} else {
		r.queue.drop(id)
	}
}

func (r *run) keep(id string, o *operation) {
	r.e.mu.Lock()
	defer r.e.mu.Unlock()
	r.loaded[id] = o
	r.fresh = append(r.fresh, o)
}

// untilNext gives the time until there is something to do by itself.
func (r *run) untilNext() time.Duration {
	r.e.mu.Lock()
	defer r.e.mu.Unlock()
	now := r.e.now()
	next := r.nextPoll
	if len(r.retries) > 0 && r.retries[0].due.Before(next) {
		next = r.retries[0].due
	}
	if len(r.lingering) > 0 && r.lingersUntil.Before(next) {
		next = r.lingersUntil
	}
	wait := next.Sub(now)
	if len(r.running) > 0 {
		wait = min(wait, progressEvery)
	}
	return max(wait, time.Millisecond)
}

// retry is a step that is tried again when it is due.
type retry struct {
	due      time.Time
	o        *operation
	position int
}

// retries is a heap, the next due one first.
type retries []retry

// Len implements heap.Interface.
func (h retries) Len() int { return len(h) }

// Less implements heap.Interface.
func (h retries) Less(a, b int) bool { return h[a].due.Before(h[b].due) }

// Swap implements heap.Interface.
func (h retries) Swap(a, b int) { h[a], h[b] = h[b], h[a] }

// Push implements heap.Interface.
func (h *retries) Push(x any) { *h = append(*h, x.(retry)) }

// Pop implements heap.Interface.
func (h *retries) Pop() any {
	last := (*h)[len(*h)-1]
	(*h)[len(*h)-1] = retry{}
	*h = (*h)[:len(*h)-1]
	return last
}

// dueRetries makes steps ready again whose wait is over.
func (r *run) dueRetries(now time.Time) []*operation {
	var touched []*operation
	for len(r.retries) > 0 && !r.retries[0].due.After(now) {
		next := heap.Pop(&r.retries).(retry)
		s := &next.o.steps[next.position]
		stopped := s.When == workflow.Normal && next.o.stopping
		if s.State != workflow.Pending || !s.Due.Equal(next.due) || stopped {
			continue
		}
		next.o.ready = append(next.o.ready, next.position)
		touched = append(touched, next.o)
	}
	return touched
}

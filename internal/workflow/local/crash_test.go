package local_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/workflow"
	"github.com/karbor/karbor/internal/workflow/local"
)

// mortal is a journal whose process dies at the n-th write: before it, or when it is
// done and nobody has heard of it yet.
type mortal struct {
	local.Journal
	mu    sync.Mutex
	left  int
	after bool
	dead  chan struct{}
}

func (m *mortal) write(do func() error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.left--
	switch {
	case m.left < 0 || m.left == 0 && !m.after:
	case m.left == 0:
		if err := do(); err != nil {
			return err
		}
	default:
		return do()
	}
	if m.left == 0 {
		close(m.dead)
	}
	return local.ErrFenced
}

func (m *mortal) Create(ctx context.Context, token int64, op local.OperationRecord, steps []workflow.Step) (created bool, err error) {
	err = m.write(func() error {
		created, err = m.Journal.Create(ctx, token, op, steps)
		return err
	})
	return created && err == nil, err
}

func (m *mortal) Record(ctx context.Context, token int64, batch local.Batch) error {
	return m.write(func() error { return m.Journal.Record(ctx, token, batch) })
}

func (m *mortal) RequestCancel(ctx context.Context, id, reason string) error {
	return m.write(func() error { return m.Journal.RequestCancel(ctx, id, reason) })
}

func (m *mortal) Renew(ctx context.Context, token int64, lasting time.Duration) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.left <= 0 {
		return local.ErrFenced
	}
	return m.Journal.Renew(ctx, token, lasting)
}

func (m *mortal) Release(context.Context, int64) error { return local.ErrFenced }

// runs notes what ran, over all lives.
type runs struct {
	mu    sync.Mutex
	order []string
}

func (r *runs) actions() map[string]workflow.Action {
	note := func(task *workflow.Task) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.order = append(r.order, task.Step)
	}
	return map[string]workflow.Action{
		"work": func(_ context.Context, task *workflow.Task) error { note(task); return nil },
		"fail": func(_ context.Context, task *workflow.Task) error {
			note(task)
			return karbor.Errorf(karbor.Conflict, "it fails")
		},
		"busy": func(_ context.Context, task *workflow.Task) error {
			note(task)
			if task.Attempt == 1 {
				return karbor.Transientf("it is busy")
			}
			return nil
		},
		"block": func(ctx context.Context, task *workflow.Task) error {
			note(task)
			<-ctx.Done()
			return ctx.Err()
		},
	}
}

// scenes are the operations that are killed at each write, and how they must end.
var scenes = map[string]struct {
	steps  workflow.Steps
	cancel bool
	want   workflow.State
	// never are the steps that must not run, always those that must.
	never, always []string
}{
	"success": {
		steps: workflow.Steps{
			{ID: "a", Action: "work"}, {ID: "b", Action: "busy", After: []string{"a"}, Retry: workflow.Retry{First: time.Millisecond}},
			{ID: "join", After: []string{"a", "b"}}, {ID: "c", Action: "work", After: []string{"join"}},
			{ID: "undo", Action: "work", When: workflow.OnFailure}, {ID: "end", Action: "work", When: workflow.Always, After: []string{"undo"}},
		},
		want: workflow.Succeeded, never: []string{"undo"}, always: []string{"a", "b", "c", "end"},
	},
	"failure": {
		steps: workflow.Steps{
			{ID: "a", Action: "work"}, {ID: "b", Action: "fail", After: []string{"a"}}, {ID: "c", Action: "work", After: []string{"b"}},
			{ID: "undo1", Action: "work", When: workflow.OnFailure}, {ID: "undo2", Action: "work", When: workflow.OnFailure, After: []string{"undo1"}},
			{ID: "end", Action: "work", When: workflow.Always, After: []string{"undo2"}},
		},
		want: workflow.Failed, never: []string{"c"}, always: []string{"a", "b", "undo1", "undo2", "end"},
	},
	"cancel": {
		steps: workflow.Steps{
			{ID: "a", Action: "work"}, {ID: "b", Action: "block", After: []string{"a"}}, {ID: "c", Action: "work", After: []string{"b"}},
			{ID: "undo", Action: "work", When: workflow.OnFailure}, {ID: "end", Action: "work", When: workflow.Always, After: []string{"undo"}},
		},
		cancel: true, want: workflow.Cancelled, never: []string{"c"}, always: []string{"undo", "end"},
	},
}

func TestKillAtEachJournalWriteLosesNothing(t *testing.T) {
	for name, scene := range scenes {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, killed after the write %t", name, after), func(t *testing.T) {
				for n := 1; ; n++ {
					if n > 100 {
						t.Fatal("it never ends")
					}
					if !killAt(t, n, after, scene.steps, scene.cancel, scene.want, scene.never, scene.always) {
						return
					}
				}
			})
		}
	}
}

// killAt runs an operation whose process dies at the n-th write, and lets another
// go on. It reports whether the process died at all.
func killAt(t *testing.T, n int, after bool, steps workflow.Steps, cancels bool, want workflow.State, never, always []string) bool {
	t.Helper()
	s, r := openStore(t), &runs{}
	options := local.Options{Owner: "one", Options: workflow.Options{Actions: r.actions()}}
	m := &mortal{Journal: s.Journal(), left: n, after: after, dead: make(chan struct{})}
	options.Journal, options.Now = m, time.Now
	first, err := local.New(options)
	if err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(t.Context())
	over := make(chan struct{})
	go func() {
		defer close(over)
		_ = first.Run(ctx)
	}()
	started := first.Start(t.Context(), "operation", steps) == nil
	asked := started && cancels && first.Cancel(t.Context(), "operation", "enough") == nil
	died := false
	for ended := false; !ended && !died; {
		select {
		case <-m.dead:
			died = true
		case <-time.After(time.Millisecond):
			found, err := s.Journal().Load(t.Context(), "operation")
			ended = err == nil && found.State.Ended()
		}
	}
	end()
	<-over
	// What was not accepted, the caller asks for again, as the outbox does.
	p := start(t, s, options)
	defer p.stop()
	if !started {
		if err := p.engine.Start(t.Context(), "operation", steps); err != nil {
			t.Fatal(err)
		}
	}
	if cancels && !asked {
		if err := p.engine.Cancel(t.Context(), "operation", "enough"); err != nil && karbor.KindOf(err) != karbor.Conflict {
			t.Fatal(err)
		}
	}
	d := awaitEnd(t, p.engine, "operation")
	if d.State != want {
		t.Errorf("killed at the write %d it is %s, want %s: %+v", n, d.State, want, d)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, id := range never {
		if slices.Contains(r.order, id) {
			t.Errorf("killed at the write %d, %s ran: %v", n, id, r.order)
		}
	}
	for _, id := range always {
		if !slices.Contains(r.order, id) {
			t.Errorf("killed at the write %d, %s never ran: %v", n, id, r.order)
		}
	}
	checkOrder(t, n, steps, r.order)
	return died
}

// checkOrder reports a step that ran before one that it waits for had run, and one
// that ran again after a later one: that one's start is only journalled behind it.
func checkOrder(t *testing.T, n int, steps workflow.Steps, order []string) {
	t.Helper()
	for _, s := range steps {
		for _, before := range s.After {
			first, last := slices.Index(order, s.ID), lastIndex(order, before)
			if first >= 0 && last > first {
				t.Errorf("killed at the write %d, %s ran again after %s: %v", n, before, s.ID, order)
			}
		}
	}
}

func lastIndex(list []string, item string) int {
	for i, have := range slices.Backward(list) {
		if have == item {
			return i
		}
	}
	return -1
}

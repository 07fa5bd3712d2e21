package workflowtest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/workflow"
)

func testCrash(t *testing.T, open opener) {
	s := newScene()
	h := open(t, s.options())
	must(t, h.Engine.Start(t.Context(), "operation", workflow.Steps{
		{ID: "a", Action: "work"}, {ID: "join", After: []string{"a"}},
		{ID: "b", Action: "block", After: []string{"join"}},
		{ID: "c", Action: "work", After: []string{"b"}},
		{ID: "end", Action: "close", When: workflow.Always},
	}))
	s.began.await(t)
	h.Kill()
	close(s.gate)
	e := h.Restart()
	d := await(t, e, "operation")
	wantState(t, d, workflow.Succeeded)
	s.wantClosed(t, closed{"end", nil})
	if diff := cmp.Diff([]string{"a", "b", "b", "c", "end"}, s.diary.all()); diff != "" {
		t.Errorf("runs (-want +got):\n%s", diff)
	}
}

func testStop(t *testing.T, open opener) {
	s := newScene()
	h := open(t, s.options())
	must(t, h.Engine.Start(t.Context(), "operation", workflow.Steps{
		{ID: "a", Action: "work"}, {ID: "b", Action: "block", After: []string{"a"}, Retry: quick(1)}}))
	s.began.await(t)
	h.Stop()
	d, err := h.Engine.Describe(t.Context(), "operation")
	must(t, err)
	if d.State != workflow.Running {
		t.Errorf("the operation is %s while the engine is stopped", d.State)
	}
	close(s.gate)
	e := h.Restart()
	d = await(t, e, "operation")
	wantState(t, d, workflow.Succeeded)
	if diff := cmp.Diff([]string{"a", "b", "b"}, s.diary.all()); diff != "" {
		t.Errorf("runs (-want +got):\n%s", diff)
	}
}

func testCrashClosing(t *testing.T, open opener) {
	s := newScene()
	h := open(t, s.options())
	must(t, h.Engine.Start(t.Context(), "operation", workflow.Steps{
		{ID: "bad", Action: "fail"},
		{ID: "never", Action: "work", After: []string{"bad"}},
		{ID: "undo", Action: "block", When: workflow.OnFailure},
		{ID: "end", Action: "close", When: workflow.Always, After: []string{"undo"}},
	}))
	s.began.await(t)
	h.Kill()
	close(s.gate)
	d := await(t, h.Restart(), "operation")
	wantState(t, d, workflow.Failed)
	wantSteps(t, d, map[string]workflow.State{"bad": workflow.Failed, "never": workflow.Skipped,
		"undo": workflow.Succeeded, "end": workflow.Succeeded})
	s.wantClosed(t, closed{"end", &workflow.Failure{Steps: []workflow.StepError{{Step: "bad", Sentence: "bad fails"}}}})
	if diff := cmp.Diff([]string{"bad", "undo", "undo", "end"}, s.diary.all()); diff != "" {
		t.Errorf("runs (-want +got):\n%s", diff)
	}
}

func testCrashAttempts(t *testing.T, open opener) {
	began, kills := make(signal, 10), 3
	var mu sync.Mutex
	var attempts []int
	h := open(t, workflow.Options{Actions: map[string]workflow.Action{
		"work": func(ctx context.Context, task *workflow.Task) error {
			mu.Lock()
			attempts = append(attempts, task.Attempt)
			runs := len(attempts)
			mu.Unlock()
			switch {
			case runs <= kills:
				began <- struct{}{}
				<-ctx.Done()
				return ctx.Err()
			case runs == kills+1:
				return karbor.Transientf("once more")
			}
			return nil
		},
	}})
	must(t, h.Engine.Start(t.Context(), "operation", workflow.Steps{{ID: "a", Action: "work", Retry: quick(2)}}))
	e := h.Engine
	for range kills {
		began.await(t)
		h.Kill()
		e = h.Restart()
	}
	wantState(t, await(t, e, "operation"), workflow.Succeeded)
	if !slices.IsSorted(attempts) || attempts[0] != 1 || len(slices.Compact(slices.Clone(attempts))) != kills+2 {
		t.Errorf("the attempts do not count on: %v", attempts)
	}
}

func testCrashWaiting(t *testing.T, open opener) {
	var mu sync.Mutex
	runs := 0
	h := open(t, workflow.Options{Actions: map[string]workflow.Action{
		"work": func(context.Context, *workflow.Task) error {
			mu.Lock()
			defer mu.Unlock()
			if runs++; runs == 1 {
				return karbor.Transientf("the cloud is away")
			}
			return nil
		},
	}})
	long := workflow.Retry{Attempts: 2, First: time.Hour, Max: time.Hour}
	must(t, h.Engine.Start(t.Context(), "operation", workflow.Steps{{ID: "a", Action: "work", Retry: long}}))
	awaitThat(t, h.Engine, "operation", func(d workflow.Description) bool { return !d.Steps[0].Waiting.IsZero() })
	h.Kill()
	wantState(t, await(t, h.Restart(), "operation"), workflow.Succeeded)
}

func testTakeOver(t *testing.T, open opener) {
	began, late, gate := make(chan int, 10), make(signal), make(signal)
	gates := []signal{late, gate}
	var mu sync.Mutex
	runs := 0
	h := open(t, workflow.Options{Actions: map[string]workflow.Action{
		"work": func(_ context.Context, task *workflow.Task) error {
			mu.Lock()
			run := runs
			runs++
			mu.Unlock()
			began <- task.Attempt
			<-gates[min(run, 1)]
			if run == 0 {
				return karbor.Errorf(karbor.Conflict, "this comes too late")
			}
			return nil
		},
	}})
	must(t, h.Engine.Start(t.Context(), "operation", workflow.Steps{{ID: "a", Action: "work"}}))
	first := <-began
	h.Freeze()
	e := h.Restart()
	second := <-began
	if second <= first {
		t.Errorf("the attempt %d came after %d", second, first)
	}
	close(late)
	h.Thaw()
	close(gate)
	d := await(t, e, "operation")
	wantState(t, d, workflow.Succeeded)
	wantSteps(t, d, map[string]workflow.State{"a": workflow.Succeeded})
	if runs != 2 {
		t.Errorf("the step ran %d times", runs)
	}
}

func testStartStopped(t *testing.T, open opener) {
	s := newScene()
	h := open(t, s.options())
	h.Stop()
	must(t, h.Engine.Start(t.Context(), "operation", workflow.Steps{{ID: "a", Action: "work"}}))
	d, err := h.Engine.Describe(t.Context(), "operation")
	must(t, err)
	if d.State != workflow.Pending && d.State != workflow.Running {
		t.Errorf("the operation is %s", d.State)
	}
	wantSteps(t, d, map[string]workflow.State{"a": workflow.Pending})
	wantState(t, await(t, h.Restart(), "operation"), workflow.Succeeded)
}

func testStartTwice(t *testing.T, open opener) {
	s := newScene()
	h := open(t, s.options())
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			err := h.Engine.Start(t.Context(), "operation", workflow.Steps{{ID: fmt.Sprint("a", i), Action: "work"}})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	wantState(t, await(t, h.Engine, "operation"), workflow.Succeeded)
	must(t, h.Engine.Start(t.Context(), "operation", workflow.Steps{{ID: "b", Action: "work"}}))
	d := await(t, h.Engine, "operation")
	if got := s.diary.all(); len(got) != 1 || len(d.Steps) != 1 || d.Steps[0].ID != got[0] {
		t.Errorf("ran %v, described %v", got, d.Steps)
	}
}

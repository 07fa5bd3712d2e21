package workflowtest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/workflow"
)

func testTask(t *testing.T, open opener) {
	got := make(chan workflow.Task, 2)
	h := open(t, workflow.Options{Actions: map[string]workflow.Action{"work": func(_ context.Context, task *workflow.Task) error {
		if task.Progress == nil {
			t.Error("there is no Progress")
		}
		given := *task
		given.Progress = nil
		got <- given
		return nil
	}}})
	id, input := strings.Repeat("ü", 127)+"x", strings.Repeat("ß", workflow.MaxInput/2)
	must(t, h.Engine.Start(t.Context(), "operation", workflow.Steps{{ID: id, Action: "work", Input: input}}))
	d := await(t, h.Engine, "operation")
	wantState(t, d, workflow.Succeeded)
	want := workflow.Task{Operation: "operation", Step: id, Input: input, Attempt: 1}
	if diff := cmp.Diff(want, <-got); diff != "" {
		t.Errorf("the task (-want +got):\n%s", diff)
	}
	if d.ID != "operation" || d.Steps[0].ID != id || d.Steps[0].Action != "work" {
		t.Errorf("described as %+v", d)
	}
}

func testContext(t *testing.T, open opener) {
	type key struct{}
	got := make(chan string, 10)
	began := make(signal, 1)
	h := open(t, workflow.Options{
		Actions: map[string]workflow.Action{"work": func(ctx context.Context, task *workflow.Task) error {
			value, _ := ctx.Value(key{}).(string)
			got <- task.Step + " of " + value
			if task.Step == "a" && len(got) == 1 {
				began <- struct{}{}
				<-ctx.Done() // the values come beside the end of the context
			}
			return ctx.Err()
		}},
		Context: func(ctx context.Context, operation string) context.Context {
			return context.WithValue(ctx, key{}, "the request for "+operation)
		},
	})
	must(t, h.Engine.Start(t.Context(), "operation", workflow.Steps{{ID: "a", Action: "work"},
		{ID: "end", Action: "work", When: workflow.Always}}))
	began.await(t)
	h.Kill()
	e := h.Restart()
	wantState(t, await(t, e, "operation"), workflow.Succeeded)
	close(got)
	var all []string
	for s := range got {
		all = append(all, s)
	}
	want := []string{"a of the request for operation", "a of the request for operation", "end of the request for operation"}
	if diff := cmp.Diff(want, all); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
}

// torn is a graph whose second page can't be read.
type torn struct{}

var errTorn = errors.New("the database went away")

// Page implements workflow.Graph.
func (torn) Page(_ context.Context, offset int) ([]workflow.Step, error) {
	if offset > 0 {
		return nil, errTorn
	}
	return []workflow.Step{{ID: "a", Action: "work"}}, nil
}

// thick is a graph that gives more steps at once than it may.
type thick struct{}

// Page implements workflow.Graph.
func (thick) Page(_ context.Context, offset int) ([]workflow.Step, error) {
	var steps []workflow.Step
	for i := range max(0, workflow.MaxPage+1-offset) {
		steps = append(steps, workflow.Step{ID: strconv.Itoa(i), Action: "work"})
	}
	return steps, nil
}

func testUnreadableGraph(t *testing.T, open opener) {
	s := newScene()
	h := open(t, s.options())
	if err := h.Engine.Start(t.Context(), "torn", torn{}); !errors.Is(err, errTorn) {
		t.Errorf("got the error %v", err)
	}
	wantKind(t, h.Engine.Start(t.Context(), "thick", thick{}), karbor.Invalid)
	for _, id := range []string{"torn", "thick"} {
		_, err := h.Engine.Describe(t.Context(), id)
		wantKind(t, err, karbor.NotFound)
	}
	if got := s.diary.all(); len(got) > 0 {
		t.Errorf("of graphs that were refused ran %v", got)
	}
}

func testKilledAtOnce(t *testing.T, open opener) {
	s := newScene()
	h := open(t, s.options())
	e := h.Engine
	const n = 20
	for round := range 3 {
		for i := range n {
			must(t, e.Start(t.Context(), fmt.Sprint(round, "/", i), workflow.Steps{{ID: "a", Action: "work"},
				{ID: "end", Action: "work", When: workflow.Always}}))
		}
		h.Kill()
		e = h.Restart()
	}
	for round := range 3 {
		for i := range n {
			wantState(t, await(t, e, fmt.Sprint(round, "/", i)), workflow.Succeeded)
		}
	}
}

func testDefaultPlaces(t *testing.T, open opener) {
	const places = 8
	began, gate := make(signal, 100), make(signal)
	h := open(t, workflow.Options{Actions: map[string]workflow.Action{"wait": func(ctx context.Context, _ *workflow.Task) error {
		began <- struct{}{}
		select {
		case <-gate:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}}})
	// The places are those of all operations together.
	for _, id := range []string{"one", "two"} {
		var steps workflow.Steps
		for i := range places {
			steps = append(steps, workflow.Step{ID: strconv.Itoa(i), Action: "wait"})
		}
		must(t, h.Engine.Start(t.Context(), id, steps))
	}
	for range places {
		began.await(t)
	}
	running := 0
	for _, id := range []string{"one", "two"} {
		d, err := h.Engine.Describe(t.Context(), id)
		must(t, err)
		for _, s := range d.Steps {
			if s.State == workflow.Running {
				running++
			}
		}
	}
	if running != places || len(began) > 0 {
		t.Errorf("%d steps run, and %d more began, in %d places", running, len(began), places)
	}
	close(gate)
	for _, id := range []string{"one", "two"} {
		wantState(t, await(t, h.Engine, id), workflow.Succeeded)
	}
}

func testDefaultRetry(t *testing.T, open opener) {
	var mu sync.Mutex
	var times []time.Time
	h := open(t, workflow.Options{Actions: map[string]workflow.Action{"busy": func(context.Context, *workflow.Task) error {
		mu.Lock()
		defer mu.Unlock()
		if times = append(times, time.Now()); len(times) == 1 {
			return karbor.Transientf("it is busy")
		}
		return nil
	}}})
	must(t, h.Engine.Start(t.Context(), "operation", workflow.Steps{{ID: "a", Action: "busy"}}))
	wantState(t, await(t, h.Engine, "operation"), workflow.Succeeded)
	if waited, first := times[1].Sub(times[0]), workflow.DefaultRetry().First; waited < first/2 {
		t.Errorf("it waited %s, want about %s", waited, first)
	}
}

func testFailureOrder(t *testing.T, open opener) {
	s := newScene()
	h := open(t, s.options())
	must(t, h.Engine.Start(t.Context(), "operation", workflow.Steps{
		{ID: "z", Action: "fail"},
		{ID: "undo2", Action: "fail", When: workflow.OnFailure},
		{ID: "undo1", Action: "fail", When: workflow.OnFailure, After: []string{"undo2"}},
		{ID: "wait", Action: "block", When: workflow.OnFailure, After: []string{"undo1"}},
		{ID: "end", Action: "close", When: workflow.Always, After: []string{"wait"}},
	}))
	s.began.await(t)
	h.Kill()
	close(s.gate)
	wantState(t, await(t, h.Restart(), "operation"), workflow.Failed)
	s.wantClosed(t, closed{"end", &workflow.Failure{Steps: []workflow.StepError{
		{Step: "z", Sentence: "z fails"}, {Step: "undo2", Sentence: "undo2 fails"}, {Step: "undo1", Sentence: "undo1 fails"}}}})
}

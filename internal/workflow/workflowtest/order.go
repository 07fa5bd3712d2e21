package workflowtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/workflow"
)

// drawGraph makes a graph of up to 20 steps, joins and closing steps among them.
// Each step for which fails says so has the input "fail".
func drawGraph(t *rapid.T, failing bool) workflow.Steps {
	n := rapid.IntRange(1, 20).Draw(t, "steps")
	var steps workflow.Steps
	for i := range n {
		s := workflow.Step{ID: fmt.Sprint("s", i), Action: "work"}
		s.When = rapid.SampledFrom([]workflow.When{
			workflow.Normal, workflow.Normal, workflow.Normal, workflow.Always, workflow.OnFailure}).Draw(t, "when")
		s.Quick = rapid.Bool().Draw(t, "quick")
		if rapid.IntRange(0, 4).Draw(t, "join") == 0 {
			s.Action = ""
		} else if failing && rapid.IntRange(0, 7).Draw(t, "fails") == 0 {
			s.Input = "fail"
		}
		for _, before := range steps {
			if (before.When == workflow.Normal) == (s.When == workflow.Normal) && rapid.IntRange(0, 3).Draw(t, "edge") == 0 {
				s.After = append(s.After, before.ID)
			}
		}
		steps = append(steps, s)
	}
	return steps
}

// waitsFor gives, for each step, all steps that come before it, through others too.
func waitsFor(steps workflow.Steps) map[string][]string {
	all := map[string][]string{}
	for _, s := range steps {
		for _, before := range s.After {
			all[s.ID] = append(append(all[s.ID], before), all[before]...)
		}
		slices.Sort(all[s.ID])
		all[s.ID] = slices.Compact(all[s.ID])
	}
	return all
}

func recorder(d *diary) workflow.Action {
	return func(_ context.Context, task *workflow.Task) error {
		id := task.Operation + " " + task.Step
		d.note("begin " + id)
		defer d.note("end " + id)
		if task.Input == "fail" {
			return errors.New("it fails")
		}
		return nil
	}
}

// runDrawn runs a graph, and gives what became of it.
func runDrawn(t *testing.T, rt *rapid.T, h Harness, id string, steps workflow.Steps) workflow.Description {
	if err := h.Engine.Start(t.Context(), id, steps); err != nil {
		rt.Fatal(err)
	}
	d, err := poll(t.Context(), h.Engine, id, patience, func(d workflow.Description) bool { return d.State.Ended() })
	if err != nil {
		rt.Fatal(err)
	}
	return d
}

// checkOrder reports a step that began before one that it waits for was over.
func checkOrder(rt *rapid.T, d *diary, id string, steps workflow.Steps, after map[string][]string) {
	entries := d.all()
	for _, s := range steps {
		begin := slices.Index(entries, "begin "+id+" "+s.ID)
		for _, before := range after[s.ID] {
			if end := slices.Index(entries, "end "+id+" "+before); end > begin && begin >= 0 {
				rt.Errorf("%s began before %s had ended", s.ID, before)
			}
		}
	}
}

func testOrder(t *testing.T, open opener) {
	var d diary
	h := open(t, workflow.Options{Actions: map[string]workflow.Action{"work": recorder(&d)}})
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		id := fmt.Sprint("operation", n)
		steps := drawGraph(rt, false)
		got := runDrawn(t, rt, h, id, steps)
		if got.State != workflow.Succeeded {
			rt.Errorf("the operation is %s", got.State)
		}
		checkOrder(rt, &d, id, steps, waitsFor(steps))
		for i, s := range steps {
			state, runs := workflow.Succeeded, 1
			if s.When == workflow.OnFailure {
				state, runs = workflow.Skipped, 0
			}
			if s.Action == "" {
				runs = 0
			}
			if got.Steps[i].ID != s.ID || got.Steps[i].State != state || got.Steps[i].Attempts != runs {
				rt.Errorf("the step %+v is described as %+v", s, got.Steps[i])
			}
			if ran := d.count("begin " + id + " " + s.ID); ran != runs {
				rt.Errorf("%s ran %d times", s.ID, ran)
			}
		}
	})
}

func testFailingOrder(t *testing.T, open opener) {
	var d diary
	h := open(t, workflow.Options{Actions: map[string]workflow.Action{"work": recorder(&d)}})
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		id := fmt.Sprint("operation", n)
		steps := drawGraph(rt, true)
		got := runDrawn(t, rt, h, id, steps)
		after := waitsFor(steps)
		checkOrder(rt, &d, id, steps, after)
		normal, anything := false, false
		for i, s := range steps {
			failed := got.Steps[i].State == workflow.Failed
			anything = anything || failed
			normal = normal || failed && s.When == workflow.Normal
		}
		if want := map[bool]workflow.State{true: workflow.Failed, false: workflow.Succeeded}[anything]; got.State != want {
			rt.Errorf("the operation is %s, want %s", got.State, want)
		}
		for i, s := range steps {
			checkDrawnStep(rt, &d, id, s, got.Steps[i].State, normal)
			for _, before := range after[s.ID] {
				state := stepOf(got, before).State
				if s.When == workflow.Normal && s.Action != "" && state != workflow.Succeeded && d.count("begin "+id+" "+s.ID) > 0 {
					rt.Errorf("%s ran, though %s is %s", s.ID, before, state)
				}
			}
		}
	})
}

// checkDrawnStep compares what ran with the state that is told. failed says that a
// normal step failed.
func checkDrawnStep(rt *rapid.T, d *diary, id string, s workflow.Step, state workflow.State, failed bool) {
	if !state.Ended() {
		rt.Errorf("%s is %s at the end", s.ID, state)
	}
	runs := d.count("begin " + id + " " + s.ID)
	if (state == workflow.Skipped || s.Action == "") && runs > 0 || runs > 1 {
		rt.Errorf("%s is %s and ran %d times", s.ID, state, runs)
	}
	if state == workflow.Failed && s.Input != "fail" || state == workflow.Succeeded && s.Input == "fail" {
		rt.Errorf("%s with the input %q is %s", s.ID, s.Input, state)
	}
	meant := s.When == workflow.Always || s.When == workflow.OnFailure && failed
	if s.When != workflow.Normal && s.Action != "" && meant != (runs == 1) {
		rt.Errorf("the closing step %s (%s) ran %d times", s.ID, s.When, runs)
	}
}

func testJoinsOnly(t *testing.T, open opener) {
	h := open(t, workflow.Options{})
	must(t, h.Engine.Start(t.Context(), "none", workflow.Steps{}))
	wantState(t, await(t, h.Engine, "none"), workflow.Succeeded)
	must(t, h.Engine.Start(t.Context(), "joins", workflow.Steps{
		{ID: "a"}, {ID: "b", After: []string{"a", "a"}},
		{ID: "c", When: workflow.Always}, {ID: "d", When: workflow.OnFailure}, {ID: "e", When: workflow.Always, After: []string{"c", "d"}},
	}))
	d := await(t, h.Engine, "joins")
	wantState(t, d, workflow.Succeeded)
	wantSteps(t, d, map[string]workflow.State{"a": workflow.Succeeded, "b": workflow.Succeeded,
		"c": workflow.Succeeded, "d": workflow.Skipped, "e": workflow.Succeeded})
}

func testLimits(t *testing.T, open opener) {
	began, gate := make(signal, 100), make(signal)
	h := open(t, workflow.Options{
		Actions: map[string]workflow.Action{"wait": func(ctx context.Context, _ *workflow.Task) error {
			began <- struct{}{}
			select {
			case <-gate:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}},
		Limits:  map[string]int{"narrow": 2},
		Default: 3,
	})
	var steps workflow.Steps
	for i := range 5 {
		steps = append(steps, workflow.Step{ID: fmt.Sprint("narrow", i), Action: "wait", Limit: "narrow"},
			workflow.Step{ID: fmt.Sprint("default", i), Action: "wait"},
			workflow.Step{ID: fmt.Sprint("other", i), Action: "wait", Limit: "other"})
	}
	must(t, h.Engine.Start(t.Context(), "operation", steps))
	for range 2 + 3 + 3 {
		began.await(t)
	}
	d, err := h.Engine.Describe(t.Context(), "operation")
	must(t, err)
	running, queued := map[string]int{}, 0
	for _, s := range d.Steps {
		if s.State == workflow.Running {
			running[s.ID[:5]]++
		}
		if s.State == workflow.Pending && s.Queued {
			queued++
		}
	}
	if want := len(steps) - 8; queued != want {
		t.Errorf("of %d steps that wait for a place %d are told: %+v", want, queued, d.Steps)
	}
	if running["narro"] != 2 || running["defau"] != 3 || running["other"] != 3 || len(began) > 0 {
		t.Errorf("running: %v, and %d more began", running, len(began))
	}
	close(gate)
	wantState(t, await(t, h.Engine, "operation"), workflow.Succeeded)
}

func testMany(t *testing.T, open opener) {
	var d diary
	h := open(t, workflow.Options{Actions: map[string]workflow.Action{"work": recorder(&d)}})
	const n = 300
	for i := range n {
		must(t, h.Engine.Start(t.Context(), fmt.Sprint("operation", i), workflow.Steps{
			{ID: "a", Action: "work"}, {ID: "b", Action: "work", After: []string{"a"}}}))
	}
	for i := range n {
		wantState(t, await(t, h.Engine, fmt.Sprint("operation", i)), workflow.Succeeded)
	}
	if got := len(d.all()); got != 4*n {
		t.Errorf("%d entries, want %d", got, 4*n)
	}
}

// paged is a graph that hands over few steps at once.
type paged struct{ workflow.Steps }

// Page implements workflow.Graph.
func (p paged) Page(_ context.Context, offset int) ([]workflow.Step, error) {
	from := min(offset, len(p.Steps))
	return p.Steps[from:min(from+123, len(p.Steps))], nil
}

func testLarge(t *testing.T, open opener) {
	var d diary
	h := open(t, workflow.Options{Actions: map[string]workflow.Action{"work": recorder(&d)}, Default: 64})
	const layers, wide = 50, 99
	var steps workflow.Steps
	for l := range layers {
		for i := range wide {
			s := workflow.Step{ID: fmt.Sprintf("%d/%d", l, i), Action: "work"}
			if l > 0 {
				s.After = []string{fmt.Sprint("join", l-1)}
			}
			steps = append(steps, s)
		}
		join := workflow.Step{ID: fmt.Sprint("join", l)}
		for i := range wide {
			join.After = append(join.After, fmt.Sprintf("%d/%d", l, i))
		}
		steps = append(steps, join)
	}
	must(t, h.Engine.Start(t.Context(), "large", paged{steps}))
	got, err := poll(t.Context(), h.Engine, "large", max(5*patience, h.Patience), func(d workflow.Description) bool { return d.State.Ended() })
	must(t, err)
	wantState(t, got, workflow.Succeeded)
	if n := len(d.all()); n != 2*layers*wide || len(got.Steps) != len(steps) {
		t.Errorf("%d entries and %d steps", n, len(got.Steps))
	}
}

func testInvalid(t *testing.T, open opener) {
	h := open(t, workflow.Options{Actions: map[string]workflow.Action{"work": recorder(&diary{})}})
	long := string(make([]byte, workflow.MaxInput+1))
	tests := map[string]workflow.Steps{
		"no id":           {{Action: "work"}},
		"long id":         {{ID: long[:256], Action: "work"}},
		"id twice":        {{ID: "a"}, {ID: "a"}},
		"unknown action":  {{ID: "a", Action: "none"}},
		"edge to nowhere": {{ID: "a", After: []string{"b"}}},
		"edge to itself":  {{ID: "a", After: []string{"a"}}},
		"edge forward":    {{ID: "a", After: []string{"b"}}, {ID: "b"}},
		"circle":          {{ID: "a", After: []string{"b"}}, {ID: "b", After: []string{"a"}}},
		"long input":      {{ID: "a", Action: "work", Input: long}},
		"unknown case":    {{ID: "a", When: "sometimes"}},
		"normal after closing": {{ID: "a", When: workflow.Always},
			{ID: "b", After: []string{"a"}}},
		"closing after normal": {{ID: "a"}, {ID: "b", When: workflow.Always, After: []string{"a"}}},
		"negative time-out":    {{ID: "a", Action: "work", Timeout: -1}},
		"negative attempts":    {{ID: "a", Action: "work", Retry: workflow.Retry{Attempts: -1}}},
	}
	for name, steps := range tests {
		t.Run(name, func(t *testing.T) {
			wantKind(t, h.Engine.Start(t.Context(), name, steps), karbor.Invalid)
			_, err := h.Engine.Describe(t.Context(), name)
			wantKind(t, err, karbor.NotFound)
		})
	}
	wantKind(t, h.Engine.Start(t.Context(), "", workflow.Steps{}), karbor.Invalid)
}

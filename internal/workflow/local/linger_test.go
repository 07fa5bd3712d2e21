package local_test

import (
	"context"
	"testing"
	"time"

	"github.com/karbor/karbor/internal/workflow"
	"github.com/karbor/karbor/internal/workflow/local"
)

// ran gives options whose action tells each run of a step.
func ran(linger time.Duration) (local.Options, chan string) {
	runs := make(chan string, 16)
	return local.Options{
		Options: workflow.Options{Actions: map[string]workflow.Action{
			"work": func(_ context.Context, task *workflow.Task) error {
				runs <- task.Operation + " " + task.Step
				return nil
			},
		}},
		Owner: "me", Linger: linger,
	}, runs
}

// state reads an operation's state from the journal.
func state(t *testing.T, j local.Journal, id string) workflow.State {
	t.Helper()
	found, err := j.Load(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return found.State
}

func TestALingeringEndIsJournalledWithWhatComesNext(t *testing.T) {
	s := openStore(t)
	options, runs := ran(time.Hour)
	p := start(t, s, options)
	defer p.stop()
	if err := p.engine.Start(t.Context(), "first", workflow.Steps{{ID: "a", Action: "work"}}); err != nil {
		t.Fatal(err)
	}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for step := workflow.Pending; step != workflow.Succeeded; <-tick.C {
		d, err := p.engine.Describe(t.Context(), "first")
		if err != nil || d.State.Ended() || !d.EndedAt.IsZero() {
			t.Fatalf("the first operation is %+v, %v before its end is journalled", d, err)
		}
		step = d.Steps[0].State
	}
	<-runs
	steps := workflow.Steps{{ID: "a", Action: "work"}, {ID: "b", Action: "work", After: []string{"a"}}}
	if err := p.engine.Start(t.Context(), "second", steps); err != nil {
		t.Fatal(err)
	}
	<-runs
	if got := <-runs; got != "second b" { // its a is journalled before its b begins
		t.Fatalf("%s ran", got)
	}
	if got := state(t, s.Journal(), "first"); got != workflow.Succeeded {
		t.Errorf("the first operation is %s in the journal", got)
	}
	if got := state(t, s.Journal(), "second"); got != workflow.Running {
		t.Errorf("the second operation is %s in the journal", got)
	}
}

func TestALingeringEndIsJournalledWhenTheEngineStops(t *testing.T) {
	s := openStore(t)
	options, runs := ran(time.Hour)
	p := start(t, s, options)
	if err := p.engine.Start(t.Context(), "operation", workflow.Steps{{ID: "a", Action: "work"}}); err != nil {
		t.Fatal(err)
	}
	<-runs
	p.stop()
	// The stop may have come before the engine heard of the step's end.
	if got := state(t, s.Journal(), "operation"); got != workflow.Succeeded {
		t.Errorf("the operation is %s in the journal", got)
	}
}

func TestTheLastStepRunsAgainIfTheProcessDiedWhileTheEndLingered(t *testing.T) {
	s := openStore(t)
	options, runs := ran(time.Hour)
	p := start(t, s, options)
	steps := workflow.Steps{{ID: "a", Action: "work"}, {ID: "b", Action: "work", After: []string{"a"}}}
	if err := p.engine.Start(t.Context(), "operation", steps); err != nil {
		t.Fatal(err)
	}
	<-runs
	<-runs
	p.gate.kill()
	p.stop()
	options.Linger = 0
	again := start(t, s, options)
	defer again.stop()
	if got := <-runs; got != "operation b" {
		t.Errorf("%s ran again", got)
	}
}

func TestAJointThatIsNotKeptLeavesNothing(t *testing.T) {
	s := openStore(t)
	options, runs := ran(0)
	p := start(t, s, options)
	defer p.stop()
	steps := workflow.Steps{{ID: "a", Action: "work"}}
	var joint *local.Joint
	for joint == nil { // until the engine runs
		var err error
		if joint, err = p.engine.Join(t.Context(), "operation", steps); err != nil {
			t.Fatal(err)
		}
	}
	joint.Done(false)
	// Its id is free.
	if err := p.engine.Start(t.Context(), "operation", steps); err != nil {
		t.Fatal(err)
	}
	if got := <-runs; got != "operation a" {
		t.Errorf("%s ran", got)
	}
}

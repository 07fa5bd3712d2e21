package temporal

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/karbor/karbor/internal/workflow"
	"github.com/karbor/karbor/internal/workflow/local"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// drawSteps makes a graph with joins and closing steps.
func drawSteps(t *rapid.T) []workflow.Step {
	var steps []workflow.Step
	for i := range rapid.IntRange(0, 15).Draw(t, "steps") {
		s := workflow.Step{ID: fmt.Sprint("s", i), Action: "work"}
		s.When = rapid.SampledFrom([]workflow.When{workflow.Normal, workflow.Normal, workflow.Always, workflow.OnFailure}).Draw(t, "when")
		if rapid.IntRange(0, 4).Draw(t, "join") == 0 {
			s.Action = ""
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

// TestMachineGoesOnFromItsState drives a machine, takes its state down in between as a new run
// does, and checks the order and that it comes to its end.
func TestMachineGoesOnFromItsState(t *testing.T) {
	c, err := newCodec()
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		steps := drawSteps(t)
		m := newMachine(steps, state{StartedAt: noon})
		for range 200 {
			m.settle(noon)
			if m.state.State.Ended() {
				break
			}
			if len(m.ready) == 0 {
				t.Fatalf("nothing is ready, and it is %s", m.state.State)
			}
			i := m.ready[0]
			m.ready = m.ready[1:]
			for _, id := range steps[i].After {
				for j := range steps {
					if steps[j].ID == id && !m.steps[j].over(steps[i].When) {
						t.Fatalf("%s began before %s was over", steps[i].ID, id)
					}
				}
			}
			m.begin(i)
			switch rapid.IntRange(0, 9).Draw(t, "happening") {
			case 0:
				m.ended(i, workflow.Failed, outcome{Sentence: "it fails"}, time.Time{})
			case 1:
				m.ended(i, workflow.Pending, outcome{}, noon)
				m.again(i)
			case 2:
				m.again(i)
			case 3:
				m.cancel("enough")
				m.ended(i, workflow.Cancelled, outcome{}, time.Time{})
			default:
				m.ended(i, workflow.Succeeded, outcome{}, time.Time{})
			}
			if m.running == 0 && rapid.Bool().Draw(t, "new run") {
				m = handedOver(t, c, steps, m)
			}
		}
		if !m.state.State.Ended() || m.openNormal != 0 || m.openClosing != 0 {
			t.Fatalf("it is %s, and %d and %d steps are open", m.state.State, m.openNormal, m.openClosing)
		}
		for _, s := range m.describe("id").Steps {
			if !s.State.Ended() {
				t.Errorf("%s is %s at the end", s.ID, s.State)
			}
		}
	})
}

// handedOver gives the machine of the next run.
func handedOver(t *rapid.T, c codec, steps []workflow.Step, m *machine) *machine {
	var in input
	var err error
	if in.Steps, err = c.encode(steps); err != nil {
		t.Fatal(err)
	}
	if in.State, err = c.encode(m.snapshot()); err != nil {
		t.Fatal(err)
	}
	next, err := c.machine(in)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(m.describe("id"), next.describe("id")); diff != "" {
		t.Fatalf("the next run differs (-was +is):\n%s", diff)
	}
	next.ready = append(next.ready, next.delayed...)
	return next
}

func TestOperationOfTheLocalEngineGoesOnWhereItWas(t *testing.T) {
	steps := workflow.Steps{
		{ID: "over", Action: "a"}, {ID: "next", Action: "a", After: []string{"over"}},
		{ID: "last", Action: "a", After: []string{"next"}}, {ID: "end", Action: "a", When: workflow.Always},
	}
	found := local.Recorded{
		OperationRecord: local.OperationRecord{ID: "id", State: workflow.Running, StartedAt: noon}, Steps: steps,
		Records: []local.StepRecord{{Position: 0, State: workflow.Succeeded, Attempts: 1, Done: 7, Total: 7}},
	}
	m := newMachine(steps, adopted(found))
	if diff := cmp.Diff([]int{1}, m.ready); diff != "" {
		t.Errorf("what is ready (-want +got):\n%s", diff)
	}
	if m.begin(1); m.steps[1].Attempts != 2 {
		t.Errorf("what may have begun is told as attempt %d", m.steps[1].Attempts)
	}
	found.Requested = "enough"
	m = newMachine(steps, adopted(found))
	m.settle(noon)
	if diff := cmp.Diff([]int{3}, m.ready); diff != "" || !m.state.Cancelled {
		t.Errorf("after a request to cancel, ready (-want +got):\n%s", diff)
	}
}

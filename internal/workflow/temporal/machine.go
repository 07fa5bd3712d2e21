package temporal

import (
	"slices"
	"time"

	"github.com/karbor/karbor/internal/workflow"
)

// machine is an operation's state: it says what follows from what happened, and does
// nothing by itself. The same happenings in the same order give the same state, so that
// a workflow which is replayed comes to it again.
type machine struct {
	steps []node
	state state
	// open counts the steps of each part that are not over.
	openNormal, openClosing int
	// running counts the attempts that go on.
	running int
	// stopping says that no further normal step starts.
	stopping bool
	// failing says, in the closing part, that the steps for a failure are needed.
	failing bool
	// ready are the steps that may start, in the order in which they became so, and
	// delayed those that were found waiting for their next attempt.
	ready   []int
	delayed []int
}

// node is one step with its place in the graph.
type node struct {
	workflow.Step
	// next are the steps that wait for this one, after is how many it waits for.
	next  []int
	after int
	stepState
	// going says that an attempt goes on.
	going bool
}

// state is what is kept of an operation beside its graph: from run to run, in the answer
// to a query, and as the result.
type state struct {
	// State is Running as long as the operation is not over.
	State     workflow.State `json:"state"`
	Requested string         `json:"requested,omitempty"`
	// Closing says that the normal steps are over, Cancelled that a request to cancel
	// came before that.
	Closing   bool      `json:"closing,omitempty"`
	Cancelled bool      `json:"cancelled,omitempty"`
	StartedAt time.Time `json:"started_at,omitzero"`
	EndedAt   time.Time `json:"ended_at,omitzero"`
	// Failed are the failed steps, in the order in which they failed.
	Failed []int `json:"failed,omitempty"`
	// Steps are those that differ from what has not begun.
	Steps []stepState `json:"steps,omitempty"`
}

// stepState is what is kept of a step.
type stepState struct {
	Position int            `json:"p"`
	State    workflow.State `json:"s"`
	// Attempts have begun, Failures of them count against the retry's.
	Attempts int       `json:"a,omitempty"`
	Failures int       `json:"f,omitempty"`
	Done     int64     `json:"d,omitempty"`
	Total    int64     `json:"t,omitempty"`
	Error    string    `json:"e,omitempty"`
	Due      time.Time `json:"due,omitzero"`
	// Long says that a quick step did not keep what it promised.
	Long bool `json:"l,omitempty"`
}

// newMachine makes the machine of a graph in a state. An attempt that went on when the
// state was taken down is one that has to be made again.
func newMachine(steps []workflow.Step, from state) *machine {
	m := &machine{steps: make([]node, len(steps)), state: from}
	positions := make(map[string]int, len(steps))
	for i, s := range steps {
		m.steps[i] = node{Step: s, stepState: stepState{Position: i, State: workflow.Pending}}
		positions[s.ID] = i
	}
	for _, s := range from.Steps {
		if s.Position < len(m.steps) {
			m.steps[s.Position].stepState = s
		}
	}
	m.state.Steps = nil
	if m.state.State == "" {
		m.state.State = workflow.Running
	}
	for i := range m.steps {
		m.connect(i, positions)
	}
	m.stopping = from.Closing || from.Requested != "" || len(from.Failed) > 0
	m.pass(false)
	if from.Closing {
		m.leaveOut()
		m.pass(true)
	}
	for i := range m.steps {
		s := &m.steps[i]
		if s.State == workflow.Running {
			s.State = workflow.Pending
		}
		if s.after > 0 || s.State.Ended() || !m.mayStart(s) {
			continue
		}
		if s.Due.IsZero() {
			m.ready = append(m.ready, i)
		} else {
			m.delayed = append(m.delayed, i)
		}
	}
	return m
}

// connect links a step to those that it waits for.
func (m *machine) connect(i int, positions map[string]int) {
	s := &m.steps[i]
	for _, id := range slices.Compact(slices.Sorted(slices.Values(s.After))) {
		before := &m.steps[positions[id]]
		before.next = append(before.next, i)
		s.after++
	}
	if !s.State.Ended() {
		m.count(s, 1)
	}
}

// count adds to the number of open steps of the step's part.
func (m *machine) count(s *node, n int) {
	if s.When == workflow.Normal {
		m.openNormal += n
	} else {
		m.openClosing += n
	}
}

// mayStart reports whether it is the turn of the step's part.
func (m *machine) mayStart(s *node) bool {
	if s.When == workflow.Normal {
		return !m.stopping
	}
	return m.state.Closing
}

// pass goes through one part, from the first step to the last, and lets those go on
// that wait for steps which are over.
func (m *machine) pass(closing bool) {
	for i := range m.steps {
		s := &m.steps[i]
		if (s.When != workflow.Normal) != closing {
			continue
		}
		if s.after == 0 && !s.State.Ended() && m.idle(s) {
			m.passBy(s)
		}
		for _, n := range s.next {
			if next := &m.steps[n]; s.over(next.When) {
				next.after--
			}
		}
	}
}

// idle reports whether a step has nothing to do when its turn comes.
func (m *machine) idle(s *node) bool {
	return s.Action == "" || s.When == workflow.OnFailure && !m.failing
}

// passBy ends an idle step.
func (m *machine) passBy(s *node) {
	s.State = workflow.Succeeded
	if s.When == workflow.OnFailure && !m.failing {
		s.State = workflow.Skipped
	}
	m.count(s, -1)
}

// over reports whether those that wait for the step need no longer do so.
func (s *node) over(when workflow.When) bool {
	if when == workflow.Normal {
		return s.State == workflow.Succeeded
	}
	return s.State.Ended()
}

// begin starts an attempt of a step.
func (m *machine) begin(i int) {
	s := &m.steps[i]
	s.Attempts++
	s.State, s.Due, s.Done, s.Total, s.going = workflow.Running, time.Time{}, 0, 0, true
	m.running++
}

// ended keeps the end of an attempt, and what follows. A state of Pending says that the
// step is tried again at due.
func (m *machine) ended(i int, to workflow.State, o outcome, due time.Time) {
	s := &m.steps[i]
	m.running--
	s.going = false
	s.State, s.Done, s.Total, s.Error, s.Due = to, o.Done, o.Total, o.Sentence, due
	if to == workflow.Pending {
		s.Failures++
		return
	}
	if to == workflow.Failed {
		s.Failures++
		m.state.Failed = append(m.state.Failed, i)
		if s.When == workflow.Normal {
			m.stop()
		}
	}
	m.count(s, -1)
	m.release(i)
}

// again makes a step ready whose attempt was cut off, or whose wait is over. It had its
// turn already, and goes first.
func (m *machine) again(i int) {
	s := &m.steps[i]
	if s.going {
		m.running--
		s.going = false
	}
	s.Due = time.Time{}
	if s.State.Ended() {
		return
	}
	if s.State = workflow.Pending; m.mayStart(s) {
		m.ready = slices.Insert(m.ready, 0, i)
	}
}

// release lets those go on that wait for a step which is over.
func (m *machine) release(i int) {
	for over := []int{i}; len(over) > 0; over = over[1:] {
		s := &m.steps[over[0]]
		for _, n := range s.next {
			next := &m.steps[n]
			if !s.over(next.When) {
				continue
			}
			next.after--
			if next.after > 0 || next.State.Ended() {
				continue
			}
			if m.idle(next) {
				m.passBy(next)
				over = append(over, n)
			} else if m.mayStart(next) {
				m.ready = append(m.ready, n)
			}
		}
	}
}

// stop lets no further normal step start.
func (m *machine) stop() {
	m.stopping = true
	m.ready = slices.DeleteFunc(m.ready, func(i int) bool { return m.steps[i].When == workflow.Normal })
}

// cancel stops the operation, unless its normal steps are over already.
func (m *machine) cancel(reason string) {
	if m.state.Closing || m.state.Requested != "" {
		return
	}
	m.state.Requested = reason
	m.stop()
}

// settle begins the closing part, and ends the operation, when it is time.
func (m *machine) settle(now time.Time) {
	if m.state.State.Ended() || m.running > 0 {
		return
	}
	if !m.state.Closing {
		if m.openNormal > 0 && !m.stopping {
			return
		}
		m.close()
	}
	if m.openClosing > 0 {
		return
	}
	m.state.EndedAt = now
	switch {
	case m.state.Cancelled:
		m.state.State = workflow.Cancelled
	case len(m.state.Failed) > 0:
		m.state.State = workflow.Failed
	default:
		m.state.State = workflow.Succeeded
	}
}

// close begins the closing part.
func (m *machine) close() {
	m.state.Closing, m.state.Cancelled = true, m.state.Requested != ""
	m.stopping, m.ready = true, nil
	m.leaveOut()
	m.pass(true)
	for i := range m.steps {
		if s := &m.steps[i]; s.When != workflow.Normal && !s.State.Ended() && s.after == 0 {
			m.ready = append(m.ready, i)
		}
	}
}

// leaveOut settles the normal steps that are left, and finds out whether the closing
// steps for a failure are needed: failures of closing steps do not count.
func (m *machine) leaveOut() {
	m.failing = m.state.Cancelled
	for i := range m.steps {
		s := &m.steps[i]
		if s.When != workflow.Normal {
			continue
		}
		if !s.State.Ended() {
			s.State, s.Due = workflow.Skipped, time.Time{}
			if s.Attempts > 0 {
				s.State = workflow.Cancelled
			}
			m.count(s, -1)
		}
		m.failing = m.failing || s.State == workflow.Failed
	}
}

// failure says why the operation does not succeed, or nil.
func (m *machine) failure() *workflow.Failure {
	if !m.state.Cancelled && len(m.state.Failed) == 0 {
		return nil
	}
	f := &workflow.Failure{}
	if m.state.Cancelled {
		f.Cancelled = m.state.Requested
	}
	for _, i := range m.state.Failed {
		f.Steps = append(f.Steps, workflow.StepError{Step: m.steps[i].ID, Sentence: m.steps[i].Error})
	}
	return f
}

// snapshot gives the state with that of the steps.
func (m *machine) snapshot() state {
	out := m.state
	for i := range m.steps {
		if s := m.steps[i].stepState; s.State != workflow.Pending || s.Attempts > 0 {
			out.Steps = append(out.Steps, s)
		}
	}
	return out
}

// describe says how far the operation is.
func (m *machine) describe(id string) workflow.Description {
	d := workflow.Description{
		ID: id, State: m.state.State, StartedAt: m.state.StartedAt, EndedAt: m.state.EndedAt,
		Steps: make([]workflow.StepDescription, len(m.steps)),
	}
	if m.state.Cancelled || !m.state.Closing {
		d.Cancelled = m.state.Requested
	}
	for i := range m.steps {
		s := &m.steps[i]
		d.Steps[i] = workflow.StepDescription{
			ID: s.ID, Action: s.Action, State: s.State, Attempts: s.Attempts,
			Done: s.Done, Total: s.Total, Error: s.Error, Waiting: s.Due,
		}
	}
	return d
}

package temporal

import (
	"fmt"
	"hash/fnv"
	"strconv"
	"time"

	"go.temporal.io/sdk/temporal"
	sdk "go.temporal.io/sdk/workflow"

	"github.com/karbor/karbor/internal/workflow"
)

// Names on the cluster. They never change: what runs there bears them.
const (
	operationName = "karbor.operation"
	stepName      = "karbor.step"
	quickName     = "karbor.quick"
	signalCancel  = "cancel"
	signalHurry   = "hurry"
	queryState    = "state"
)

const (
	// window is the most attempts of one operation at a time: the cluster refuses
	// 2,000.
	window = 500
	// eventsPerRun is the length of a history from which on an operation goes on in a
	// new run, as soon as no attempt goes on.
	eventsPerRun = 5_000
	// patientRuns is how many times that length, or mostHistory bytes, a history may
	// grow until nothing more starts before the new run.
	patientRuns = 5
	mostHistory = 20 << 20
	// attemptTime bounds an attempt for the cluster, with its wait for a place: its
	// own time-out is the worker's affair, and its death shows in its heartbeat.
	attemptTime = 365 * 24 * time.Hour
	// quickTime bounds an attempt of a quick step that is made with less ado.
	quickTime = 15 * time.Second
	// breather is how long a step rests that the cluster could not have done.
	breather = 5 * time.Second
	// longestFairness is the most bytes that the cluster takes for a fairness key.
	longestFairness = 64
)

// input is what a run begins with.
type input struct {
	Operation string `json:"operation"`
	// Steps is the graph, and State what a run before has left, each encoded.
	Steps []byte `json:"steps"`
	State []byte `json:"state,omitempty"`
	// Places are those of each pool that the steps name: an operation never has more
	// at work.
	Places map[string]int `json:"places,omitempty"`
	// Heartbeat is how long a worker may be silent until its attempts go to another.
	Heartbeat time.Duration `json:"heartbeat"`
	// Events is the length of a history from which on a new run follows.
	Events int `json:"events"`
}

// walk is one run of an operation.
type walk struct {
	codec codec
	id    string
	in    input
	m     *machine
	// cancels end the contexts of the attempts that go on, by position; asked says
	// which were.
	cancels []sdk.CancelFunc
	asked   []bool
	// taken counts the places of each pool that are taken.
	taken map[string]int
	// hurries counts the requests to wait no longer.
	hurries int
	// dirty says that something happened since the last turn.
	dirty bool
	// leaving says that the run is about to end.
	leaving bool
}

// operation is the one workflow: it goes through a graph that is data, to its end, and
// gives the final state. All that it decides follows from its input and its history.
func (c codec) operation(ctx sdk.Context, in input) ([]byte, error) {
	m, err := c.machine(in)
	if err != nil {
		return nil, temporal.NewNonRetryableApplicationError("the operation can't be read", "input", err)
	}
	if m.state.StartedAt.IsZero() {
		m.state.StartedAt = sdk.Now(ctx)
	}
	w := &walk{
		codec: c, id: in.Operation, in: in, m: m,
		cancels: make([]sdk.CancelFunc, len(m.steps)), asked: make([]bool, len(m.steps)), taken: map[string]int{},
	}
	return w.run(ctx)
}

// machine makes the machine of what a run begins with.
func (c codec) machine(in input) (*machine, error) {
	var steps []workflow.Step
	if err := c.decode(in.Steps, &steps); err != nil {
		return nil, fmt.Errorf("reading the graph: %w", err)
	}
	var from state
	if in.State != nil {
		if err := c.decode(in.State, &from); err != nil {
			return nil, fmt.Errorf("reading the state: %w", err)
		}
	}
	return newMachine(steps, from), nil
}

// run makes turns until the operation is over, or goes on in another run.
func (w *walk) run(ctx sdk.Context) ([]byte, error) {
	err := sdk.SetQueryHandler(ctx, queryState, func() ([]byte, error) { return w.codec.encode(w.m.snapshot()) })
	if err != nil {
		return nil, err
	}
	cancels, hurries := sdk.GetSignalChannel(ctx, signalCancel), sdk.GetSignalChannel(ctx, signalHurry)
	for _, i := range w.m.delayed {
		w.wait(ctx, i)
	}
	for {
		for reason := ""; cancels.ReceiveAsync(&reason); {
			w.m.cancel(reason)
		}
		for hurries.ReceiveAsync(nil) {
			w.hurries++
		}
		w.halt()
		w.m.settle(sdk.Now(ctx))
		if w.m.state.State.Ended() {
			w.leaving = true
			return w.codec.encode(w.m.snapshot())
		}
		soon, now := w.full(ctx)
		if w.m.running == 0 && (soon || now) {
			return nil, w.goOn(ctx)
		}
		if !now {
			w.start(ctx)
		}
		w.dirty = false
		err := sdk.Await(ctx, func() bool { return w.dirty || cancels.Len() > 0 || hurries.Len() > 0 })
		if err != nil {
			return nil, err
		}
	}
}

// full says whether a new run should follow soon, or now.
func (w *walk) full(ctx sdk.Context) (soon, now bool) {
	info := sdk.GetInfo(ctx)
	events := info.GetCurrentHistoryLength()
	return events >= w.in.Events, events >= patientRuns*w.in.Events || info.GetCurrentHistorySize() >= mostHistory
}

// goOn ends this run for another one that goes on from the state.
func (w *walk) goOn(ctx sdk.Context) error {
	w.leaving = true
	in := w.in
	var err error
	if in.State, err = w.codec.encode(w.m.snapshot()); err != nil {
		return err
	}
	return sdk.NewContinueAsNewError(ctx, operationName, in)
}

// halt asks the normal attempts to stop, if no more normal steps shall run.
func (w *walk) halt() {
	if !w.m.stopping || w.m.state.Closing {
		return
	}
	for i, cancel := range w.cancels {
		if cancel != nil && !w.asked[i] && w.m.steps[i].When == workflow.Normal {
			w.asked[i] = true
			cancel()
		}
	}
}

// start begins attempts of the steps that are ready, as far as there are places.
func (w *walk) start(ctx sdk.Context) {
	var left []int
	for n, i := range w.m.ready {
		if w.m.running >= window {
			left = append(left, w.m.ready[n:]...)
			break
		}
		pool := w.m.steps[i].Limit
		if places := w.in.Places[pool]; places > 0 && w.taken[pool] >= places {
			left = append(left, i)
			continue
		}
		w.taken[pool]++
		w.m.begin(i)
		w.attempt(ctx, i)
	}
	w.m.ready = left
}

// attempt has one attempt of a step made, and tells the machine how it ended.
func (w *walk) attempt(ctx sdk.Context, i int) {
	own, cancel := sdk.WithCancel(ctx)
	w.cancels[i], w.asked[i] = cancel, false
	sdk.Go(own, func(own sdk.Context) {
		o, err := w.execute(own, i)
		s := &w.m.steps[i]
		if err != nil && !temporal.IsTimeoutError(err) && !temporal.IsCanceledError(err) {
			// Nobody knows the step, or the worker could not even begin.
			_ = sdk.Sleep(ctx, breather)
		}
		asked := w.asked[i]
		w.cancels[i], w.asked[i] = nil, false
		w.taken[s.Limit]--
		w.dirty = true
		if err != nil {
			o = outcome{Kind: cutOff}
		}
		w.end(ctx, i, o, asked)
	})
}

// end tells the machine how an attempt ended.
func (w *walk) end(ctx sdk.Context, i int, o outcome, asked bool) {
	s := &w.m.steps[i]
	retry := s.Retry.Filled()
	switch {
	case o.Kind == succeeded:
		w.m.ended(i, workflow.Succeeded, o, time.Time{})
	case asked:
		w.m.ended(i, workflow.Cancelled, o, time.Time{})
	case o.Kind == cutOff:
		// It does not count, and is made again where it can be.
		s.Long = s.Quick
		w.m.again(i)
	case o.Kind == transient && s.Failures+1 < retry.Attempts:
		due := sdk.Now(ctx).Add(retry.Wait(s.Failures+1, spread(w.id, i, s.Failures)))
		w.m.ended(i, workflow.Pending, o, due)
		w.wait(ctx, i)
	default:
		w.m.ended(i, workflow.Failed, o, time.Time{})
	}
}

// spread gives a number from 0 to 1 that differs from step to step, and is the same in
// each replay.
func spread(id string, i, failures int) float64 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(id + "/" + strconv.Itoa(i) + "/" + strconv.Itoa(failures)))
	return float64(h.Sum32()) / float64(1<<32)
}

// execute makes one attempt: at once in this worker if the step is quick, else through
// the queue.
func (w *walk) execute(ctx sdk.Context, i int) (outcome, error) {
	s := &w.m.steps[i]
	t := task{
		Operation: w.id, Position: i, Step: s.ID, Action: s.Action, Input: s.Input, Attempt: s.Attempts,
		Limit: s.Limit, Timeout: s.Timeout,
	}
	if s.When != workflow.Normal {
		t.Failure = (*failure)(w.m.failure())
		if t.Failure.size() > mostFailure {
			t.Failure, t.Ask = nil, true
		}
	}
	var o outcome
	if s.Quick && !s.Long {
		// It is let finish: so no closing step runs beside it.
		whole, _ := sdk.NewDisconnectedContext(ctx)
		whole = sdk.WithLocalActivityOptions(whole, sdk.LocalActivityOptions{
			StartToCloseTimeout: 4 * quickTime, RetryPolicy: &temporal.RetryPolicy{MaximumAttempts: 1},
		})
		err := sdk.ExecuteLocalActivity(whole, quickName, t).Get(whole, &o)
		return o, err
	}
	key := s.Limit[max(0, len(s.Limit)-longestFairness):]
	ctx = sdk.WithActivityOptions(ctx, sdk.ActivityOptions{
		ActivityID:          strconv.Itoa(i) + "/" + strconv.Itoa(s.Attempts),
		StartToCloseTimeout: attemptTime, HeartbeatTimeout: w.in.Heartbeat, WaitForCancellation: true,
		// The cluster itself gives out again what a worker turned away, and that alone: an
		// attempt that was cut off is another one.
		RetryPolicy: &temporal.RetryPolicy{
			InitialInterval: breather, BackoffCoefficient: 1,
			NonRetryableErrorTypes: []string{"TemporalTimeout:StartToClose", "TemporalTimeout:Heartbeat"},
		},
		Priority: temporal.Priority{FairnessKey: key},
	})
	err := sdk.ExecuteActivity(ctx, stepName, t).Get(ctx, &o)
	return o, err
}

// wait makes a step ready when its next attempt is due, or earlier if that is asked for.
func (w *walk) wait(ctx sdk.Context, i int) {
	s := &w.m.steps[i]
	due, hurries := s.Due, w.hurries
	sdk.Go(ctx, func(ctx sdk.Context) {
		_, err := sdk.AwaitWithTimeout(ctx, max(0, due.Sub(sdk.Now(ctx))), func() bool {
			return w.leaving || w.hurries > hurries || s.State.Ended() || w.m.stopping && s.When == workflow.Normal
		})
		if err != nil || w.leaving {
			return
		}
		w.m.again(i)
		w.dirty = true
	})
}

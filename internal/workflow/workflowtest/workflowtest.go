// Package workflowtest is the suite that every engine passes.
package workflowtest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/workflow"
)

// Harness is an engine with a process that runs it. Its maker ends the processes
// when the test ends.
type Harness struct {
	// Engine is that of the running process.
	Engine workflow.Engine
	// Stop ends the process in order, and waits for its end. Engine still takes
	// calls.
	Stop func()
	// Kill makes the process count for nothing from now on, as kill -9 does: what
	// its actions still do is not seen. It may end their contexts.
	Kill func()
	// Freeze holds the process for longer than a lease lasts; Thaw lets it go on.
	// Meanwhile its actions may run.
	Freeze, Thaw func()
	// Restart starts another process, with the same options and the same
	// operations, and gives its engine.
	Restart func() workflow.Engine
	// Beside starts another process beside the one that runs, with the same options and the
	// same operations, and gives its engine as soon as it has asked for work. From then
	// on Stop, Kill and Freeze are for this one.
	Beside func(Beside) workflow.Engine
	// Patience is how long a large graph may take; 0 stands for five minutes.
	Patience time.Duration
}

// Run checks that engines keep the contract of package workflow. open makes one
// without operations, and starts its process.
func Run(t *testing.T, open func(*testing.T, workflow.Options) Harness) {
	tests := []struct {
		name string
		run  func(*testing.T, opener)
	}{
		{"each step runs once and after those it waits for", testOrder},
		{"of a failing graph only what may run does", testFailingOrder},
		{"a graph without actions is over at once", testJoinsOnly},
		{"steps run in parallel up to their limit", testLimits},
		{"an error that may pass is tried again", testRetry},
		{"a step that waits for its next attempt holds no place", testRetryHoldsNoPlace},
		{"an attempt has a time-out", testTimeout},
		{"a panic is a failure", testPanic},
		{"progress is seen", testProgress},
		{"a cancelled operation stops and closes", testCancel},
		{"a cancelled operation that waits is closed", testCancelWaiting},
		{"a failure stops the siblings and closes", testFailure},
		{"closing steps without a failure", testClosing},
		{"a failed closing step holds up no other", testClosingFailure},
		{"finished steps do not run again after a crash", testCrash},
		{"a step that waits for its next attempt waits no longer after a crash", testCrashWaiting},
		{"a stopped engine goes on where it was", testStop},
		{"a crash among closing steps", testCrashClosing},
		{"attempts are not used up by crashes", testCrashAttempts},
		{"a second engine takes over and the first is fenced", testTakeOver},
		{"operations may be handed over while nothing runs", testStartStopped},
		{"a repeated start changes nothing", testStartTwice},
		{"many operations at once", testMany},
		{"a large graph", testLarge},
		{"a bad graph is refused", testInvalid},
		{"a graph that can't be read is refused", testUnreadableGraph},
		{"an action gets its task", testTask},
		{"actions get the context of their operation", testContext},
		{"what was handed over survives a kill at once", testKilledAtOnce},
		{"a pool without a limit has its places over all operations", testDefaultPlaces},
		{"a step without a retry has the default one", testDefaultRetry},
		{"failures are told in their order, also after a crash", testFailureOrder},
		{"a cancel survives a crash", testCancelSurvives},
		{"a cancel of an operation that closes is refused", testCancelClosing},
		{"closing steps of a cancelled operation are not cut off", testCancelledClosing},
		{"of a failed operation that was resumed no step waits", testStoppedAfterCrash},
		{"an operation that is over can be forgotten", testForget},
		{"a share with many operations keeps no other waiting", testShares},
		{"one that waits behind many can be cancelled", testCancelInCrowd},
		{"a process whose clock is wrong takes nothing from another", testSkewed},
		{"what a process with a wrong clock had goes on when it dies", testSkewedDeath},
		{"two processes of one name carry all out", testTwin},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { test.run(t, open) })
	}
}

type opener = func(*testing.T, workflow.Options) Harness

// patience is how long the suite waits for what must happen.
const patience = time.Minute

// await polls until the operation is over.
func await(t testing.TB, e workflow.Engine, id string) workflow.Description {
	t.Helper()
	return awaitThat(t, e, id, func(d workflow.Description) bool { return d.State.Ended() })
}

// awaitThat polls until a description is as it should become.
func awaitThat(t testing.TB, e workflow.Engine, id string, ok func(workflow.Description) bool) workflow.Description {
	t.Helper()
	d, err := poll(t.Context(), e, id, patience, ok)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func poll(ctx context.Context, e workflow.Engine, id string, patience time.Duration, ok func(workflow.Description) bool) (workflow.Description, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	wait := time.Millisecond
	for {
		d, err := e.Describe(ctx, id)
		if err != nil {
			return d, fmt.Errorf("describing %s: %w", id, err)
		}
		if ok(d) {
			return d, nil
		}
		select {
		case <-time.After(wait):
			wait = min(2*wait, 100*time.Millisecond)
		case <-ctx.Done():
			over := 0
			for _, s := range d.Steps {
				if s.State.Ended() {
					over++
				}
			}
			if len(d.Steps) > 20 {
				d.Steps = d.Steps[:20]
			}
			return d, fmt.Errorf("the operation did not become what it should; %d of its steps are over, and it is %+v", over, d)
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantKind(t testing.TB, err error, kind karbor.Kind) {
	t.Helper()
	if err == nil || karbor.KindOf(err) != kind {
		t.Errorf("got the error %v, want one of the kind %d", err, kind)
	}
}

// wantState compares the state of an operation.
func wantState(t testing.TB, d workflow.Description, state workflow.State) {
	t.Helper()
	if d.State != state || d.EndedAt.IsZero() || d.StartedAt.IsZero() {
		t.Errorf("the operation is %s, from %s to %s; want %s", d.State, d.StartedAt, d.EndedAt, state)
	}
}

// wantSteps compares the states of the steps named.
func wantSteps(t testing.TB, d workflow.Description, states map[string]workflow.State) {
	t.Helper()
	for id, state := range states {
		if got := stepOf(d, id); got.State != state {
			t.Errorf("the step %s is %s, want %s", id, got.State, state)
		}
	}
}

func stepOf(d workflow.Description, id string) workflow.StepDescription {
	i := slices.IndexFunc(d.Steps, func(s workflow.StepDescription) bool { return s.ID == id })
	if i < 0 {
		return workflow.StepDescription{}
	}
	return d.Steps[i]
}

// signal is a channel that is waited for with patience.
type signal chan struct{}

// await waits for one value, or the close.
func (s signal) await(t testing.TB) {
	t.Helper()
	select {
	case <-s:
	case <-time.After(patience):
		t.Fatal("nothing came in time")
	}
}

// diary notes what actions did, in order.
type diary struct {
	mu      sync.Mutex
	entries []string
}

func (d *diary) note(entry string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.entries = append(d.entries, entry)
}

func (d *diary) all() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.entries)
}

func (d *diary) count(entry string) int {
	n := 0
	for _, e := range d.all() {
		if e == entry {
			n++
		}
	}
	return n
}

// quick is a retry without long waits.
func quick(attempts int) workflow.Retry {
	return workflow.Retry{Attempts: attempts, First: time.Millisecond, Max: 2 * time.Millisecond}
}

// Package workflow is the contract of an execution engine: it runs graphs of
// steps that are handed over as data, durably. What a step does is registered
// under a name; the engine knows nothing of protection. Two engines keep the
// contract: local, in the one protection process of a small site, and, for a
// fleet, a workflow cluster. workflowtest is the suite that both pass.
package workflow

import (
	"context"
	"errors"
	"strings"
	"time"
)

// When says in which case a step runs.
type When string

// A graph's steps run in two parts. The normal ones run first. When they are all
// over (or one has failed, or a cancel has come, and those that run have
// returned), the closing ones run: OnFailure ones only if a normal one failed or the
// operation was cancelled, Always ones in any case. A closing step that is left out
// still keeps the order of those before and behind it.
const (
	Normal    When = ""
	OnFailure When = "on_failure"
	Always    When = "always"
)

// Step is one node of a graph. It holds ids only, never documents or secrets.
type Step struct {
	// ID names the step within its graph; 1 to 255 bytes.
	ID string `json:"id"`
	// Action is the name of the registered function that does the work. A step
	// without one is a join: it only orders others, and costs next to nothing.
	Action string `json:"action,omitempty"`
	// Input is handed to the action; at most MaxInput bytes.
	Input string `json:"input,omitempty"`
	// After are the steps that must be over first. A normal step waits for their
	// success. A closing step may wait for closing ones only; it starts when they
	// are over, whether they succeeded or not.
	After []string `json:"after,omitempty"`
	When  When     `json:"when,omitempty"`
	// Limit names the pool of places that the step takes one of while it runs;
	// "" is the default pool. What stands behind its first slash is the share of the
	// operation: one of another share never waits for this one. See Limits and Share.
	Limit string `json:"limit,omitempty"`
	// Timeout bounds one attempt; 0 stands for DefaultTimeout.
	Timeout time.Duration `json:"timeout,omitempty"`
	Retry   Retry         `json:"retry,omitzero"`
	// Quick says that an attempt is over in a second as a rule, and reports no
	// progress: an engine may run it with less ado. Then an attempt that a crash cut
	// off may be repeated under its number, and one that runs may end as if no cancel
	// had come.
	Quick bool `json:"quick,omitempty"`
}

// Retry says how often and how soon a step is tried again after an error that may
// pass (karbor.IsTransient). An attempt that a crash cut off does not count. The
// zero value stands for DefaultRetry.
type Retry struct {
	// Attempts is the most attempts in all.
	Attempts int `json:"attempts,omitempty"`
	// First is the wait after the first attempt; each further one doubles it, up
	// to Max.
	First time.Duration `json:"first,omitempty"`
	Max   time.Duration `json:"max,omitempty"`
}

// Limits and defaults of the contract.
const (
	// MaxInput is the most bytes of a step's input.
	MaxInput = 4096
	// MaxPage is the most steps that are handed over at once.
	MaxPage = 500
	// DefaultTimeout bounds an attempt of a step that names no time-out.
	DefaultTimeout = 10 * time.Minute
)

// DefaultRetry is used for a step that names none: nine attempts over about four
// minutes, which outlasts the restart of a cloud's service.
func DefaultRetry() Retry {
	return Retry{Attempts: 9, First: time.Second, Max: time.Minute}
}

// Graph is a flow as data, read page by page. It must give the same steps in the
// same order each time.
type Graph interface {
	// Page gives up to MaxPage steps from position offset on, and none at the
	// end. A step comes after those that it waits for.
	Page(ctx context.Context, offset int) ([]Step, error)
}

// Steps is a Graph in memory.
type Steps []Step

// Page implements Graph.
func (s Steps) Page(_ context.Context, offset int) ([]Step, error) {
	from := min(offset, len(s))
	return s[from:min(from+MaxPage, len(s))], nil
}

// Action does a step's work. It may run more than once for one step, never twice
// at a time. It returns soon after its context ends.
type Action func(ctx context.Context, task *Task) error

// Task is what an action gets.
type Task struct {
	// Operation is the id of the operation, Step that of the step.
	Operation string
	Step      string
	Input     string
	// Attempt counts from 1; a re-run after a crash counts on.
	Attempt int
	// Failure is set in closing steps of an operation that failed or was
	// cancelled; nil otherwise.
	Failure *Failure
	// Progress reports how far the step is; it also tells the engine that the
	// step is alive. It is cheap.
	Progress func(done, total int64)
}

// Failure says why an operation did not succeed.
type Failure struct {
	// Cancelled is the reason given to Cancel, or "".
	Cancelled string
	// Steps are the failed steps, with the sentence of each error, in the order
	// in which they failed: the normal ones, and the closing ones that were over
	// before this one started.
	Steps []StepError
}

// StepError is the failure of one step.
type StepError struct {
	Step string
	// Sentence is for the tenant (karbor.Sentence of the error).
	Sentence string
}

// ErrDamaged says that what an engine keeps of an operation can't be what it has written. The
// operation is not gone on with.
var ErrDamaged = errors.New("what the engine keeps of it is damaged")

// ErrStopped is the cause of the end of an action's context when its operation stops: it was
// cancelled, or another step has failed. The step is then not made elsewhere, as it is after
// any other end but a time-out.
var ErrStopped = errors.New("the operation is being stopped")

// State is the state of an operation or of a step.
type State string

// The states. Skipped is for steps only: its turn never came.
const (
	Pending   State = "pending"
	Running   State = "running"
	Succeeded State = "succeeded"
	Failed    State = "failed"
	Cancelled State = "cancelled"
	Skipped   State = "skipped"
)

// Ended reports whether no other state can follow.
func (s State) Ended() bool { return s != Pending && s != Running }

// Known reports whether it is one of the states.
func (s State) Known() bool {
	switch s {
	case Pending, Running, Succeeded, Failed, Cancelled, Skipped:
		return true
	}
	return false
}

// Description is what the engine knows of an operation.
type Description struct {
	ID        string
	State     State
	Cancelled string // the reason given to Cancel
	// Before is how many other operations of its share are to begin before a Pending one;
	// negative if the engine does not know.
	Before    int
	StartedAt time.Time
	EndedAt   time.Time // zero while it is not over
	Steps     []StepDescription
}

// StepDescription is what the engine knows of a step.
type StepDescription struct {
	ID       string
	Action   string
	State    State
	Attempts int
	// Done and Total are what Progress reported last.
	Done, Total int64
	// Error is the sentence of the last error, also while it is tried again.
	Error string
	// Waiting is when the next attempt is due, while it is tried again.
	Waiting time.Time
	// Queued says that it waits for a place in its pool, and Before how many steps are
	// to get one before it; negative if the engine does not know.
	Queued bool
	Before int
}

// Engine runs operations. Methods may be called concurrently.
type Engine interface {
	// Start hands an operation over. When it returns nil the operation survives
	// a crash. A known id is no error and changes nothing, so that a repeat is
	// harmless. A graph with an unknown action, an edge to a step that does not
	// come before, or an id twice is karbor.Invalid.
	Start(ctx context.Context, operation string, g Graph) error
	// Cancel asks the operation to stop: the contexts of its running normal steps
	// end, no further normal step starts, the closing steps run. One that is over
	// is karbor.Conflict, an unknown one karbor.NotFound; a repeat is no error.
	Cancel(ctx context.Context, operation, reason string) error
	// Describe tells how far an operation is; karbor.NotFound if it is unknown.
	Describe(ctx context.Context, operation string) (Description, error)
	// Forget removes what the engine keeps of an operation that is over; one that
	// is not over is karbor.Conflict, an unknown one no error. An engine that removes it
	// by and by gives a transient error as long as it is there: it is to be asked again.
	Forget(ctx context.Context, operation string) error
}

// Options are those of every engine.
type Options struct {
	// Actions are the functions that steps name.
	Actions map[string]Action
	// Limits gives the number of places in each named pool; a name without a slash is for
	// all that have it before their first one, too. Default is for the pools that it does
	// not name, each by itself. 0 stands for 8. See Places.
	Limits  map[string]int
	Default int
	// Context, if not nil, gives the context for an operation's actions, and for
	// what the engine logs of them: it may add values to ctx, such as the id of a
	// request. It is called before each attempt.
	Context func(ctx context.Context, operation string) context.Context
}

// Places gives the number of places in a pool.
func (o Options) Places(pool string) int {
	if n, named := o.Limits[pool]; named {
		return n
	}
	kind, _, _ := strings.Cut(pool, "/")
	if n, named := o.Limits[kind]; named {
		return n
	}
	return o.Default
}

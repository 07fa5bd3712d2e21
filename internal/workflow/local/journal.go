package local

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/karbor/karbor/internal/workflow"
)

// ErrFenced says that a write came from an engine that no longer holds the
// lease. Nothing was written.
var ErrFenced = errors.New("another engine has taken the journal over")

// ErrHeld says that the lease belongs to another engine and has not run out.
var ErrHeld = errors.New("another engine holds the journal's lease")

// Unfenced is the token of a write that needs no lease: a process that runs no
// engine may hand an operation over and ask for its cancellation.
const Unfenced int64 = 0

// Journal keeps the operations, their steps and the lease, durably: what a
// method wrote survives a crash as soon as it returned nil. A method writes all
// or nothing. A write under a token other than that of the lease is ErrFenced.
// Methods may be called concurrently.
type Journal interface {
	// Create keeps a new operation and its steps. It reports false, and changes
	// nothing, if the id is known.
	Create(ctx context.Context, token int64, op OperationRecord, steps []workflow.Step) (created bool, err error)
	// Record writes what happened since the last call.
	Record(ctx context.Context, token int64, batch Batch) error
	// Load gives an operation; karbor.NotFound if it is unknown.
	Load(ctx context.Context, operation string) (Recorded, error)
	// Shares gives the number of operations that are not over, by the shares that have any.
	Shares(ctx context.Context) (map[string]int, error)
	// Unfinished lists operations of a share that are not over, oldest first, up to limit.
	Unfinished(ctx context.Context, share string, limit int) ([]OperationRecord, error)
	// Requested lists operations that are not over and have a request to cancel, oldest
	// first, up to limit.
	Requested(ctx context.Context, limit int) ([]OperationRecord, error)
	// Before gives how many operations of its share are Pending, without a request to
	// cancel, and older than the one given.
	Before(ctx context.Context, op OperationRecord) (int, error)
	// RequestCancel keeps the reason, unless there is one. An unknown operation is
	// karbor.NotFound; one that is over, or whose normal steps are, is
	// karbor.Conflict.
	RequestCancel(ctx context.Context, operation, reason string) error
	// Forget removes an operation that is over; another one is karbor.Conflict,
	// an unknown one no error.
	Forget(ctx context.Context, operation string) error

	// Acquire takes the lease for the owner, and gives a token greater than all before.
	// It does so if nobody holds the lease, if it has run out, or if the same owner holds
	// it. Else it is ErrHeld, with the time that the lease has left. All goes by the
	// journal's clock, which all processes share: those of their machines may differ.
	Acquire(ctx context.Context, owner string, lasting time.Duration) (token int64, left time.Duration, err error)
	// Renew lets the lease last from now on, by the journal's clock.
	Renew(ctx context.Context, token int64, lasting time.Duration) error
	// Release gives the lease back. A lease that is lost is no error.
	Release(ctx context.Context, token int64) error
}

// OperationRecord is what a journal keeps of an operation beside its steps.
type OperationRecord struct {
	ID string
	// Share is that of its steps: see workflow.Share.
	Share string
	// State is Pending as long as no step can have begun.
	State workflow.State
	// Requested is the reason of a request to cancel, or "".
	Requested string
	// Closing says that the normal steps are over; Cancelled, that a request to
	// cancel came before that.
	Closing   bool
	Cancelled bool
	CreatedAt time.Time
	StartedAt time.Time
	EndedAt   time.Time
}

// StepRecord is what a journal keeps of a step. A step has none until it ended,
// was tried again, reported progress or met a restart.
type StepRecord struct {
	Operation string
	// Position is the step's place in its graph, from 0.
	Position int
	State    workflow.State
	// Attempts is the number of attempts that may have begun; in the state
	// Running the last of them may still go on. Failures is how many of them
	// count against Retry.Attempts.
	Attempts int
	Failures int
	Done     int64
	Total    int64
	Error    string
	// Due is when the next attempt is due, if one waits.
	Due     time.Time
	EndedAt time.Time
	// Order numbers the failed steps of an operation from 1; 0 for others.
	Order int
}

// Batch is a set of records that are written together.
type Batch struct {
	Operations []OperationRecord
	Steps      []StepRecord
}

func (b *Batch) empty() bool { return len(b.Operations) == 0 && len(b.Steps) == 0 }

// Recorded is an operation as a journal keeps it.
type Recorded struct {
	OperationRecord
	Steps   []workflow.Step
	Records []StepRecord
}

// Check finds out, as workflow.ErrDamaged, whether an engine can have written this: each
// record is of a step, each step waits for earlier ones alone, and all states are known.
func (r *Recorded) Check() error {
	wrong := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s", workflow.ErrDamaged, fmt.Sprintf(format, args...))
	}
	if !r.State.Known() {
		return wrong("it is in the unknown state %q", r.State)
	}
	known := make(map[string]bool, len(r.Steps))
	for i := range r.Steps {
		for _, before := range r.Steps[i].After {
			if !known[before] {
				return wrong("the step %q waits for %q, which is missing", r.Steps[i].ID, before)
			}
		}
		known[r.Steps[i].ID] = true
	}
	if len(known) < len(r.Steps) {
		return wrong("a step is there twice")
	}
	for i := range r.Records {
		switch record := &r.Records[i]; {
		case record.Position < 0 || record.Position >= len(r.Steps):
			return wrong("step %d is missing", record.Position)
		case !record.State.Known():
			return wrong("step %d is in the unknown state %q", record.Position, record.State)
		}
	}
	return nil
}

package karbor

import (
	"crypto/sha256"
	"fmt"
	"strconv"
	"time"
)

// OverlapPolicy is what becomes of a run whose time comes while an earlier run of
// the same scheduled operation still goes on.
type OverlapPolicy string

// The policies.
const (
	// OverlapSkip leaves the later run out.
	OverlapSkip OverlapPolicy = "skip"
	// OverlapQueue lets one run wait for the earlier one, however long that takes. A
	// further one is left out.
	OverlapQueue OverlapPolicy = "queue"
)

// RunState is the state of one run of a scheduled operation.
type RunState string

// The states of a run. The last four are ends.
const (
	// RunQueued is a run that shall begin.
	RunQueued RunState = "queued"
	// RunRunning is a run whose operation was accepted.
	RunRunning RunState = "running"
	// RunSuccess and RunError are runs whose operation is over.
	RunSuccess RunState = "success"
	RunError   RunState = "error"
	// RunSkipped is one that was left out: somebody asked for that, or an earlier one
	// still went on.
	RunSkipped RunState = "skipped"
	// RunDropped is one that could not begin within its trigger's window.
	RunDropped RunState = "dropped_out_of_window"
)

// Ended reports whether the run is over.
func (s RunState) Ended() bool { return s != RunQueued && s != RunRunning }

// ScheduledRun is one run of a scheduled operation, as its log has it. There is
// exactly one for each expected time.
type ScheduledRun struct {
	// ID is RunID's; the operation that the run starts has it, too.
	ID                   string
	ScheduledOperationID string
	ProjectID            string
	// ExpectedAt is the time of the trigger, or that of the request of a Manual run.
	ExpectedAt time.Time
	Manual     bool
	State      RunState
	// TriggeredAt is when an operation engine saw that its time had come, StartedAt when
	// its operation was accepted, EndedAt when it was over. Each is zero before.
	TriggeredAt, StartedAt, EndedAt time.Time
	// CheckpointID is the checkpoint that it makes, or "".
	CheckpointID string
	// Reason says why it waits, was left out or failed, or what else it did.
	Reason string
	// Operations are those of a run that works on several checkpoints, in their order; nil
	// for a run of one operation.
	Operations []RunOperation
}

// RunOperation is one operation of a run that works on several checkpoints, one after
// another.
type RunOperation struct {
	// Position counts from 0.
	Position     int
	CheckpointID string
	// OperationID is "" before it has begun. The first one of a run that begins has the id
	// of the run, the others have RunOperationID's.
	OperationID string
	// State is one of RunQueued, RunRunning, RunSuccess, RunError and RunSkipped: it could
	// not be begun, or the run ended before.
	State RunState
	// Reason says why it failed or was left out.
	Reason string
}

// RunOperationID gives the id of the operation at a position of a run that has begun
// already: always the same UUID (RFC 9562, version 8).
func RunOperationID(runID string, position int) string {
	return hashID("karbor run operation\n" + runID + "\n" + strconv.Itoa(position))
}

// RunID gives the id of the run of a scheduled operation at an expected time: always
// the same UUID (RFC 9562, version 8).
func RunID(scheduledOperationID string, expected time.Time) string {
	return hashID("karbor run\n" + scheduledOperationID + "\n" + strconv.FormatInt(expected.UnixMicro(), 10))
}

// hashID gives a UUID that is always the same for a text.
func hashID(text string) string {
	sum := sha256.Sum256([]byte(text))
	b := sum[:16]
	b[6] = b[6]&0x0f | 0x80
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:16])
}

// DelegationState tells whether a scheduled operation can act as its user.
type DelegationState string

// The states of a delegation.
const (
	// DelegationGood is one that worked when it was last tried.
	DelegationGood DelegationState = "good"
	// DelegationBroken is one that Keystone refuses: it has ended, was revoked, or its
	// user or a role of theirs is gone.
	DelegationBroken DelegationState = "broken"
	// DelegationMissing is none at all: the scheduled operation is older than the
	// operation engine.
	DelegationMissing DelegationState = "missing"
)

// The kinds of delegations.
const (
	DelegationTrust      = "trust"
	DelegationCredential = "application_credential"
)

// Schedule says when a scheduled operation runs next, and how it can act as its user.
type Schedule struct {
	ScheduledOperationID string
	// NextAt is the next expected time, zero if there is none or if it is not known
	// yet. DueAt is when that run begins: later by its share of the trigger's jitter.
	NextAt, DueAt time.Time
	// PausedUntil is zero for one that is not paused.
	PausedUntil time.Time
	Overlap     OverlapPolicy
	// DelegationKind is DelegationTrust, DelegationCredential or "".
	DelegationKind   string
	DelegationState  DelegationState
	DelegationReason string
	// DelegationEnd is when the delegation ends by itself; zero for never. ProbedAt is
	// when it was last tried.
	DelegationEnd, ProbedAt time.Time
}

// Share gives by how much a scheduled operation begins later than its trigger's
// times: a part of the jitter that is always the same, in whole milliseconds.
func Share(scheduledOperationID string, jitter time.Duration) time.Duration {
	if jitter <= 0 {
		return 0
	}
	sum := sha256.Sum256([]byte("karbor jitter\n" + scheduledOperationID))
	part := int64(sum[0])<<16 | int64(sum[1])<<8 | int64(sum[2])
	return time.Duration(jitter.Milliseconds()*part>>24) * time.Millisecond
}

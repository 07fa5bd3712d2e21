package store

import (
	"context"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store/checkpoints"
	"github.com/karbor/karbor/internal/store/copies"
	"github.com/karbor/karbor/internal/store/credentials"
	"github.com/karbor/karbor/internal/store/drills"
	"github.com/karbor/karbor/internal/store/ledger"
	"github.com/karbor/karbor/internal/store/leftovers"
	"github.com/karbor/karbor/internal/store/mappings"
	"github.com/karbor/karbor/internal/store/operations"
	"github.com/karbor/karbor/internal/store/plans"
	"github.com/karbor/karbor/internal/store/replays"
	"github.com/karbor/karbor/internal/store/restores"
	"github.com/karbor/karbor/internal/store/rows"
	"github.com/karbor/karbor/internal/store/schedules"
	"github.com/karbor/karbor/internal/store/services"
)

// MaxLimit is the most items of one page, and how many a page has that names no
// limit.
const MaxLimit = rows.MaxLimit

// Callers know the store as one package: these are the rooms' words by one name.
type (
	// Page says which part of a list is wanted, and in which order.
	Page = rows.Page
	// Sort is one key of an order.
	Sort = rows.Sort
)

// The words of quotas.
type (
	// QuotaResource is something that a project may have only so much of.
	QuotaResource = ledger.QuotaResource
	// Limits are the most that there may be of each resource.
	Limits = ledger.Limits
	// Usage is what a project has of a resource.
	Usage = ledger.Usage
)

// The constants of quotas.
const (
	QuotaPlans       = ledger.QuotaPlans
	QuotaCheckpoints = ledger.QuotaCheckpoints
	QuotaGigabytes   = ledger.QuotaGigabytes
	// Unlimited is the limit that stands for any number.
	Unlimited = ledger.Unlimited
	// DefaultQuotaClass is the class whose limits are the defaults of all projects, in place of the
	// configured ones.
	DefaultQuotaClass = ledger.DefaultQuotaClass
)

// The words of plans.
type (
	// PlanFilter narrows a list of plans down.
	PlanFilter = plans.Filter
)

// The words of the catalogue of checkpoints.
type (
	// CheckpointFilter narrows a list of checkpoints down.
	CheckpointFilter = checkpoints.Filter
	// Covering is an available checkpoint as a report on what is protected reads it.
	Covering = checkpoints.Covering
	// CoveredBy is what a checkpoint holds, and what of it was verified.
	CoveredBy = checkpoints.CoveredBy
	// Verified is what a verification that came to its end has found.
	Verified = checkpoints.Verified
	// VerifiedResource is what was found of a resource.
	VerifiedResource = checkpoints.VerifiedResource
	// Standing is what speaks against deleting a checkpoint.
	Standing = checkpoints.Standing
	// PlannedCheckpoint is what the rules of retention need to know of a checkpoint.
	PlannedCheckpoint = checkpoints.PlannedCheckpoint
	// Expired names a checkpoint whose date has come, and who set the date.
	Expired = checkpoints.Expired
	// BankLock says how a bank has locked what a checkpoint needs.
	BankLock = checkpoints.BankLock
	// HeldCheckpoint is a checkpoint that somebody holds now.
	HeldCheckpoint = checkpoints.HeldCheckpoint
	// WorkedOn is a checkpoint that is worked on, as the catalogue says.
	WorkedOn = checkpoints.WorkedOn
)

// The constants of the catalogue of checkpoints.
const (
	// MainBank is the word for the provider's own bank among those of its copy targets.
	MainBank = checkpoints.MainBank
)

// The words of copies.
type (
	// Copying says what a request for copies copies: of its plan, the available checkpoints in the
	// provider's own bank that a target does not have yet, the oldest first.
	Copying = copies.Copying
	// CopyTarget is a target of a request for copies.
	CopyTarget = copies.Target
	// Copied is how far the copy of one checkpoint to one target is.
	Copied = copies.Copied
	// CopiedOutcome is how the copy of one checkpoint ended.
	CopiedOutcome = copies.Outcome
	// CopyFilter narrows a list of copies down.
	CopyFilter = copies.Filter
)

// ErrNothingToCopy says that a request for copies has nothing to do.
var ErrNothingToCopy = copies.ErrNothingToCopy

// The words of restores and verifications.
type (
	// RestoreFilter narrows a list of restores down.
	RestoreFilter = restores.Filter
	// VerificationFilter narrows a list of verifications down.
	VerificationFilter = restores.VerificationFilter
)

// The words of drills.
type (
	// DrillFilter narrows a list of drills down.
	DrillFilter = drills.Filter
	// Drilled is how a drill ended.
	Drilled = drills.Drilled
	// DrillProof says whether the signed record of a drill lies in the bank, too.
	DrillProof = drills.Proof
	// UnkeptProof is a drill whose record does not lie in its bank.
	UnkeptProof = drills.UnkeptProof
	// DrillEvent is something that happened in a drill to one resource: a hook or a probe.
	DrillEvent = drills.Event
)

// The words of operations.
type (
	// Operation is an accepted operation.
	Operation = operations.Operation
	// Target names what an operation is about: a checkpoint or a restore.
	Target = operations.Target
	// OperationLogFilter narrows a list of operation logs down.
	OperationLogFilter = operations.LogFilter
	// RequestKind is what is asked of an operation.
	RequestKind = operations.RequestKind
	// Request is what is asked of an operation.
	Request = operations.Request
	// OperationEntry is an operation in a list of an operator's.
	OperationEntry = operations.Entry
	// OperationGroup are the operations of one project with one provider.
	OperationGroup = operations.Group
	// ResourceRecord is how far an operation is with one resource.
	ResourceRecord = operations.ResourceRecord
	// RecordOutcome is how an operation ended for one resource.
	RecordOutcome = operations.RecordOutcome
	// Turn is that of one of an operation's hooks among those that make things which they share.
	Turn = operations.Turn
)

// The constants of operations.
const (
	// CancelRequest asks an operation that runs to stop.
	CancelRequest = operations.CancelRequest
	// FailRequest asks to end one that does not come to its end by itself.
	FailRequest = operations.FailRequest
	// RetryRequest asks to do again what one has failed to do.
	RetryRequest = operations.RetryRequest
)

// Counted reports whether operations of a kind are counted among those at work, and wait for a
// place.
func Counted(op karbor.OperationType) bool { return operations.Counted(op) }

// The words of what operations have in the cloud.
type (
	// Holding is something temporary in the cloud that an operation holds, or has held, of its
	// tenant's quota.
	Holding = leftovers.Holding
	// HoldingFilter narrows a list of holdings down.
	HoldingFilter = leftovers.HoldingFilter
	// Held is how much is held at once of one kind.
	Held = leftovers.Held
	// Leftover is what an operation that is over made in the cloud for one resource, and could not
	// remove.
	Leftover = leftovers.Leftover
)

// The words of schedules.
type (
	// Lent is a delegation that a user has lent to a scheduled operation.
	Lent = schedules.Lent
	// ReturnedDelegation is one that no scheduled operation uses any more.
	ReturnedDelegation = schedules.ReturnedDelegation
	// LentDelegation is the delegation of a scheduled operation.
	LentDelegation = schedules.LentDelegation
	// RunClaim is the right of one node to begin, or to end, a run.
	RunClaim = schedules.RunClaim
	// ClaimedRun is a run with all that is needed to do it.
	ClaimedRun = schedules.ClaimedRun
	// Lease is a claim that is asked for.
	Lease = schedules.Lease
	// RunStep names the operation of a run that is accepted.
	RunStep = schedules.RunStep
	// ScheduleChange is a scheduled operation with its schedule, to be changed.
	ScheduleChange = schedules.Change
	// ScheduledOperationFilter narrows a list of scheduled operations down.
	ScheduledOperationFilter = schedules.OperationFilter
	// Verifiable says of which checkpoints ToVerify chooses.
	Verifiable = schedules.Verifiable
	// TriggerFilter narrows a list of triggers down.
	TriggerFilter = schedules.TriggerFilter
	// UnmadeRun is a run of a scheduled operation that did not do what it should have done.
	UnmadeRun = schedules.UnmadeRun
)

// ErrRunLost says that a claim of a run has ended: another node has it, or it is over.
var ErrRunLost = schedules.ErrRunLost

// The words of credentials.
type (
	// ApplicationCredential is one that a user has registered for a project.
	ApplicationCredential = credentials.ApplicationCredential
	// Lending is a trust that is being made for a scheduled operation.
	Lending = credentials.Lending
	// Revocation is the delegation of an operation that is over, which Keystone has not taken back
	// yet.
	Revocation = credentials.Revocation
)

// The words of mapping profiles.
type (
	// MappingProfileFilter narrows a list of mapping profiles down.
	MappingProfileFilter = mappings.Filter
)

// The words of requests with an Idempotency-Key.
type (
	// Replay is a request that carried an Idempotency-Key.
	Replay = replays.Replay
)

// The constants of requests with an Idempotency-Key.
const (
	// ReplayFor is how long a request with an Idempotency-Key is remembered.
	ReplayFor = replays.For
)

// The words of services.
type (
	// ServiceFilter narrows a list of services down.
	ServiceFilter = services.Filter
)

// QuotaResources gives all of them, in the order in which they are shown, and in
// which a transaction locks their usages.
func QuotaResources() []QuotaResource { return ledger.QuotaResources() }

// WithReplay gives a context whose transactions mark the request of a scope as done:
// what they keep is so kept together with the mark.
func WithReplay(ctx context.Context, scope string) context.Context { return replays.With(ctx, scope) }

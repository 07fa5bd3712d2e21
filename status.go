package karbor

// PlanStatus is the state of a plan.
type PlanStatus string

// A new plan is suspended; a started one is locked against changes.
const (
	PlanSuspended PlanStatus = "suspended"
	PlanStarted   PlanStatus = "started"
)

// CheckpointStatus is the state of a checkpoint.
type CheckpointStatus string

// The states of a checkpoint.
const (
	CheckpointProtecting    CheckpointStatus = "protecting"
	CheckpointAvailable     CheckpointStatus = "available"
	CheckpointError         CheckpointStatus = "error"
	CheckpointDeleting      CheckpointStatus = "deleting"
	CheckpointDeleted       CheckpointStatus = "deleted"
	CheckpointErrorDeleting CheckpointStatus = "error-deleting"
)

// RestoreStatus is the state of a restore.
type RestoreStatus string

// The states of a restore.
const (
	RestoreInProgress RestoreStatus = "in_progress"
	RestoreSuccess    RestoreStatus = "success"
	RestoreFail       RestoreStatus = "fail"
)

// OperationType is what an operation does.
type OperationType string

// The operations.
const (
	Protect          OperationType = "protect"
	RestoreOperation OperationType = "restore"
	Delete           OperationType = "delete"
)

// LogStatus is the state of an operation's log. It starts as the operation's
// target does and ends in one of the end states.
type LogStatus string

// States of an operation log beside those of its checkpoint.
const (
	LogInProgress LogStatus = "in_progress"
	LogSuccess    LogStatus = "success"
	LogError      LogStatus = "error"
)

// ResourceState is the state of one resource within an operation.
type ResourceState string

// The states of a resource within an operation. The words are those that the
// original gave them; those of a verification are VerificationStatus's.
const (
	ResourcePending    ResourceState = "pending"
	ResourceProtecting ResourceState = "protecting"
	ResourceRestoring  ResourceState = "restoring"
	ResourceDeleting   ResourceState = "deleting"
	ResourceVerifying  ResourceState = "verifying"
	ResourceAvailable  ResourceState = "available"
	ResourceDeleted    ResourceState = "deleted"
	ResourceVerified   ResourceState = "success"
	ResourceError      ResourceState = "error"
)

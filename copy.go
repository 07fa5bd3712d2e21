package karbor

import "time"

// CopyOperation is the operation that copies checkpoints into another bank.
const CopyOperation OperationType = "copy"

// CopyStatus is the state of a copy.
type CopyStatus string

// The states of a copy.
const (
	CopyWaiting  CopyStatus = "wait_copying"
	CopyCopying  CopyStatus = "copying"
	CopyFinished CopyStatus = "finished"
	CopyError    CopyStatus = "error"
)

// The states of a checkpoint that is being copied to, before it is available.
const (
	CheckpointWaitCopying CheckpointStatus = "wait_copying"
	CheckpointCopying     CheckpointStatus = "copying"
)

// Copy is one request to copy the checkpoints of a plan that are not copied yet.
type Copy struct {
	ID         string
	ProjectID  string
	ProviderID string
	PlanID     string
	// Checkpoints are those that it copies, once for each target.
	Checkpoints []CopiedCheckpoint
	Parameters  Parameters
	Status      CopyStatus
	CreatedAt   time.Time
	UpdatedAt   time.Time
}

// CopiedCheckpoint names a checkpoint and the one that it is copied to, in the
// words of the wire contract.
type CopiedCheckpoint struct {
	ProtectID string `json:"checkpoint_protect_id"`
	CopyID    string `json:"checkpoint_copy_id"`
}

// CopyProgress is how far a request is with the copy of one checkpoint to one target.
type CopyProgress struct {
	// CheckpointID is the checkpoint that is copied, and CopyID what it is copied to; ""
	// for one that can't be copied.
	CheckpointID, CopyID string
	// Bank is the name of the target.
	Bank   string
	Status CopyStatus
	// Reason says why it failed, or what it waits for.
	Reason string
	// Done and Total are logical bytes; Total is 0 as long as it is not known.
	Done, Total int64
	// Stored is how many bytes the target's bank has got for it.
	Stored int64
}

// StandIn is a copy that is used in place of the checkpoint that was asked for.
type StandIn struct {
	CheckpointID string `json:"checkpoint_id"`
	// Bank is the copy target in whose bank it lies.
	Bank string `json:"bank"`
	// Reason says, in a sentence, why the checkpoint itself is not used.
	Reason string `json:"reason"`
}

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

// Copy is one request to copy the checkpoints of a plan that are not copied yet.
type Copy struct {
	ID         string
	ProjectID  string
	ProviderID string
	PlanID     string
	// Checkpoints are those that it copies.
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

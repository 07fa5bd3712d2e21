package karbor

import "time"

// Verify is the operation that checks what a checkpoint holds.
const Verify OperationType = "verify"

// VerificationStatus is the state of a verification.
type VerificationStatus string

// The states of a verification.
const (
	VerificationVerifying VerificationStatus = "verifying"
	VerificationSuccess   VerificationStatus = "success"
	VerificationError     VerificationStatus = "error"
)

// Verification is one run that checks what a checkpoint holds.
type Verification struct {
	ID           string
	ProjectID    string
	ProviderID   string
	CheckpointID string
	Parameters   Parameters
	Status       VerificationStatus
	// ResourcesStatus and ResourcesReason are by TYPE#id. A resource's state is one
	// of the words of VerificationStatus.
	ResourcesStatus map[string]VerificationStatus
	ResourcesReason map[string]string
	// StandIn is the copy that is verified in place of the checkpoint; nil for none.
	StandIn   *StandIn
	CreatedAt time.Time
	UpdatedAt time.Time
}

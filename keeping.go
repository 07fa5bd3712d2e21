package karbor

import "time"

// Hold keeps a checkpoint from being deleted by anybody, until it is released or over.
type Hold struct {
	// Reason says why, in the words of who holds it.
	Reason string
	// Until is the end; zero for none but a release.
	Until time.Time
	// At is when it was held, and UserID by whom.
	At     time.Time
	UserID string
}

// On reports whether the hold holds at a time.
func (h *Hold) On(now time.Time) bool {
	return h != nil && (h.Until.IsZero() || now.Before(h.Until))
}

// LastVerified is what the newest verification of a checkpoint that came to its end has
// found.
type LastVerified struct {
	At time.Time
	// Depth is how deep was looked where that was least: quick, stored or full.
	Depth string
	// Result is success, or error if any resource is not good.
	Result VerificationStatus
}

// Keeping says how a checkpoint is kept.
type Keeping struct {
	// Hold is nil for one that is not held. It may be over.
	Hold *Hold
	// ExpiresAt is when it is deleted by itself, as ExpiresBy, the user who said so; zero
	// for never.
	ExpiresAt time.Time
	ExpiresBy string
	// LastVerified is nil for one that was never verified.
	LastVerified *LastVerified
}

package openstack

import (
	"context"
	"time"

	"github.com/karbor/karbor"
)

// Waits bounds how long a plug-in waits for the cloud.
type Waits struct {
	// Longest is the longest pause between two looks at something that is waited for.
	Longest time.Duration
	// Timeout limits each single wait, and the removal of all that a call's hooks made of a kind: see Within.
	Timeout time.Duration
}

// Removal says how a thing of the cloud is looked at and deleted. Errors are the
// client's own.
type Removal struct {
	State func(ctx context.Context) (string, error)
	Drop  func(ctx context.Context) error
}

// deleteAttempts is how often a thing is asked to go that comes back from "deleting": what
// was made of it may still stand on it.
const deleteAttempts = 3

// Remove deletes one thing, as soon as its state lets it be deleted, and waits until
// it is gone. A tenant can't delete what is in transition: that is a transient error.
func (w Waits) Remove(ctx context.Context, what string, r Removal) error {
	ctx, cancel := w.Within(ctx)
	defer cancel()
	asked := 0
	return Poll(ctx, what+" to be deleted", w.Longest, func(ctx context.Context) (bool, error) {
		status, err := r.State(ctx)
		if IsNotFound(err) {
			return true, nil
		}
		if err != nil {
			return false, Explain(err, "reading %s", what)
		}
		switch status {
		case "deleting":
			return false, Still("in state %q", status)
		case "available", "error", "error_deleting", "error_restoring", "error_extending":
			if asked == deleteAttempts || status == "error_deleting" && asked > 0 {
				return false, karbor.Errorf(karbor.Conflict, "%s can't be deleted: the cloud leaves it in state %q; look whether something that was made of it is still there", what, status)
			}
			asked++
			err := r.Drop(ctx)
			if IsNotFound(err) {
				return true, nil
			}
			return false, Explain(err, "deleting %s", what)
		default:
			return false, karbor.Transientf("%s is in state %q and can't be deleted yet", what, status)
		}
	})
}

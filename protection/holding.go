package protection

import "context"

// HoldingKind is the kind of what a hook holds for a while.
type HoldingKind string

// The kinds of what is held.
const (
	HeldSnapshot HoldingKind = "snapshot"
	HeldVolume   HoldingKind = "volume"
	HeldImage    HoldingKind = "image"
)

// Holding is something that a hook has made in the cloud for a while: it uses the tenant's
// quota there, and goes before the operation ends.
type Holding struct {
	Kind HoldingKind
	// ID is the cloud's.
	ID string
	// GiB is its size; 0 where it is not known.
	GiB int64
}

// Ledger keeps what the hooks of a node hold, for the tenant to see. What is still held when
// the operation ends is taken for gone, unless it is left over.
type Ledger interface {
	// Hold notes that something is there. To note it again changes at most its size.
	Hold(ctx context.Context, h Holding) error
	// Release notes that something is gone. What nobody has noted is no error.
	Release(ctx context.Context, kind HoldingKind, id string) error
}

// Hold tells the call's ledger, if there is one, that something temporary is there. A hook
// says it before it notes the id for itself, so that no run of it forgets.
func (c *Call) Hold(ctx context.Context, h Holding) error {
	if c.Ledger == nil || h.ID == "" {
		return nil
	}
	return c.Ledger.Hold(ctx, h)
}

// Release tells the call's ledger, if there is one, that something temporary is gone.
func (c *Call) Release(ctx context.Context, kind HoldingKind, id string) error {
	if c.Ledger == nil || id == "" {
		return nil
	}
	return c.Ledger.Release(ctx, kind, id)
}

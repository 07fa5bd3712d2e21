package protection

import (
	"context"

	"github.com/karbor/karbor"
)

// HoldingKind is the kind of what a hook holds for a while.
type HoldingKind string

// The kinds of what is held. All but the first three are only in drills.
const (
	HeldSnapshot      HoldingKind = "snapshot"
	HeldVolume        HoldingKind = "volume"
	HeldImage         HoldingKind = "image"
	HeldServer        HoldingKind = "server"
	HeldNetwork       HoldingKind = "network"
	HeldSubnet        HoldingKind = "subnet"
	HeldPort          HoldingKind = "port"
	HeldRouter        HoldingKind = "router"
	HeldSecurityGroup HoldingKind = "security_group"
	HeldFloatingIP    HoldingKind = "floatingip"
)

// HoldingKinds gives all of them.
func HoldingKinds() []HoldingKind {
	return []HoldingKind{
		HeldSnapshot, HeldVolume, HeldImage, HeldServer, HeldNetwork, HeldSubnet, HeldPort, HeldRouter, HeldSecurityGroup, HeldFloatingIP,
	}
}

// Holding is something that a hook has made in the cloud for a while: it uses the tenant's
// quota there, and goes before the operation ends.
type Holding struct {
	Kind HoldingKind
	// ID is the cloud's. It is "" for what the cloud is about to be asked for; then Asked is not.
	ID string
	// GiB is its size; 0 where it is not known.
	GiB int64
	// Drill says that it is what a drill restores, or needs for that: a restore would leave it.
	Drill bool
	// Asked tells what has no id yet apart from others of its kind that are made for its node. Who
	// then notes it with its id says the same again.
	Asked string
	// Node is that whose undo removes it; "" for the call's own.
	Node karbor.NodeKey
}

// Ledger keeps what the hooks of a node hold, for the tenant to see. What is still held when
// the operation ends is taken for gone, unless it is left over; and what a drill has restored for
// a node once that is undone.
type Ledger interface {
	// Hold notes that something is there, or is about to be. To note it again changes at most its
	// id, if that was not known, and its size.
	Hold(ctx context.Context, h Holding) error
	// Release notes that something is gone. What nobody has noted is no error.
	Release(ctx context.Context, kind HoldingKind, id string) error
}

// Hold tells the call's ledger, if there is one, that something temporary is there. A hook
// says it before it notes the id for itself, so that no run of it forgets.
func (c *Call) Hold(ctx context.Context, h Holding) error {
	if c.Ledger == nil || h.ID == "" && h.Asked == "" {
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

// Package deadline ends the hooks that get no further: one that hangs would keep its
// operation, its leave to act for the tenant and its places for ever. What moves may take as
// long as it needs.
package deadline

import (
	"time"

	"github.com/karbor/karbor/internal/protectionservice/flow"
)

// Limits say how long nothing may move in one run of a hook; 0 sets no limit.
type Limits struct {
	// Prepare is for both hooks before Main, Undo for all that clears away. That of Main is for
	// each copy of a checkpoint, too.
	Prepare, Main, Complete, Undo time.Duration
	// Grace is how long a hook may take to return once it was told to; 0 stands for a
	// quarter of an hour.
	Grace time.Duration
}

// Of gives the limit of the hook that a step's word names (flow.NodeOf).
func (l Limits) Of(word string) time.Duration {
	switch word {
	case flow.Main, flow.Copy:
		return l.Main
	case flow.Complete:
		return l.Complete
	case flow.Undo, flow.Resume:
		return l.Undo
	default:
		return l.Prepare
	}
}

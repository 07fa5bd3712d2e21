package file

import (
	"os"
	"sync/atomic"
)

// Walk makes the bank do without the system call that opens a path at once.
func (b *Bank) Walk() { b.tree.walk.Store(true) }

// ReserveSize is what the bank keeps for urgent writes.
const ReserveSize = reserveSize

// WindowSize is the most entries of one folder that a listing holds.
const WindowSize = windowSize

// Order makes the bank count on a file system that keeps the order of changes in its
// folders, or not.
func (b *Bank) Order(kept bool) { b.tree.durable = durability{ordered: kept} }

// CountSyncs counts the syncs from now on. It is called before the bank is used.
func (b *Bank) CountSyncs() *atomic.Int64 {
	count, sync := new(atomic.Int64), b.tree.sync
	b.tree.sync = func(f *os.File) error {
		count.Add(1)
		return sync(f)
	}
	return count
}

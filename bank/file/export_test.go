package file

// Walk makes the bank do without the system call that opens a path at once.
func (b *Bank) Walk() { b.tree.walk.Store(true) }

// ReserveSize is what the bank keeps for urgent writes.
const ReserveSize = reserveSize

// WindowSize is the most entries of one folder that a listing holds.
const WindowSize = windowSize

// Order makes the bank count on a file system that keeps the order of changes in its
// folders, or not.
func (b *Bank) Order(kept bool) { b.tree.durable = durability{ordered: kept} }

// Synced gives how many syncs there were.
func (b *Bank) Synced() int64 { return b.tree.synced.Load() }

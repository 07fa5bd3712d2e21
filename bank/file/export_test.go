package file

// Walk makes the bank do without the system call that opens a path at once.
func (b *Bank) Walk() { b.tree.walk.Store(true) }

// ReserveSize is what the bank keeps for urgent writes.
const ReserveSize = reserveSize

// WindowSize is the most entries of one folder that a listing holds.
const WindowSize = windowSize

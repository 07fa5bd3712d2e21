// Package bank is the contract of a bank: the flat, ordered key to bytes store
// that checkpoints live in. A bank knows nothing of checkpoints. Rules that hold
// for every bank are here; each kind of bank is a package below; banktest is the
// suite that each passes.
package bank

import (
	"context"
	"io"
	"time"
)

// Info describes an object.
type Info struct {
	Key  string
	Size int64
	// ModTime is when it was written, by the bank's clock, to about a second.
	ModTime time.Time
	// LockedUntil is until when the back-end surely refuses to remove it, by the bank's clock,
	// as far as the bank knows without asking for each object; zero if it knows of no lock.
	LockedUntil time.Time
}

// Bank stores objects under keys (see CheckKey). All methods may be called
// concurrently, and check the key first: a bad one is an error of kind
// karbor.Invalid.
//
// Durability: when Put or Create returns nil, the whole object is there and stays
// there through a crash of any machine but the bank's own loss. When it returns an
// error, or the process dies meanwhile, the key holds what it held before, or
// the whole new object; never a part. Readers never see a part.
//
// Errors: a missing object is karbor.NotFound (not for Delete). Failures that may
// pass are transient (karbor.IsTransient). A full bank is karbor.OverLimit and
// says "full". The context's end stops any method.
type Bank interface {
	// Put writes the object, replacing one that is there. size is the number of
	// bytes that body gives; a body that gives another number is an error and
	// nothing is written. body is read once.
	Put(ctx context.Context, key string, body io.Reader, size int64) error
	// Create is Put where nothing is there yet; else it fails with
	// karbor.Conflict and changes nothing. Whether two racing Creates can both
	// win depends on the bank: see Traits.
	Create(ctx context.Context, key string, body io.Reader, size int64) error
	// Get opens the object from byte offset on, for length bytes, or to its end
	// if length is negative. A range beyond the end gives what there is. A
	// negative offset is karbor.Invalid. The caller closes it. The context's end
	// stops the reading too.
	Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error)
	// Stat describes the object.
	Stat(ctx context.Context, key string) (Info, error)
	// List gives up to limit objects whose keys begin with prefix and come after
	// marker, in the byte order of the keys. prefix is a text, not a folder: "a/b"
	// finds "a/bc". An empty prefix finds everything. Neither prefix nor marker
	// need be a key; one that no key can begin with finds nothing. limit is 1 to
	// MaxList, else it is karbor.Invalid. Fewer than limit objects mean the end.
	List(ctx context.Context, prefix, marker string, limit int) ([]Info, error)
	// Delete removes the object. One that is not there is no error. A crash of
	// the bank may bring it back.
	Delete(ctx context.Context, key string) error
	// Now gives the time by the bank's clock. Leases count by it.
	Now(ctx context.Context) (time.Time, error)
	// Traits says what this bank can promise beyond the contract.
	Traits() Traits
	// Close lets go of what the bank holds open. No call may follow.
	Close() error
}

// Traits are the promises that not every back-end can make.
type Traits struct {
	// AtomicCreate: of racing Creates of one key exactly one wins.
	AtomicCreate bool
	// ConsistentList: a List that starts after a Put, Create or Delete has
	// returned shows its effect.
	ConsistentList bool
	// ObjectLock: objects that are meant to last can be neither replaced nor
	// deleted for a time; a Delete then fails with karbor.Conflict.
	ObjectLock bool
	// LockAhead: the bank is a Locker, and was seen to keep what it locks; what somebody
	// holds is to be locked for so long at a time. 0 for a bank that locks nothing when told.
	LockAhead time.Duration
	// Streams: an object is written to its place while its body is read, so that nothing is
	// gained by having it in memory first. Other banks send what is in memory in fewer requests.
	Streams bool
	// ReadOnly: Put, Create, Delete and Lock fail.
	ReadOnly bool
	// ClockAhead is by how much the bank's clock was ahead of the host's when it was
	// opened, to about a second; negative if it was behind, 0 if it is the same.
	ClockAhead time.Duration
}

package dedup

import (
	"context"

	"github.com/karbor/karbor/internal/repository/format"
)

// Location is where a chunk or page lies.
type Location struct {
	Pack format.Name
	// Offset and Stored are where in the pack its group is, Raw how many bytes that
	// holds, Within where in those it begins, and Length how long it is.
	Offset, Stored, Raw, Within, Length int
}

// Index tells where chunks and pages lie. Its methods may be called concurrently.
type Index interface {
	// Find tells where a chunk or page lies; ok is false if that is not known. Of several
	// places it gives the one in the pack that was taken in last.
	Find(kind format.Kind, id format.ID) (l Location, ok bool, err error)
	// Places tells all places, the one that Find gives first.
	Places(kind format.Kind, id format.ID) ([]Location, error)
	// Holds reports whether a pack was taken in.
	Holds(pack format.Name) (bool, error)
	// Add takes in the packs of a segment.
	Add(packs []format.Pack) error
}

// Segments are the index segments of a bank.
type Segments interface {
	// List gives the names of all, those written first before the others.
	List(ctx context.Context) ([]format.Name, error)
	// Load reads one. One that is damaged is a *format.DamageError, one that is not
	// there any more karbor.NotFound.
	Load(ctx context.Context, name format.Name) (*format.Segment, error)
}

// SegmentIndex is an Index that remembers, longer than its process lives, which segments
// it has taken in.
type SegmentIndex interface {
	Index
	// AddSegment takes in a segment that was just written.
	AddSegment(name format.Name, s *format.Segment) error
	// Sync takes in the segments that it does not know, and forgets what only those told
	// that are there no more. A segment that is damaged is left out; what says so
	// is returned beside the others' success.
	Sync(ctx context.Context, s Segments) (damaged []error, err error)
}

package dedup

import (
	"context"
	"sync"

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
	// Find tells where a chunk or page lies; ok is false if that is not known.
	Find(kind format.Kind, id format.ID) (l Location, ok bool, err error)
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

// Memory is an Index in memory, for small repositories and tests: about 150 bytes
// for each chunk.
type Memory struct {
	mu    sync.RWMutex
	known map[kindID]Location
}

type kindID struct {
	kind format.Kind
	id   format.ID
}

// NewMemory makes an empty one.
func NewMemory() *Memory { return &Memory{known: map[kindID]Location{}} }

// Find implements Index.
func (m *Memory) Find(kind format.Kind, id format.ID) (Location, bool, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	l, ok := m.known[kindID{kind, id}]
	return l, ok, nil
}

// Add implements Index.
func (m *Memory) Add(packs []format.Pack) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range packs {
		for _, g := range p.Groups {
			within := 0
			for _, c := range g.Chunks {
				m.known[kindID{p.Kind, c.ID}] = Location{p.Name, g.Offset, g.Stored, g.Raw, within, c.Length}
				within += c.Length
			}
		}
	}
	return nil
}

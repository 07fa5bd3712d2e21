package dedup

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/repository/format"
)

// Memory is a SegmentIndex in memory, for small repositories and tests: about 250 bytes
// for each chunk.
type Memory struct {
	mu       sync.RWMutex
	known    map[kindID][]place
	packs    map[format.Name]*memoryPack
	segments map[format.Name]*memorySegment
	added    int
}

var _ SessionIndex = (*Memory)(nil)

type kindID struct {
	kind format.Kind
	id   format.ID
}

// place is a location, and the how manyth pack it came with.
type place struct {
	Location
	order int
}

type memoryPack struct {
	pack format.Pack
	// named is how many segments name it.
	named int
}

type memorySegment struct {
	packs  []format.Name
	listed bool
}

// NewMemory makes an empty one.
func NewMemory() *Memory {
	return &Memory{known: map[kindID][]place{}, packs: map[format.Name]*memoryPack{}, segments: map[format.Name]*memorySegment{}}
}

// Find implements Index.
func (m *Memory) Find(kind format.Kind, id format.ID) (Location, bool, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	l := m.known[kindID{kind, id}]
	if len(l) == 0 {
		return Location{}, false, nil
	}
	return l[len(l)-1].Location, true, nil
}

// Places implements Index.
func (m *Memory) Places(kind format.Kind, id format.ID) ([]Location, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	var out []Location
	for _, l := range slices.Backward(m.known[kindID{kind, id}]) {
		out = append(out, l.Location)
	}
	return out, nil
}

// Holds implements Index.
func (m *Memory) Holds(name format.Name) (bool, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	_, there := m.packs[name]
	return there, nil
}

// Add implements Index.
func (m *Memory) Add(packs []format.Pack) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range packs {
		m.add(&packs[i])
	}
	return nil
}

func (m *Memory) add(p *format.Pack) *memoryPack {
	if known := m.packs[p.Name]; known != nil {
		return known
	}
	m.added++
	known := &memoryPack{pack: *p}
	m.packs[p.Name] = known
	eachPlace(p, func(id format.ID, l Location) {
		key := kindID{p.Kind, id}
		m.known[key] = append(m.known[key], place{l, m.added})
	})
	return known
}

// eachPlace calls fn with what a pack holds.
func eachPlace(p *format.Pack, fn func(format.ID, Location)) {
	for _, g := range p.Groups {
		within := 0
		for _, c := range g.Chunks {
			fn(c.ID, Location{p.Name, g.Offset, g.Stored, g.Raw, within, c.Length})
			within += c.Length
		}
	}
}

func (m *Memory) remove(name format.Name) {
	p := m.packs[name]
	delete(m.packs, name)
	eachPlace(&p.pack, func(id format.ID, _ Location) {
		key := kindID{p.pack.Kind, id}
		rest := slices.DeleteFunc(slices.Clone(m.known[key]), func(l place) bool { return l.Pack == name })
		if m.known[key] = rest; len(rest) == 0 {
			delete(m.known, key)
		}
	})
}

// Remove forgets packs: what they hold is not found any more, unless they are added again.
func (m *Memory) Remove(names []format.Name) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, name := range names {
		if m.packs[name] != nil {
			m.remove(name)
		}
	}
	return nil
}

// ForgetUnnamed implements SessionIndex.
func (m *Memory) ForgetUnnamed() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for name, p := range m.packs {
		if p.named == 0 {
			m.remove(name)
		}
	}
	for _, g := range m.segments {
		g.listed = true
	}
	return nil
}

// AddSegment implements SegmentIndex.
func (m *Memory) AddSegment(name format.Name, s *format.Segment) error {
	m.addSegment(name, s, false)
	return nil
}

func (m *Memory) addSegment(name format.Name, s *format.Segment, listed bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.segments[name] != nil {
		return
	}
	g := &memorySegment{listed: listed}
	m.segments[name] = g
	for i := range s.Packs {
		m.add(&s.Packs[i]).named++
		g.packs = append(g.packs, s.Packs[i].Name)
	}
	for _, replaced := range s.Replaces {
		if old := m.segments[replaced]; old != nil && replaced != name {
			m.drop(old)
		}
		m.segments[replaced] = &memorySegment{listed: true}
	}
}

// drop forgets what only a segment named.
func (m *Memory) drop(g *memorySegment) {
	for _, name := range g.packs {
		if p := m.packs[name]; p != nil {
			if p.named--; p.named == 0 {
				m.remove(name)
			}
		}
	}
}

// seen reports whether a segment that was listed need not be read.
func (m *Memory) seen(name format.Name) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	g := m.segments[name]
	if g != nil {
		g.listed = true
	}
	return g != nil
}

// Sync implements SegmentIndex.
func (m *Memory) Sync(ctx context.Context, s Segments) (damaged []error, err error) {
	const listings = 3
	for i := range listings {
		var again bool
		if damaged, again, err = m.sync(ctx, s, i == listings-1); err != nil || !again {
			break
		}
	}
	return damaged, err
}

// sync lists once. again says that a segment was listed that is not there any more, unless it is
// the last time: then what the listing shows has been replaced by something that it shows, too.
func (m *Memory) sync(ctx context.Context, s Segments, last bool) (damaged []error, again bool, err error) {
	names, err := s.List(ctx)
	if err != nil {
		return nil, false, err
	}
	listed := make(map[format.Name]bool, len(names))
	for _, name := range names {
		listed[name] = true
		if m.seen(name) {
			continue
		}
		g, err := s.Load(ctx, name)
		switch _, bad := errors.AsType[*format.DamageError](err); {
		case bad:
			damaged = append(damaged, err)
		case karbor.KindOf(err) == karbor.NotFound:
			again = !last
		case err != nil:
			return damaged, false, err
		default:
			m.addSegment(name, g, true)
		}
	}
	if again {
		return damaged, true, nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for name, g := range m.segments {
		if g.listed && !listed[name] {
			m.drop(g)
			delete(m.segments, name)
		}
	}
	return damaged, false, nil
}

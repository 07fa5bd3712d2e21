package index

import (
	"encoding/binary"
	"slices"

	"github.com/karbor/karbor/internal/repository/format"
)

// memtable holds the entries that are in no run yet: a list, and a hash table of
// places in it.
type memtable struct {
	entries []entry
	slots   []uint32 // 0, or 1 more than a place in entries
}

func newMemtable(limit int) *memtable {
	size := 1024
	for size < 2*limit {
		size *= 2
	}
	return &memtable{entries: make([]entry, 0, limit), slots: make([]uint32, size)}
}

// slot is where the search for an id begins. Ids are keyed hashes: their bits are as good
// as random.
func (m *memtable) slot(id *format.ID) int {
	h := binary.LittleEndian.Uint64(id[:]) ^ binary.LittleEndian.Uint64(id[8:])*0x9e3779b97f4a7c15
	return int((h ^ h>>32) & uint64(len(m.slots)-1))
}

func (m *memtable) add(e *entry) {
	if 2*len(m.entries) >= len(m.slots) {
		m.slots = make([]uint32, 2*len(m.slots))
		for i := range m.entries {
			m.enter(i)
		}
	}
	m.entries = append(m.entries, *e)
	m.enter(len(m.entries) - 1)
}

func (m *memtable) enter(place int) {
	i := m.slot(&m.entries[place].id)
	for m.slots[i] != 0 {
		i = (i + 1) & (len(m.slots) - 1)
	}
	m.slots[i] = uint32(place + 1)
}

// find gives the latest entry of an id that is accepted, or nil.
func (m *memtable) find(id *format.ID, accept func(*entry) bool) *entry {
	var found *entry
	for i := m.slot(id); m.slots[i] != 0; i = (i + 1) & (len(m.slots) - 1) {
		e := &m.entries[m.slots[i]-1]
		if e.id == *id && (found == nil || e.pack > found.pack) && accept(e) {
			found = e
		}
	}
	return found
}

// sorted gives the entries' order in a run. They stay as they are, as look-ups go on.
func (m *memtable) sorted() []uint32 {
	order := make([]uint32, len(m.entries))
	for i := range order {
		order[i] = uint32(i)
	}
	slices.SortFunc(order, func(a, b uint32) int { return m.entries[a].compare(&m.entries[b]) })
	return order
}

// clear forgets all entries, and keeps the memory.
func (m *memtable) clear() {
	m.entries = m.entries[:0]
	clear(m.slots)
}

package index

import (
	"slices"

	"github.com/karbor/karbor/internal/repository/format"
)

// pack is what the index knows of a pack.
type pack struct {
	name format.Name
	// kind is 0 when the pack was removed.
	kind format.Kind
	// segment is the number of the segment that named it last; 0 is none.
	segment uint32
	// entries is how many it has.
	entries uint32
	// volatile says that its entries are in no run yet.
	volatile bool
}

// packTable knows the packs by the numbers that entries have for them. A number is never
// given twice; entries with a number that it does not know mean nothing.
type packTable struct {
	numbers []uint32 // ascending
	packs   []pack   // in step with numbers
	byName  map[format.Name]uint32
	next    uint32
	removed int
}

func newPackTable() *packTable { return &packTable{byName: map[format.Name]uint32{}, next: 1} }

// get gives the pack of a number, or nil.
func (t *packTable) get(number uint32) *pack {
	i, ok := slices.BinarySearch(t.numbers, number)
	if !ok || t.packs[i].kind == 0 {
		return nil
	}
	return &t.packs[i]
}

// named gives the pack of a name, or nil.
func (t *packTable) named(name format.Name) *pack {
	number, ok := t.byName[name]
	if !ok {
		return nil
	}
	return t.get(number)
}

// add takes in a pack under the next number.
func (t *packTable) add(p *pack) uint32 {
	number := t.next
	t.next++
	t.enter(number, p)
	return number
}

func (t *packTable) enter(number uint32, p *pack) {
	t.numbers, t.packs = append(t.numbers, number), append(t.packs, *p)
	t.byName[p.name] = number
}

// removeIf removes the packs that a function chooses.
func (t *packTable) removeIf(chosen func(*pack) bool) {
	for i := range t.packs {
		if p := &t.packs[i]; p.kind != 0 && chosen(p) {
			t.remove(p)
		}
	}
	t.shrink()
}

func (t *packTable) remove(p *pack) {
	delete(t.byName, p.name)
	p.kind = 0
	t.removed++
}

// shrink frees the places of the packs that were removed, when they are many.
func (t *packTable) shrink() {
	if t.removed < 1024 || 2*t.removed < len(t.packs) {
		return
	}
	kept := 0
	for i := range t.packs {
		if t.packs[i].kind != 0 {
			t.packs[kept], t.numbers[kept] = t.packs[i], t.numbers[i]
			kept++
		}
	}
	t.packs, t.numbers, t.removed = slices.Clip(t.packs[:kept]), slices.Clip(t.numbers[:kept]), 0
}

// settle says that all entries are in runs now.
func (t *packTable) settle() {
	for i := range t.packs {
		t.packs[i].volatile = false
	}
}

// durable is how many entries of runs mean something.
func (t *packTable) durable() (n int64) {
	for i := range t.packs {
		if p := &t.packs[i]; p.kind != 0 && !p.volatile {
			n += int64(p.entries)
		}
	}
	return n
}

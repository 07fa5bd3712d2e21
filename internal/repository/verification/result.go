package verification

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/karbor/karbor/internal/repository/format"
)

// named is how many chunks of one pack or stream are named in a result; the others are
// counted.
const named = 64

// Result is what a run has found.
type Result struct {
	Depth Depth
	// Packs and Bytes were looked at in this run; Known is how many packs were not, as
	// they were found good before; Left is how many it did not come to (Options.Until).
	Packs, Known, Left int
	Bytes              int64
	// Streams is how many were walked through.
	Streams int
	// Damaged are the packs, and in a whole domain the index segments, that are damaged
	// or missing.
	Damaged []Damage
	// Hurt are the streams that refer to something damaged.
	Hurt []Hurt
	// State is that of the options.
	State *State
}

// Good reports whether nothing was found.
func (r *Result) Good() bool { return len(r.Damaged) == 0 && len(r.Hurt) == 0 }

// Damage is one object that is not what was written.
type Damage struct {
	// Key is where it lies in the bank.
	Key string
	// Kind and Pack are those of a pack; Kind is 0 for an index segment.
	Kind format.Kind
	Pack format.Name
	// Missing says that the object is not there.
	Missing bool
	// Needed says that a stream that was walked through refers to the pack, or may do so: a
	// page of a recipe that is lost hides what is behind it. What is not needed may be
	// garbage.
	Needed bool
	// Why says in one sentence what is wrong.
	Why string
	// Chunks are the chunks, or pages, that are damaged, as far as that is known: the
	// first 64 of them. ChunkCount is how many there are.
	Chunks     []format.ID
	ChunkCount int
}

// Sentence says what is damaged, and how, for people.
func (d *Damage) Sentence() string { return d.Key + ": " + d.Why }

func (d *Damage) chunk(id format.ID) {
	d.ChunkCount++
	if len(d.Chunks) < named {
		d.Chunks = append(d.Chunks, id)
	}
}

// Hurt is a stream that refers to something damaged.
type Hurt struct {
	Stream Stream
	// Why says what is wrong with the stream itself: its manifest, or a page of its
	// recipe; or what is wrong with the first chunk that is lost.
	Why string
	// Bytes of the stream, in Chunks pieces, can't be read any more. If it is 0, all
	// of them still can: what is damaged of the packs is something else.
	Bytes, Chunks int64
	// Lost are the first 64 chunks, or pages, that can't be read.
	Lost []format.ID
	// Packs are the damaged packs that it refers to, in their order.
	Packs []format.Name
}

// Sentence says what happened to the stream, for people.
func (h *Hurt) Sentence() string {
	switch {
	case h.Bytes == 0 && h.Chunks == 0 && h.Why != "":
		return h.Why
	case h.Bytes == 0:
		return fmt.Sprintf("%s of the bank that it refers to %s damaged; all its bytes can still be read", count(len(h.Packs), "pack"), are(len(h.Packs)))
	default:
		return fmt.Sprintf("%s can't be read any more, in %s: %s", count(int(h.Bytes), "byte"), count(int(h.Chunks), "piece"), h.Why)
	}
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func are(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

// sort brings what was found into an order that does not depend on workers.
func (r *Result) sort() {
	slices.SortFunc(r.Damaged, func(a, b Damage) int { return cmp.Compare(a.Key, b.Key) })
	slices.SortFunc(r.Hurt, func(a, b Hurt) int { return cmp.Compare(a.Stream.Key, b.Stream.Key) })
}

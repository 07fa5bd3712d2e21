package format

import (
	"encoding/binary"
)

const (
	holeBit   = 1 << 31
	entrySize = 4 + len(ID{})
)

// Entry is one part of a page: a chunk, or a hole.
type Entry struct {
	Length int
	// Hole says that the bytes are zero and stored nowhere.
	Hole bool
	// ID is the chunk's.
	ID ID
}

// Page is what one span of a stream consists of, in order.
type Page []Entry

// Append adds an entry; a hole behind a hole makes that one longer.
func (p Page) Append(e Entry) Page {
	if last := len(p) - 1; e.Hole && last >= 0 && p[last].Hole {
		p[last].Length += e.Length
		return p
	}
	return append(p, e)
}

// Size is how many bytes of the stream the page stands for.
func (p Page) Size() int64 {
	var n int64
	for _, e := range p {
		n += int64(e.Length)
	}
	return n
}

// Empty reports whether the page is one hole, which is not stored.
func (p Page) Empty() bool { return len(p) == 1 && p[0].Hole }

// Encode appends the page's bytes to dst.
func (p Page) Encode(dst []byte) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(p)))
	for _, e := range p {
		length := uint32(e.Length)
		if e.Hole {
			length |= holeBit
		}
		dst = binary.LittleEndian.AppendUint32(dst, length)
	}
	for _, e := range p {
		if !e.Hole {
			dst = append(dst, e.ID[:]...)
		}
	}
	return dst
}

// DecodePage reads a page that stands for size bytes of a stream.
func DecodePage(b []byte, size int64) (Page, error) {
	const what = "page"
	if len(b) > MaxPage {
		return nil, damaged(what, "it has %d bytes, more than %d", len(b), MaxPage)
	}
	r := source{what: what, rest: b}
	n := r.count(4)
	page := make(Page, 0, n)
	var total int64
	for range n {
		length := r.u32()
		e := Entry{Length: int(length &^ holeBit), Hole: length&holeBit != 0}
		total += int64(e.Length)
		switch last := len(page) - 1; {
		case e.Length == 0:
			r.fail("an entry is empty")
		case !e.Hole && e.Length > MaxChunk:
			r.fail("a chunk of %d bytes is longer than any may be", e.Length)
		case e.Hole && last >= 0 && page[last].Hole:
			r.fail("two holes are neighbours")
		}
		page = append(page, e)
	}
	for i := range page {
		if !page[i].Hole {
			r.read(page[i].ID[:])
		}
	}
	if page.Empty() {
		r.fail("it is one hole, which is not stored")
	}
	if total != size {
		r.fail("it stands for %d bytes, not %d", total, size)
	}
	return page, r.end()
}

// Root is a stream's recipe: its size, and the ids of its pages.
type Root struct {
	Size  int64
	Pages []ID
}

// Spans is how many spans, and so pages, a stream of a size has.
func Spans(size int64) int { return int((size + Span - 1) / Span) }

// SpanSize is how many bytes of a stream of a size are in its span number i.
func SpanSize(size int64, i int) int64 { return min(Span, size-int64(i)*Span) }

// Encode gives the root's bytes.
func (r *Root) Encode() []byte {
	b := make([]byte, 0, 12+len(r.Pages)*len(ID{}))
	b = binary.LittleEndian.AppendUint64(b, uint64(r.Size))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(r.Pages)))
	for i := range r.Pages {
		b = append(b, r.Pages[i][:]...)
	}
	return b
}

// DecodeRoot reads a root.
func DecodeRoot(b []byte) (*Root, error) {
	r := source{what: "root", rest: b}
	size := r.u64()
	n := r.count(len(ID{}))
	if size > uint64(MaxStream) || n != Spans(int64(size)) {
		r.fail("it has %d pages for %d bytes", n, size)
		return nil, r.end()
	}
	root := &Root{Size: int64(size), Pages: make([]ID, n)}
	for i := range root.Pages {
		r.read(root.Pages[i][:])
	}
	return root, r.end()
}

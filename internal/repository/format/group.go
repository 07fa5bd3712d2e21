package format

import (
	"encoding/binary"
)

// Kind says what a pack holds.
type Kind uint8

// The kinds of packs.
const (
	Data Kind = iota + 1
	Pages
)

// String gives the word of the specification.
func (k Kind) String() string {
	switch k {
	case Data:
		return "data"
	case Pages:
		return "page"
	}
	return "unknown"
}

func (k Kind) known() bool { return k == Data || k == Pages }

// maxChunk is the longest chunk, or page, of the kind.
func (k Kind) maxChunk() int {
	if k == Pages {
		return MaxPage
	}
	return MaxChunk
}

func (k Kind) groupContext() string     { return "karbor/1 " + k.String() + " group" }
func (k Kind) directoryContext() string { return "karbor/1 " + k.String() + " directory" }

const groupHeader = 8

// Chunk is one chunk, or page, of a group.
type Chunk struct {
	ID     ID
	Length int
}

// SealGroup appends a stored group of raw bytes to dst: compressed, in a box. scratch
// is used for the compressed bytes, and given back to be used again.
func (k *Keys) SealGroup(dst, scratch []byte, c *Compressor, kind Kind, raw []byte) (stored, again []byte, err error) {
	scratch = append(scratch[:0], make([]byte, groupHeader)...)
	scratch, way := c.compress(scratch, raw)
	scratch[0] = byte(way)
	binary.LittleEndian.PutUint32(scratch[4:], uint32(len(raw)))
	stored, err = seal(dst, &k.group, kind.groupContext(), scratch)
	return stored, scratch, err
}

// OpenGroup appends the raw bytes of a stored group to dst. scratch is used for the
// compressed bytes, and given back to be used again.
func (k *Keys) OpenGroup(dst, scratch []byte, d *Decompressor, kind Kind, stored []byte) (raw, again []byte, err error) {
	const what = "group"
	if len(stored) > maxStoredBody+groupHeader+BoxOverhead {
		return nil, scratch, damaged(what, "it has %d bytes, more than any may have", len(stored))
	}
	body, err := open(scratch[:0], &k.group, what, kind.groupContext(), stored)
	if err != nil {
		return nil, scratch, err
	}
	if len(body) < groupHeader || body[1]|body[2]|body[3] != 0 {
		return nil, body, damaged(what, "its head is wrong")
	}
	size := binary.LittleEndian.Uint32(body[4:])
	if size == 0 || size > MaxGroup {
		return nil, body, damaged(what, "it would hold %d bytes", size)
	}
	raw, err = d.decompress(dst, body[groupHeader:], Compression(body[0]), int(size))
	return raw, body, err
}

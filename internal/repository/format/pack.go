package format

import (
	"encoding/binary"
	"slices"
)

const (
	packMagic    = "KARBORPK"
	packEnd      = "KARBOREN"
	packVersion  = 1
	packHeader   = 16
	packTrailer  = 24
	groupEntry   = 12
	chunkEntry   = 4 + len(ID{})
	maxDirectory = 16 << 20 // with its box
	// directoryTarget leaves room for the chunks of the group that makes it full.
	directoryTarget = 8 << 20
)

// wholePack is the memory that a full pack takes.
const wholePack = PackTarget + 4*MaxGroup

// PackTrailer is how many bytes at the end of a pack tell where its directory is, and
// PackHeader how many at its begin tell what it is.
const (
	PackTrailer = packTrailer
	PackHeader  = packHeader
)

// Group is one group as the directory of its pack tells it.
type Group struct {
	// Offset and Stored are where in the pack the stored group is, in bytes.
	Offset, Stored int
	// Raw is how many bytes it holds.
	Raw    int
	Chunks []Chunk
}

// PackWriter puts a pack together in memory. It is for one goroutine.
type PackWriter struct {
	kind   Kind
	buf    []byte
	groups []Group
	// directory is how many bytes the directory has so far.
	directory int
}

// NewPackWriter begins a pack, in buf's memory if that is enough.
func NewPackWriter(kind Kind, buf []byte) *PackWriter {
	buf = append(buf[:0], packMagic...)
	buf = append(buf, packVersion, byte(kind), 0, 0, 0, 0, 0, 0)
	return &PackWriter{kind: kind, buf: buf, directory: 4}
}

// Add takes in a stored group. It reports whether the pack is full: then Finish it.
func (p *PackWriter) Add(stored []byte, chunks []Chunk) (full bool) {
	g := Group{Offset: len(p.buf), Stored: len(stored), Chunks: chunks}
	for _, c := range chunks {
		g.Raw += c.Length
	}
	if need := len(p.buf) + len(stored); p.kind == Data && need > MaxGroup && need > cap(p.buf) {
		p.buf = slices.Grow(p.buf, memoryFor(need)-len(p.buf))
	}
	p.buf = append(p.buf, stored...)
	p.groups = append(p.groups, g)
	p.directory += groupEntry + len(chunks)*chunkEntry
	// What compresses to almost nothing would have a directory longer than its groups.
	return len(p.buf) >= PackTarget || p.directory >= directoryTarget
}

// memoryFor is how much memory a pack takes that has outgrown what it had. One of a few groups does not
// take that of a full one. One with more likely gets full: so whatever a pack gets, it moves twice only.
func memoryFor(need int) int {
	const few = 4 * MaxGroup
	if need <= few {
		return few
	}
	return wholePack
}

// Groups are those taken in so far.
func (p *PackWriter) Groups() []Group { return p.groups }

// Finish gives the whole pack. The writer is of no more use.
func (p *PackWriter) Finish(k *Keys) ([]byte, error) {
	offset := len(p.buf)
	b, err := seal(p.buf, &k.directory, p.kind.directoryContext(), encodeDirectory(p.groups))
	if err != nil {
		return nil, err
	}
	length := len(b) - offset
	b = binary.LittleEndian.AppendUint64(b, uint64(offset))
	b = binary.LittleEndian.AppendUint32(b, uint32(length))
	b = binary.LittleEndian.AppendUint32(b, 0)
	return append(b, packEnd...), nil
}

func encodeDirectory(groups []Group) []byte {
	size := 4
	for i := range groups {
		size += groupEntry + len(groups[i].Chunks)*chunkEntry
	}
	b := binary.LittleEndian.AppendUint32(make([]byte, 0, size), uint32(len(groups)))
	for i := range groups {
		g := &groups[i]
		b = binary.LittleEndian.AppendUint32(b, uint32(g.Stored))
		b = binary.LittleEndian.AppendUint32(b, uint32(g.Raw))
		b = binary.LittleEndian.AppendUint32(b, uint32(len(g.Chunks)))
		for j := range g.Chunks {
			b = binary.LittleEndian.AppendUint32(b, uint32(g.Chunks[j].Length))
			b = append(b, g.Chunks[j].ID[:]...)
		}
	}
	return b
}

func decodeDirectory(b []byte, kind Kind) ([]Group, error) {
	r := source{what: "directory", rest: b}
	n := r.count(groupEntry + chunkEntry)
	groups := make([]Group, 0, n)
	offset := packHeader
	for range n {
		stored, raw := r.u32(), r.u32()
		chunks := r.count(chunkEntry)
		if stored <= BoxOverhead+groupHeader || stored > maxStoredBody+groupHeader+BoxOverhead ||
			raw == 0 || raw > MaxGroup || chunks == 0 || kind == Pages && chunks != 1 {
			r.fail("a group of %d bytes in %d chunks, stored in %d, can't be", raw, chunks, stored)
			return nil, r.end()
		}
		g := Group{Offset: offset, Stored: int(stored), Raw: int(raw), Chunks: make([]Chunk, chunks)}
		offset += g.Stored
		rest := g.Raw
		for i := range g.Chunks {
			c := &g.Chunks[i]
			c.Length = int(r.u32())
			r.read(c.ID[:])
			if c.Length == 0 || c.Length > kind.maxChunk() || c.Length > rest {
				r.fail("a chunk of %d bytes can't be", c.Length)
				return nil, r.end()
			}
			rest -= c.Length
		}
		if rest != 0 {
			r.fail("the chunks of a group add up to %d bytes less than it has", rest)
		}
		groups = append(groups, g)
	}
	return groups, r.end()
}

// end is where the groups of a directory end in their pack.
func end(groups []Group) int {
	if len(groups) == 0 {
		return packHeader
	}
	last := groups[len(groups)-1]
	return last.Offset + last.Stored
}

// FindDirectory reads the trailer, the last PackTrailer bytes of a pack of size bytes,
// and tells where its directory is.
func FindDirectory(trailer []byte, size int64) (offset int64, length int, err error) {
	r := source{what: "pack", rest: trailer}
	if size < packHeader+packTrailer || size > MaxPack {
		r.fail("it has %d bytes", size)
	}
	at, n := r.u64(), r.u32()
	if r.u32() != 0 {
		r.fail("a reserved byte is not zero")
	}
	r.expect("end", packEnd)
	if n > maxDirectory || at > MaxPack || at < packHeader || int64(at)+int64(n) != size-packTrailer {
		r.fail("its trailer tells of no directory in it")
	}
	return int64(at), int(n), r.end()
}

// OpenDirectory reads a pack's directory, the bytes that FindDirectory tells of.
func (k *Keys) OpenDirectory(kind Kind, box []byte, offset int64) ([]Group, error) {
	plain, err := open(nil, &k.directory, "directory", kind.directoryContext(), box)
	if err != nil {
		return nil, err
	}
	groups, err := decodeDirectory(plain, kind)
	if err == nil && int64(end(groups)) != offset {
		return nil, damaged("directory", "its groups end at %d, and it begins at %d", end(groups), offset)
	}
	return groups, err
}

// CheckPackHeader reads the first 16 bytes of a pack.
func CheckPackHeader(header []byte, kind Kind) error {
	r := source{what: "pack", rest: header}
	r.expect("begin", packMagic)
	r.expect("version, kind or reserved bytes", string([]byte{packVersion, byte(kind), 0, 0, 0, 0, 0, 0}))
	return r.end()
}

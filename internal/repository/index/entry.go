package index

import (
	"bytes"
	"cmp"
	"encoding/binary"

	"github.com/cespare/xxhash/v2"

	"github.com/karbor/karbor/internal/repository/dedup"
	"github.com/karbor/karbor/internal/repository/format"
)

const (
	entrySize = 32 + 6*4 // of an id and six numbers
	blockSize = 4096
	// blockEntries of 56 bytes fill a block up to the checksum in its last 8.
	blockEntries = (blockSize - 8) / entrySize
)

// entry tells where one chunk or page lies. Its kind is that of its pack.
type entry struct {
	id format.ID
	// pack is the number of the pack in the pack table.
	pack                                uint32
	offset, stored, raw, within, length uint32
}

// compare orders by id; of several with one id, that of the latest pack comes first.
func (e *entry) compare(f *entry) int {
	if c := bytes.Compare(e.id[:], f.id[:]); c != 0 {
		return c
	}
	return cmp.Compare(f.pack, e.pack)
}

func (e *entry) put(b []byte) {
	copy(b, e.id[:])
	for i, v := range [...]uint32{e.pack, e.offset, e.stored, e.raw, e.within, e.length} {
		binary.LittleEndian.PutUint32(b[len(e.id)+4*i:], v)
	}
}

func (e *entry) get(b []byte) {
	copy(e.id[:], b)
	b = b[len(e.id):entrySize]
	e.pack, e.offset, e.stored = binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:]), binary.LittleEndian.Uint32(b[8:])
	e.raw, e.within, e.length = binary.LittleEndian.Uint32(b[12:]), binary.LittleEndian.Uint32(b[16:]), binary.LittleEndian.Uint32(b[20:])
}

func (e *entry) location(pack format.Name) dedup.Location {
	return dedup.Location{Pack: pack, Offset: int(e.offset), Stored: int(e.stored), Raw: int(e.raw),
		Within: int(e.within), Length: int(e.length)}
}

// sealBlock puts the checksum at the end of block number n of a run.
func sealBlock(b []byte, n int64) {
	binary.LittleEndian.PutUint64(b[blockSize-8:], xxhash.Sum64(b[:blockSize-8])^uint64(n))
}

// blockIntact reports whether b is block number n as it was written.
func blockIntact(b []byte, n int64) bool {
	return binary.LittleEndian.Uint64(b[blockSize-8:]) == xxhash.Sum64(b[:blockSize-8])^uint64(n)
}

package index

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/cespare/xxhash/v2"

	"github.com/karbor/karbor/internal/repository/format"
)

// A run is a file: a header in its first block; from block 1 on the entries, in blocks;
// then the three lists of the filter, each from a whole block on, where they are if the run
// has all the entries that it was made for. Numbers are little-endian.
const (
	runMagic   = "KARBRUN1"
	headerSize = 8 + 16 + 5*8 + 8
)

// damage says that the cache is not as it was written.
func damage(what, why string, args ...any) error {
	return &format.DamageError{What: what + " of the index cache", Why: fmt.Sprintf(why, args...)}
}

// header describes a run.
type header struct {
	repository format.RepositoryID
	// entries of the run, and how many it was made for.
	entries, capacity uint64
	// checksums of the lists of the filter: starts, words, prints.
	checksums [3]uint64
}

func (h *header) shape() shape { return shape{max(1, h.capacity)} }

// offsets gives where the entries and the three lists begin.
func (h *header) offsets() (entries, starts, words, prints int64) {
	whole := func(n int64) int64 { return (n + blockSize - 1) / blockSize * blockSize }
	entries = blockSize
	starts = entries + (int64(h.capacity)+blockEntries-1)/blockEntries*blockSize
	words = starts + whole(4*h.shape().starts())
	prints = words + whole(8*h.shape().words(h.capacity))
	return entries, starts, words, prints
}

// size is how long the file is at least.
func (h *header) size() int64 {
	_, _, _, prints := h.offsets()
	return prints + int64(h.entries)
}

func (h *header) encode() []byte {
	b := append(make([]byte, 0, headerSize), runMagic...)
	b = append(b, h.repository[:]...)
	for _, v := range [...]uint64{h.entries, h.capacity, h.checksums[0], h.checksums[1], h.checksums[2]} {
		b = binary.LittleEndian.AppendUint64(b, v)
	}
	return binary.LittleEndian.AppendUint64(b, xxhash.Sum64(b))
}

// parseHeader reads a header of a file that is size bytes long.
func parseHeader(b []byte, size int64) (*header, error) {
	if len(b) != headerSize || string(b[:8]) != runMagic ||
		binary.LittleEndian.Uint64(b[headerSize-8:]) != xxhash.Sum64(b[:headerSize-8]) {
		return nil, damage("run", "its header is not intact")
	}
	h := &header{repository: format.RepositoryID(b[8:24])}
	h.entries, h.capacity = binary.LittleEndian.Uint64(b[24:]), binary.LittleEndian.Uint64(b[32:])
	for i := range h.checksums {
		h.checksums[i] = binary.LittleEndian.Uint64(b[40+8*i:])
	}
	if h.entries > h.capacity || h.capacity > math.MaxUint32 || h.size() > size {
		return nil, damage("run", "%d of %d entries can't be in %d bytes", h.entries, h.capacity, size)
	}
	return h, nil
}

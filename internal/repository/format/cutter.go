package format

import (
	"bytes"

	"github.com/cespare/xxhash/v2"
)

// CutterNeeds is how many bytes of a stream a Cutter has to see to be sure to cut
// something off: the longest chunk, and the granule behind it.
const CutterNeeds = MaxChunk + Granule

// cutMask: a chunk ends where these bits of a block's hash are zero.
const cutMask = 1<<4 - 1

var zeros [Granule]byte

// IsZero reports whether all bytes are zero. It runs at the speed of memory.
func IsZero(b []byte) bool {
	for len(b) > Granule {
		if !bytes.Equal(b[:Granule], zeros[:]) {
			return false
		}
		b = b[Granule:]
	}
	return bytes.Equal(b, zeros[:len(b)])
}

// Cutter finds where chunks and holes of one stream end. It is not for several
// goroutines. The zero Cutter is at the begin of a stream.
type Cutter struct {
	offset int64
}

// NewCutter gives a cutter at an offset, which must be a multiple of a granule.
func NewCutter(offset int64) *Cutter { return &Cutter{offset: offset} }

// Offset is where the next chunk or hole begins.
func (c *Cutter) Offset() int64 { return c.offset }

// Next says how long the next chunk or hole is. b holds the bytes of the stream from
// Offset on; end says that the stream ends with them. 0 means that b is too short to
// tell. A hole is given granule by granule.
func (c *Cutter) Next(b []byte, end bool) (length int, hole bool) {
	length, hole = c.next(b, end)
	c.offset += int64(length)
	return length, hole
}

func (c *Cutter) next(b []byte, end bool) (int, bool) {
	if rest := Span - int(c.offset%Span); len(b) > rest {
		b, end = b[:rest], true
	}
	if end && len(b) == 0 {
		return 0, false
	}
	inGranule := int(c.offset % Granule)
	if inGranule == 0 {
		zero, known := zeroGranule(b, end)
		if !known {
			return 0, false
		}
		if zero {
			return min(Granule, len(b)), true
		}
	}
	for at := Block; at <= len(b); at += Block {
		if at == MaxChunk || at >= MinCut && xxhash.Sum64(b[at-Block:at])&cutMask == 0 {
			return at, false
		}
		if (inGranule+at)%Granule == 0 && at < len(b) {
			zero, known := zeroGranule(b[at:], end)
			if !known {
				return 0, false
			}
			if zero {
				return at, false
			}
		}
	}
	if end {
		return len(b), false
	}
	return 0, false
}

// zeroGranule reports whether the granule that b begins with is a hole; known is
// false if b does not hold all of it.
func zeroGranule(b []byte, end bool) (zero, known bool) {
	if len(b) < Granule && !end {
		return false, len(b) > 0 && b[0] != 0
	}
	return IsZero(b[:min(Granule, len(b))]), true
}

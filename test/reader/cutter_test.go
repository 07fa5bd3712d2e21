package main

import (
	"encoding/binary"
	"math/bits"
)

const (
	granule = 65_536
	block   = 4096
	minimum = 16_384
)

// cut cuts a span that begins at a multiple of 256 MiB into holes and chunks, as the rules say it.
func cut(content []byte) []piece {
	var pieces []piece
	for at := 0; at < len(content); {
		end := at
		isHole := allZero(content[at:min(at+granule, len(content))])
		for end < len(content) && allZero(content[end:min(end+granule, len(content))]) == isHole {
			end = min(end+granule, len(content))
		}
		if isHole {
			pieces = append(pieces, piece{length: uint32(end - at), hole: true})
		} else {
			for _, length := range cutStretch(content[at:end]) {
				pieces = append(pieces, piece{length: length})
			}
		}
		at = end
	}
	return pieces
}

// cutStretch gives the lengths of the chunks of a stretch.
func cutStretch(stretch []byte) []uint32 {
	var lengths []uint32
	for len(stretch) > 0 {
		length := min(len(stretch), chunkLimit)
		for at := minimum; at < length; at += block {
			if xxh64(stretch[at-block:at])&15 == 0 {
				length = at
			}
		}
		lengths = append(lengths, uint32(length))
		stretch = stretch[length:]
	}
	return lengths
}

const (
	prime1 uint64 = 0x9E3779B185EBCA87
	prime2 uint64 = 0xC2B2AE3D27D4EB4F
	prime3 uint64 = 0x165667B19E3779F9
	prime4 uint64 = 0x85EBCA77C2B2AE63
)

// xxh64 is XXH64 with the seed 0 of a content whose length is a multiple of 32.
func xxh64(content []byte) uint64 {
	round := func(lane, word uint64) uint64 { return bits.RotateLeft64(lane+word*prime2, 31) * prime1 }
	lanes := [4]uint64{prime1, prime2, 0, 0}
	lanes[0] += prime2
	lanes[3] -= prime1
	length := uint64(len(content))
	for ; len(content) >= 32; content = content[32:] {
		for i := range lanes {
			lanes[i] = round(lanes[i], binary.LittleEndian.Uint64(content[8*i:]))
		}
	}
	var sum uint64
	for i, turn := range []int{1, 7, 12, 18} {
		sum += bits.RotateLeft64(lanes[i], turn)
	}
	for _, lane := range lanes {
		sum = (sum^round(0, lane))*prime1 + prime4
	}
	sum += length
	sum = (sum ^ sum>>33) * prime2
	sum = (sum ^ sum>>29) * prime3
	return sum ^ sum>>32
}

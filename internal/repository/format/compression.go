package format

import (
	"fmt"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
)

// Compression is how a group's bytes are compressed.
type Compression uint8

// The compressions of the specification.
const (
	None Compression = iota
	Zstd
	S2
)

// Auto is not in the format: it has a writer choose between Zstd and S2 for each group.
const Auto Compression = 0xff

// A group is tried in a few places before all of it is compressed.
const (
	probes    = 4
	probeSize = 8 << 10
	// dense is the share of a group that S2 has to take away for Auto to choose Zstandard:
	// that makes such groups a fifth shorter still, and others by less, for three times the
	// work of S2.
	dense = 0.6
)

// Compressor compresses groups. It is for one goroutine; it holds about 8 MiB.
type Compressor struct {
	way   Compression
	zstd  *zstd.Encoder
	probe []byte
}

// NewCompressor makes a compressor for a way: Zstd for fewer bytes, S2 for less work, Auto
// for Zstd where it gains most and S2 elsewhere.
func NewCompressor(way Compression) (*Compressor, error) {
	c := &Compressor{way: way, probe: make([]byte, s2.MaxEncodedLen(probeSize))}
	switch way {
	case None, S2:
	case Zstd, Auto:
		var err error
		// A single segment: frames of other kinds leave out a content size below 256.
		c.zstd, err = zstd.NewWriter(nil, zstd.WithSingleSegment(true), zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1),
			zstd.WithWindowSize(MaxGroup), zstd.WithEncoderCRC(false), zstd.WithAllLitEntropyCompression(true))
		if err != nil {
			return nil, fmt.Errorf("making a compressor: %w", err)
		}
	default:
		return nil, fmt.Errorf("making a compressor: there is no compression %d", way)
	}
	return c, nil
}

// compress appends the raw bytes to dst, compressed if that makes them shorter by
// more than a 32nd.
func (c *Compressor) compress(dst, raw []byte) ([]byte, Compression) {
	at := len(dst)
	way := c.choose(raw)
	switch way {
	case Zstd:
		dst = c.zstd.EncodeAll(raw, dst)
	case S2:
		if room := s2.MaxEncodedLen(len(raw)); cap(dst)-at < room {
			dst = append(make([]byte, 0, at+room), dst...)
		}
		dst = dst[:at+len(s2.Encode(dst[at:cap(dst)], raw))]
	case None, Auto: // choose gives no Auto
	}
	if way == None || len(dst)-at >= len(raw)-len(raw)/32 {
		return append(dst[:at], raw...), None
	}
	return dst, way
}

// choose tries a few parts: what S2 can't shorten, such as encrypted or compressed
// data, isn't worth the time of Zstandard, unless some bytes are much more frequent than
// others, as in hexadecimal digits: S2 knows repeats only.
func (c *Compressor) choose(raw []byte) Compression {
	switch {
	case c.way == None:
		return None
	case len(raw) <= probes*probeSize:
		if c.way == Auto {
			return Zstd // it takes no time
		}
		return c.way
	}
	shortened := 0
	var counts [256]int
	for i := range probes {
		from := (len(raw) - probeSize) / (probes - 1) * i
		part := raw[from : from+probeSize]
		shortened += probeSize - len(s2.Encode(c.probe, part))
		if c.way != S2 {
			for _, b := range part {
				counts[b]++
			}
		}
	}
	const all = probes * probeSize
	switch promising := shortened > all/64; {
	case !promising && !uneven(&counts):
		return None
	case c.way != Auto:
		return c.way
	case !promising, float64(shortened) >= dense*all:
		return Zstd
	}
	return S2
}

// uneven reports whether bytes that are coded by their frequency get shorter by about a twentieth
// or more: whether two of them are the same more often than by chance, by a quarter.
func uneven(counts *[256]int) bool {
	const all = probes * probeSize
	same := 0
	for _, n := range counts {
		same += n * n
	}
	return same > all*all/256*5/4
}

// Decompressor opens groups. It is for one goroutine.
type Decompressor struct{ zstd *zstd.Decoder }

// NewDecompressor makes one.
func NewDecompressor() (*Decompressor, error) {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(MaxGroup), zstd.WithDecoderMaxMemory(MaxGroup))
	if err != nil {
		return nil, fmt.Errorf("making a decompressor: %w", err)
	}
	return &Decompressor{d}, nil
}

// Close lets go of what the decompressor holds.
func (d *Decompressor) Close() { d.zstd.Close() }

// decompress appends size raw bytes to dst.
func (d *Decompressor) decompress(dst, body []byte, way Compression, size int) ([]byte, error) {
	const what = "group"
	at := len(dst)
	switch way {
	case None:
		dst = append(dst, body...)
	case Zstd:
		var h zstd.Header
		if err := h.Decode(body); err != nil || !h.HasFCS || h.FrameContentSize != uint64(size) || h.Skippable || h.DictionaryID != 0 {
			return nil, damaged(what, "its frame does not say that it holds %d bytes", size)
		}
		out, err := d.zstd.DecodeAll(body, dst)
		if err != nil {
			return nil, damaged(what, "its frame can't be read: %v", err)
		}
		dst = out
	case S2:
		n, err := s2.DecodedLen(body)
		if err != nil || n != size {
			return nil, damaged(what, "its block does not say that it holds %d bytes", size)
		}
		if cap(dst)-at < size {
			dst = append(make([]byte, 0, at+size), dst...)
		}
		out, err := s2.Decode(dst[at:at+size], body)
		if err != nil {
			return nil, damaged(what, "its block can't be read: %v", err)
		}
		dst = dst[:at+len(out)]
	default:
		return nil, damaged(what, "there is no compression %d", way)
	}
	if len(dst)-at != size {
		return nil, damaged(what, "it holds %d bytes, not %d", len(dst)-at, size)
	}
	return dst, nil
}

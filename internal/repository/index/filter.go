package index

import (
	"encoding/binary"
	"math/bits"

	"github.com/karbor/karbor/internal/repository/format"
)

// groupBuckets is how many buckets have one number in the list of starts.
const groupBuckets = 128

// shape is what follows from the number of buckets of a run, which is the number of
// entries that it was made for. A bucket takes in an equal part of all ids.
type shape struct{ buckets uint64 }

// place gives the bucket of an id, and its fingerprint within that. Both grow with the id.
func (s shape) place(id *format.ID) (bucket uint64, fingerprint byte) {
	hi, lo := bits.Mul64(binary.BigEndian.Uint64(id[:]), s.buckets)
	return hi, byte(lo >> 56)
}

// starts is how many numbers tell how many entries lie before each group; the last is
// the number of entries.
func (s shape) starts() int64 { return int64(s.buckets/groupBuckets) + 2 }

// words is how many words of 64 bits n entries need: a one for each entry and a zero for
// the end of each bucket.
func (s shape) words(n uint64) int64 { return int64((n + s.buckets + 63) / 64) }

// filter tells which entries of a run may have an id, without reading the run.
type filter struct {
	memory []byte // of the next two
	words  []byte
	prints []byte
}

// find gives the entries [from, to) of a bucket, which lies in a group that begins with
// entry start. ok is false if the filter contradicts itself.
func (f *filter) find(bucket, start uint64) (from, to uint64, ok bool) {
	pos := start + bucket/groupBuckets*groupBuckets
	if pos, ok = f.skip(pos, int(bucket%groupBuckets)); !ok {
		return 0, 0, false
	}
	end, ok := f.skip(pos, 1)
	from = pos - bucket
	to = from + end - pos - 1
	return from, to, ok && pos >= bucket && to <= uint64(len(f.prints))
}

// skip gives the place behind the n-th zero bit from a place on.
func (f *filter) skip(pos uint64, n int) (uint64, bool) {
	if n == 0 {
		return pos, true
	}
	word, mask := pos/64, ^uint64(0)<<(pos%64)
	for ; word < uint64(len(f.words)/8); word++ {
		zeros := ^binary.LittleEndian.Uint64(f.words[8*word:]) & mask
		mask = ^uint64(0)
		if k := bits.OnesCount64(zeros); k < n {
			n -= k
			continue
		}
		for ; n > 1; n-- {
			zeros &= zeros - 1
		}
		return 64*word + uint64(bits.TrailingZeros64(zeros)) + 1, true
	}
	return 0, false
}

// filterWriter writes a filter's three lists while entries come in order.
type filterWriter struct {
	shape
	starts, words, prints *section
	entries, bucket       uint64
	word                  uint64
	pos                   uint64
}

func (w *filterWriter) begin() { w.starts.u32(0) }

func (w *filterWriter) add(id *format.ID) {
	bucket, fingerprint := w.place(id)
	w.advance(bucket)
	w.bit(1)
	w.prints.u8(fingerprint)
	w.entries++
}

// advance ends buckets until the given one.
func (w *filterWriter) advance(to uint64) {
	for w.bucket < to {
		w.bit(0)
		w.bucket++
		if w.bucket%groupBuckets == 0 {
			w.starts.u32(uint32(w.entries))
		}
	}
}

func (w *filterWriter) bit(b uint64) {
	w.word |= b << (w.pos % 64)
	w.pos++
	if w.pos%64 == 0 {
		w.words.u64(w.word)
		w.word = 0
	}
}

func (w *filterWriter) end() {
	w.advance(w.buckets)
	w.starts.u32(uint32(w.entries))
	if w.pos%64 != 0 {
		w.words.u64(w.word)
	}
}

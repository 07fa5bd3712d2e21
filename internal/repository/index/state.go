package index

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/cespare/xxhash/v2"

	"github.com/karbor/karbor/internal/repository/format"
)

// The state says which runs count, what the numbers of packs mean and which segments
// were taken in. Its file is replaced as a whole.
const (
	stateName    = "state"
	stateNew     = "state.new"
	stateMagic   = "KARBIDX1"
	maxState     = 1 << 30
	runRecord    = 8 + 8
	packRecord   = 4 + 32 + 1 + 4 + 4
	segmentEntry = 32 + 4 + 1
)

// segment is what the index knows of a segment.
type segment struct {
	number uint32
	// listed says that a listing of the bank has shown it.
	listed bool
	// superseded says that another one that was taken in replaces it.
	superseded bool
	// durable says that all that it brought is in runs.
	durable bool
}

// runInfo is a run as the state tells it.
type runInfo struct{ number, entries uint64 }

// state is what the file says.
type state struct {
	repository  format.RepositoryID
	nextRun     uint64
	nextSegment uint32
	runs        []runInfo // the oldest first
	packs       *packTable
	segments    map[format.Name]segment
}

// encode gives the file. It leaves out what would be lost with the memory.
func (s *state) encode() []byte {
	le := binary.LittleEndian
	b := append(make([]byte, 0, 128+runRecord*len(s.runs)+packRecord*len(s.packs.packs)+segmentEntry*len(s.segments)), stateMagic...)
	b = append(b, s.repository[:]...)
	b = le.AppendUint64(b, s.nextRun)
	b = le.AppendUint32(b, s.nextSegment)
	b = le.AppendUint32(b, s.packs.next)
	b = le.AppendUint32(b, uint32(len(s.runs)))
	for _, r := range s.runs {
		b = le.AppendUint64(le.AppendUint64(b, r.number), r.entries)
	}
	count, at := 0, len(b)
	b = le.AppendUint32(b, 0)
	for i := range s.packs.packs {
		p := &s.packs.packs[i]
		if p.kind == 0 || p.volatile {
			continue
		}
		count++
		b = append(le.AppendUint32(b, s.packs.numbers[i]), p.name[:]...)
		b = le.AppendUint32(le.AppendUint32(append(b, byte(p.kind)), p.segment), p.entries)
	}
	le.PutUint32(b[at:], uint32(count))
	count, at = 0, len(b)
	b = le.AppendUint32(b, 0)
	for name, g := range s.segments {
		if !g.durable {
			continue
		}
		count++
		superseded := byte(0)
		if g.superseded {
			superseded = 1
		}
		b = append(le.AppendUint32(append(b, name[:]...), g.number), superseded)
	}
	le.PutUint32(b[at:], uint32(count))
	return le.AppendUint64(b, xxhash.Sum64(b))
}

// source reads the state; after its end it gives zeros, and ok is false.
type source struct {
	rest []byte
	ok   bool
}

func (s *source) take(n int) []byte {
	if n > len(s.rest) {
		s.ok, s.rest = false, nil
		return make([]byte, n)
	}
	b := s.rest[:n]
	s.rest = s.rest[n:]
	return b
}

func (s *source) u32() uint32 { return binary.LittleEndian.Uint32(s.take(4)) }
func (s *source) u64() uint64 { return binary.LittleEndian.Uint64(s.take(8)) }

// count reads how many records of a size follow.
func (s *source) count(size int) int {
	n := s.u32()
	if int64(n)*int64(size) > int64(len(s.rest)) {
		s.ok = false
		return 0
	}
	return int(n)
}

// parseState reads what encode gives.
func parseState(b []byte, repository format.RepositoryID) (*state, error) {
	if len(b) < len(stateMagic)+8 || string(b[:len(stateMagic)]) != stateMagic ||
		binary.LittleEndian.Uint64(b[len(b)-8:]) != xxhash.Sum64(b[:len(b)-8]) {
		return nil, damage("state", "it is not intact")
	}
	r := source{b[len(stateMagic) : len(b)-8], true}
	s := newState(format.RepositoryID(r.take(16)))
	if s.repository != repository {
		return nil, damage("state", "it is of the repository %s", s.repository)
	}
	s.nextRun, s.nextSegment, s.packs.next = r.u64(), r.u32(), r.u32()
	for range r.count(runRecord) {
		s.runs = append(s.runs, runInfo{r.u64(), r.u64()})
	}
	n := r.count(packRecord)
	s.packs.numbers, s.packs.packs = slices.Grow(s.packs.numbers, n), slices.Grow(s.packs.packs, n)
	for range n {
		number := r.u32()
		p := pack{name: format.Name(r.take(32)), kind: format.Kind(r.take(1)[0]), segment: r.u32(), entries: r.u32()}
		if k := len(s.packs.numbers); p.kind == 0 || number == 0 || number >= s.packs.next || k > 0 && s.packs.numbers[k-1] >= number {
			return nil, damage("state", "its packs are not in order")
		}
		s.packs.enter(number, &p)
	}
	for range r.count(segmentEntry) {
		name := format.Name(r.take(32))
		s.segments[name] = segment{number: r.u32(), superseded: r.take(1)[0] != 0, listed: true, durable: true}
	}
	if !r.ok || len(r.rest) != 0 || s.nextRun == math.MaxUint64 {
		return nil, damage("state", "its lists don't fit")
	}
	return s, nil
}

func newState(repository format.RepositoryID) *state {
	return &state{repository: repository, nextRun: 1, nextSegment: 1, packs: newPackTable(), segments: map[format.Name]segment{}}
}

// save makes a state the one that counts.
func (f *folder) save(text []byte) error {
	o, err := f.create(stateNew)
	if err != nil {
		return fmt.Errorf("writing the state: %w", err)
	}
	if _, err := o.WriteAt(text, 0); err != nil {
		return fmt.Errorf("writing the state: %w", joinClose(err, o))
	}
	if err := o.finish(); err != nil {
		return fmt.Errorf("writing the state: %w", err)
	}
	if err := f.rename(stateNew, stateName); err != nil {
		return fmt.Errorf("writing the state: %w", err)
	}
	return nil
}

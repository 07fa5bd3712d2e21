package verification

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"sync"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/repository/format"
)

// State holds which packs were found good, when, and how deep was looked. It takes about
// 100 bytes of memory for each. Its methods may be called concurrently.
type State struct {
	mu    sync.Mutex
	packs map[packID]mark
}

// packID tells packs apart.
type packID struct {
	kind format.Kind
	name format.Name
}

func (p packID) compare(q packID) int {
	if p.kind != q.kind {
		return int(p.kind) - int(q.kind)
	}
	return bytes.Compare(p.name[:], q.name[:])
}

// mark says when a pack was found good.
type mark struct {
	at   int64 // Unix seconds
	rank uint8
}

// NewState gives an empty one.
func NewState() *State { return &State{packs: map[packID]mark{}} }

// Len is how many packs it holds.
func (s *State) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.packs)
}

// Each calls fn with each pack, in no order. fn may not call the State.
func (s *State) Each(fn func(kind format.Kind, name format.Name)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for p := range s.packs {
		fn(p.kind, p.name)
	}
}

// Good reports whether a pack was found good at a depth or deeper, at a time or later.
func (s *State) Good(kind format.Kind, name format.Name, d Depth, since time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	m, ok := s.packs[packID{kind, name}]
	return ok && m.rank >= d.rank() && (since.IsZero() || m.at >= since.Unix())
}

// found notes that a pack is good. A deeper look that is as new counts more.
func (s *State) found(p packID, d Depth, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := mark{at.Unix(), d.rank()}
	if old, ok := s.packs[p]; ok && old.rank > m.rank {
		return // a shallow look must not make the next deep one read it all again
	}
	s.packs[p] = m
}

// forget takes a pack out.
func (s *State) forget(p packID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.packs, p)
}

const (
	stateMagic = "KARBORVS\x01"
	stateEntry = 1 + len(format.Name{}) + 8 + 1
)

// MarshalBinary implements encoding.BinaryMarshaler: 42 bytes for each pack.
func (s *State) MarshalBinary() ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	names := make([]packID, 0, len(s.packs))
	for p := range s.packs {
		names = append(names, p)
	}
	slices.SortFunc(names, packID.compare)
	b := append(make([]byte, 0, len(stateMagic)+len(names)*stateEntry+sha256.Size), stateMagic...)
	for _, p := range names {
		m := s.packs[p]
		b = append(append(b, byte(p.kind)), p.name[:]...)
		b = append(binary.LittleEndian.AppendUint64(b, uint64(m.at)), m.rank)
	}
	sum := sha256.Sum256(b)
	return append(b, sum[:]...), nil
}

// UnmarshalBinary implements encoding.BinaryUnmarshaler. What was changed is refused as
// karbor.Invalid: a pack that is taken for good is not looked at.
func (s *State) UnmarshalBinary(b []byte) error {
	rest, ok := bytes.CutPrefix(b, []byte(stateMagic))
	end := len(rest) - sha256.Size
	if !ok || end < 0 || end%stateEntry != 0 || sha256.Sum256(b[:len(b)-sha256.Size]) != [32]byte(rest[end:]) {
		return karbor.Errorf(karbor.Invalid, "the state of a verification is damaged")
	}
	packs := make(map[packID]mark, end/stateEntry)
	for e := range slices.Chunk(rest[:end], stateEntry) {
		p := packID{kind: format.Kind(e[0]), name: format.Name(e[1:33])}
		packs[p] = mark{at: int64(binary.LittleEndian.Uint64(e[33:])), rank: e[41]}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.packs = packs
	return nil
}

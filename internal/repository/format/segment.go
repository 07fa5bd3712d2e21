package format

import (
	"encoding/binary"
)

const (
	segmentMagic   = "KARBORIX"
	segmentContext = "karbor/1 index"
	segmentHeader  = 16
	packEntry      = len(Name{}) + 1 + 8 + 4
)

// Pack is a pack as an index segment tells it.
type Pack struct {
	Name   Name
	Kind   Kind
	Size   int64
	Groups []Group
}

// Segment is a part of the index.
type Segment struct {
	// Replaces names the segments that this one holds all of.
	Replaces []Name
	Packs    []Pack
}

// SealSegment gives the bytes of an index segment.
func (k *Keys) SealSegment(s *Segment) ([]byte, error) {
	plain := binary.LittleEndian.AppendUint32(nil, uint32(len(s.Replaces)))
	for i := range s.Replaces {
		plain = append(plain, s.Replaces[i][:]...)
	}
	plain = binary.LittleEndian.AppendUint32(plain, uint32(len(s.Packs)))
	for i := range s.Packs {
		p := &s.Packs[i]
		directory := encodeDirectory(p.Groups)
		plain = append(plain, p.Name[:]...)
		plain = append(plain, byte(p.Kind))
		plain = binary.LittleEndian.AppendUint64(plain, uint64(p.Size))
		plain = binary.LittleEndian.AppendUint32(plain, uint32(len(directory)))
		plain = append(plain, directory...)
	}
	head := append([]byte(segmentMagic), packVersion, 0, 0, 0, 0, 0, 0, 0)
	return seal(head, &k.index, segmentContext, plain)
}

// OpenSegment reads an index segment.
func (k *Keys) OpenSegment(b []byte) (*Segment, error) {
	const what = "index segment"
	head := source{what: what, rest: b[:min(len(b), segmentHeader)]}
	if len(b) > MaxSegment {
		head.fail("it has %d bytes", len(b))
	}
	head.expect("begin", segmentMagic)
	head.expect("version or reserved bytes", string([]byte{packVersion, 0, 0, 0, 0, 0, 0, 0}))
	if err := head.end(); err != nil {
		return nil, err
	}
	plain, err := open(nil, &k.index, what, segmentContext, b[segmentHeader:])
	if err != nil {
		return nil, err
	}
	r := source{what: what, rest: plain}
	s := &Segment{Replaces: make([]Name, r.count(len(Name{})))}
	for i := range s.Replaces {
		r.read(s.Replaces[i][:])
	}
	n := r.count(packEntry)
	s.Packs = make([]Pack, 0, n)
	for range n {
		p, err := r.pack()
		if err != nil {
			return nil, err
		}
		s.Packs = append(s.Packs, p)
	}
	return s, r.end()
}

func (s *source) pack() (Pack, error) {
	var p Pack
	s.read(p.Name[:])
	p.Kind = Kind(s.u8())
	size := s.u64()
	directory := s.take(int(s.u32()))
	if s.err != nil {
		return p, s.err
	}
	if !p.Kind.known() || size > MaxPack {
		s.fail("a pack of kind %d with %d bytes can't be", p.Kind, size)
		return p, s.err
	}
	p.Size = int64(size)
	var err error
	if p.Groups, err = decodeDirectory(directory, p.Kind); err != nil {
		return p, err
	}
	if least := int64(end(p.Groups) + BoxOverhead + len(directory) + packTrailer); p.Size != least {
		s.fail("a pack of %d bytes has groups for %d", p.Size, least)
	}
	return p, s.err
}

package main

import "encoding/binary"

// The limits of the format, in bytes where nothing else is said.
const (
	chunkLimit     = 262_144
	groupLimit     = 1_048_576
	pageLimit      = 1_048_576
	packLimit      = 67_108_864
	span           = 268_435_456
	spansLimit     = 262_144 // spans
	manifestLimit  = 16 << 20
	documentLimit  = 65_536
	storedLimit    = 1_057_840  // a stored group
	directoryLimit = 16_777_216 // with its box
	holeBit        = 1 << 31
)

// A parser takes fields off the begin of bytes. After a field that is not there, it is bad for good.
type parser struct {
	rest []byte
	bad  bool
}

func (p *parser) take(n int) []byte {
	if p.bad || n < 0 || n > len(p.rest) {
		p.bad = true
		return make([]byte, min(max(n, 0), 64))
	}
	taken := p.rest[:n]
	p.rest = p.rest[n:]
	return taken
}

func (p *parser) u8() byte    { return p.take(1)[0] }
func (p *parser) u32() uint32 { return binary.LittleEndian.Uint32(p.take(4)) }
func (p *parser) u64() uint64 { return binary.LittleEndian.Uint64(p.take(8)) }
func (p *parser) id() id      { return id(p.take(32)) }

// count takes a number of things of at least so many bytes each.
func (p *parser) count(each int) int {
	count := uint64(p.u32())
	if p.bad || count*uint64(each) > uint64(len(p.rest)) {
		p.bad = true
		return 0
	}
	return int(count)
}

// done tells whether all was there, and nothing is left.
func (p *parser) done() bool { return !p.bad && len(p.rest) == 0 }

func (p *parser) zeros(n int) bool { return allZero(p.take(n)) }

func allZero(content []byte) bool {
	for _, c := range content {
		if c != 0 {
			return false
		}
	}
	return true
}

// A root is the begin of a recipe.
type root struct {
	size  uint64
	pages []id
}

func parseRoot(content []byte) (root, error) {
	fields := parser{rest: content}
	result := root{size: fields.u64()}
	count := fields.count(32)
	for range count {
		result.pages = append(result.pages, fields.id())
	}
	switch {
	case !fields.done():
		return root{}, damagedf("a root of %d bytes does not fit what is in it", len(content))
	case count > spansLimit:
		return root{}, damagedf("a root has %d pages", count)
	case result.size > spansLimit*span || uint64(count) != (result.size+span-1)/span:
		return root{}, damagedf("a stream of %d bytes has %d pages", result.size, count)
	}
	return result, nil
}

// A piece is an entry of a page: a chunk, or a hole.
type piece struct {
	length uint32
	hole   bool
	id     id
}

// parsePage reads the page of a span of a length.
func parsePage(content []byte, length uint64) ([]piece, error) {
	if len(content) > pageLimit {
		return nil, damagedf("a page has %d bytes", len(content))
	}
	fields := parser{rest: content}
	pieces := make([]piece, fields.count(4))
	var sum uint64
	for i := range pieces {
		word := fields.u32()
		one := piece{length: word &^ holeBit, hole: word&holeBit != 0}
		switch {
		case one.length == 0:
			return nil, damagedf("an entry of a page has no length")
		case !one.hole && one.length > chunkLimit:
			return nil, damagedf("a chunk of a page has %d bytes", one.length)
		case one.hole && i > 0 && pieces[i-1].hole:
			return nil, damagedf("two holes of a page are neighbours")
		}
		sum += uint64(one.length)
		pieces[i] = one
	}
	for i := range pieces {
		if !pieces[i].hole {
			pieces[i].id = fields.id()
		}
	}
	switch {
	case !fields.done():
		return nil, damagedf("a page of %d bytes does not fit what is in it", len(content))
	case sum != length:
		return nil, damagedf("the entries of a page add up to %d, the span has %d", sum, length)
	case len(pieces) == 1 && pieces[0].hole:
		return nil, damagedf("the page of a span that is one hole is stored")
	}
	return pieces, nil
}

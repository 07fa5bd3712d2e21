package format

import "encoding/binary"

// source reads the fields of something encoded, and remembers the first fault.
type source struct {
	what string
	rest []byte
	err  error
}

func (s *source) fail(why string, args ...any) {
	if s.err == nil {
		s.err = damaged(s.what, why, args...)
	}
}

// take gives the next n bytes, or nil after a fault.
func (s *source) take(n int) []byte {
	if s.err != nil {
		return nil
	}
	if n < 0 || n > len(s.rest) {
		s.fail("it is cut off")
		return nil
	}
	b := s.rest[:n]
	s.rest = s.rest[n:]
	return b
}

func (s *source) read(into []byte) { copy(into, s.take(len(into))) }

func (s *source) u8() byte {
	if b := s.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (s *source) u32() uint32 {
	if b := s.take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (s *source) u64() uint64 {
	if b := s.take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

// count reads a u32 that says how many things of at least each bytes follow. One
// that can't be true is a fault, so that nothing is allocated for it.
func (s *source) count(each int) int {
	n := s.u32()
	if int64(n)*int64(each) > int64(len(s.rest)) {
		s.fail("it speaks of %d things, but is too short for them", n)
		return 0
	}
	return int(n)
}

// expect reads bytes that must be these.
func (s *source) expect(name, want string) {
	if b := s.take(len(want)); b != nil && string(b) != want {
		s.fail("its %s is wrong", name)
	}
}

// end gives the first fault, or one for what is left over.
func (s *source) end() error {
	if s.err == nil && len(s.rest) > 0 {
		s.fail("%d bytes are left over", len(s.rest))
	}
	return s.err
}

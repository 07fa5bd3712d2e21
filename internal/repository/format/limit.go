package format

import "fmt"

// Limits of the specification, in bytes unless said otherwise.
const (
	Block         = 4 << 10
	Granule       = 64 << 10
	MinCut        = 16 << 10 // no chunk ends before, but at the end of a stretch
	MaxChunk      = 256 << 10
	MaxPage       = 1 << 20
	MaxGroup      = 1 << 20 // of raw bytes
	PackTarget    = 32 << 20
	MaxPack       = 64 << 20
	Span          = 256 << 20
	MaxSpans      = 1 << 18 // of a stream
	MaxStream     = int64(Span) * MaxSpans
	MaxSegment    = 64 << 20
	maxStoredBody = MaxGroup + MaxGroup/128 + 1024 // of a group: what can't be compressed grows a little
)

// DamageError says that bytes are not what the specification asks for: they were changed,
// cut off, swapped, or written by something else.
type DamageError struct {
	// What is damaged, such as "pack" or "page".
	What string
	// Why it was refused.
	Why string
}

// Error implements error.
func (d *DamageError) Error() string { return fmt.Sprintf("damaged %s: %s", d.What, d.Why) }

func damaged(what, why string, args ...any) error {
	return &DamageError{What: what, Why: fmt.Sprintf(why, args...)}
}

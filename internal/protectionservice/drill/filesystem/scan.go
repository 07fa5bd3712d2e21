// Package filesystem looks at the first bytes of a disk and of its partitions, and tells which
// file systems are on it, and whether their own records say that they are in order. It trusts
// nothing that it reads.
package filesystem

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
)

const (
	sector = 512
	// window is how much is looked at from the start of a disk or a partition: the furthest
	// that is read of is the superblock of Btrfs, at 64 KiB.
	window = 68 << 10
	// mostPartitions bounds how many partitions are looked at.
	mostPartitions = 16
	// Reach is how far into a disk is looked where not all of it is read.
	Reach = 64 << 20
)

// State is what a file system's own record says of it.
type State string

// The states.
const (
	// Clean was unmounted, or needs nothing to be done when it is mounted next.
	Clean State = "clean"
	// Open was mounted: its journal is replayed when it is mounted next.
	Open State = "in use when it was protected"
	// Unknown says nothing of it.
	Unknown State = "of unknown state"
	// Damaged has a record that is broken, or says that there are errors.
	Damaged State = "damaged"
)

// Finding is a file system, or what else was found, at a place.
type Finding struct {
	// Partition counts from 1; 0 is the disk itself.
	Partition int
	// Kind is the name of the file system, such as ext4.
	Kind  string
	State State
	// Reason says why it is Damaged.
	Reason string
}

// Describe gives sentences on what was found, and whether something is damaged.
func Describe(all []Finding) (sentences string, damaged bool) {
	if len(all) == 0 {
		return "No file system was recognised.", false
	}
	var parts []string
	for _, f := range all {
		text := f.Kind + ", " + string(f.State)
		if f.Partition > 0 {
			text = fmt.Sprintf("partition %d: %s", f.Partition, text)
		}
		if f.Reason != "" {
			text += " (" + f.Reason + ")"
		}
		damaged = damaged || f.State == Damaged
		parts = append(parts, text)
	}
	return "File systems: " + strings.Join(parts, "; ") + ".", damaged
}

// Scan is a writer that takes the bytes of a disk in order, and remembers of them what it looks
// at. It is for one goroutine.
type Scan struct {
	at      int64
	windows []*span
	read    bool // the table of partitions was
}

// span is a part of the disk that is kept.
type span struct {
	partition int
	from      int64
	bytes     []byte
}

// NewScan begins with the start of the disk.
func NewScan() *Scan { return &Scan{windows: []*span{{}}} }

// Write implements io.Writer. It never fails.
func (s *Scan) Write(p []byte) (int, error) {
	s.keep(p, s.windows[0])
	if whole := s.windows[0]; !s.read && len(whole.bytes) >= window {
		s.partitions()
		for _, w := range s.windows[1:] { // what of them has gone by is in the first window
			if skip := w.from; skip < int64(len(whole.bytes)) {
				w.bytes = append(w.bytes, whole.bytes[skip:]...)
			}
		}
	}
	if s.read {
		for _, w := range s.windows[1:] {
			s.keep(p, w)
		}
	}
	s.at += int64(len(p))
	return len(p), nil
}

// keep keeps of p, which is at s.at, what belongs to a window and is not in it yet.
func (s *Scan) keep(p []byte, w *span) {
	next := w.from + int64(len(w.bytes))
	end := w.from + window
	if next >= end || next < s.at || next >= s.at+int64(len(p)) {
		return
	}
	part := p[next-s.at:]
	w.bytes = append(w.bytes, part[:min(int64(len(part)), end-next)]...)
}

// partitions reads the table of partitions: GPT, else MBR.
func (s *Scan) partitions() {
	s.read = true
	head := s.windows[0].bytes
	if len(head) < 2*sector || head[510] != 0x55 || head[511] != 0xaa {
		return
	}
	starts := gpt(head)
	if starts == nil {
		starts = mbr(head)
	}
	for i, start := range starts {
		s.windows = append(s.windows, &span{partition: i + 1, from: start})
	}
}

// gpt reads the table of the UEFI specification, 5.3; nil if there is none.
func gpt(head []byte) []int64 {
	if !bytes.HasPrefix(head[sector:], []byte("EFI PART")) {
		return nil
	}
	first := binary.LittleEndian.Uint64(head[sector+72:])
	count, size := binary.LittleEndian.Uint32(head[sector+80:]), binary.LittleEndian.Uint32(head[sector+84:])
	starts := []int64{}
	for i := range uint64(min(count, 128)) {
		at := first*sector + i*uint64(size)
		if size < 128 || first > window/sector || at+128 > uint64(len(head)) {
			break
		}
		entry := head[at : at+128]
		if bytes.Equal(entry[:16], make([]byte, 16)) {
			continue
		}
		if start, ok := place(binary.LittleEndian.Uint64(entry[32:])); ok && len(starts) < mostPartitions {
			starts = append(starts, start)
		}
	}
	return starts
}

// mbr reads the four primary partitions.
func mbr(head []byte) []int64 {
	var starts []int64
	for i := range 4 {
		entry := head[446+16*i:]
		if entry[4] == 0 || entry[0]&0x7f != 0 { // unused, or no table but a boot sector's code
			continue
		}
		if start, ok := place(uint64(binary.LittleEndian.Uint32(entry[8:]))); ok {
			starts = append(starts, start)
		}
	}
	return starts
}

// place gives the place of a sector in bytes, if a disk may have one there.
func place(number uint64) (int64, bool) {
	return int64(number) * sector, number > 0 && number < 1<<50 //nolint:gosec // it is less than 2^50
}

// Findings gives what was found, once all is written.
func (s *Scan) Findings() []Finding {
	if !s.read {
		s.partitions() // a small disk
		for _, w := range s.windows[1:] {
			if w.from < int64(len(s.windows[0].bytes)) {
				w.bytes = s.windows[0].bytes[w.from:]
			}
		}
	}
	var out []Finding
	for _, w := range s.windows {
		if f, ok := recognise(w.bytes); ok {
			f.Partition = w.partition
			out = append(out, f)
		}
	}
	return out
}

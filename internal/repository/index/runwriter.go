package index

import (
	"encoding/binary"
	"fmt"

	"github.com/cespare/xxhash/v2"

	"github.com/karbor/karbor/internal/repository/format"
)

// sectionBuffer is how many bytes are written at a time.
const sectionBuffer = 128 << 10

// section writes one part of a run's file, from an offset on.
type section struct {
	file   *file
	at     int64
	buf    []byte
	digest xxhash.Digest
	err    error
}

func newSection(f *file, at int64) *section {
	s := &section{file: f, at: at, buf: make([]byte, 0, sectionBuffer)}
	s.digest.Reset()
	return s
}

// room gives the next n bytes of the section, to be filled at once.
func (s *section) room(n int) []byte {
	if len(s.buf)+n > cap(s.buf) {
		s.flush()
	}
	s.buf = s.buf[:len(s.buf)+n]
	return s.buf[len(s.buf)-n:]
}

func (s *section) u8(v byte)    { s.room(1)[0] = v }
func (s *section) u32(v uint32) { binary.LittleEndian.PutUint32(s.room(4), v) }
func (s *section) u64(v uint64) { binary.LittleEndian.PutUint64(s.room(8), v) }

func (s *section) flush() {
	if len(s.buf) == 0 {
		return
	}
	if s.err == nil {
		_, s.err = s.file.WriteAt(s.buf, s.at)
	}
	_, _ = s.digest.Write(s.buf) // never fails
	s.at += int64(len(s.buf))
	s.buf = s.buf[:0]
}

// runWriter writes a run from entries in their order, with memory that does not grow.
type runWriter struct {
	header
	number  uint64
	file    *file
	entries *section
	filter  filterWriter
	block   []byte // the block that is being filled, in the buffer of entries
	filled  int
	blocks  int64
}

// newRun begins a run for at most capacity entries.
func (f *folder) newRun(number uint64, repository format.RepositoryID, capacity uint64) (*runWriter, error) {
	o, err := f.create(runName(number))
	if err != nil {
		return nil, fmt.Errorf("making %s: %w", runName(number), err)
	}
	w := &runWriter{number: number, header: header{repository: repository, capacity: capacity}, file: o}
	entries, starts, words, prints := w.offsets()
	w.entries = newSection(o, entries)
	w.filter = filterWriter{shape: w.shape(), starts: newSection(o, starts), words: newSection(o, words), prints: newSection(o, prints)}
	w.filter.begin()
	return w, nil
}

// add takes in the next entry.
func (w *runWriter) add(e *entry) error {
	if w.header.entries == w.capacity {
		return fmt.Errorf("%s has more than %d entries", w.file.name, w.capacity)
	}
	if w.block == nil {
		w.block = w.entries.room(blockSize)
		clear(w.block)
	}
	e.put(w.block[w.filled*entrySize:])
	w.filled++
	if w.filled == blockEntries {
		w.endBlock()
	}
	w.filter.add(&e.id)
	w.header.entries++
	return w.entries.err
}

func (w *runWriter) endBlock() {
	sealBlock(w.block, w.blocks)
	w.block, w.filled = nil, 0
	w.blocks++
}

// finish makes the run durable.
func (w *runWriter) finish() error {
	if w.block != nil {
		w.endBlock()
	}
	w.filter.end()
	for i, s := range [...]*section{w.entries, w.filter.starts, w.filter.words, w.filter.prints} {
		s.flush()
		if s.err != nil {
			return fmt.Errorf("writing %s: %w", w.file.name, joinClose(s.err, w.file))
		}
		if i > 0 {
			w.checksums[i-1] = s.digest.Sum64()
		}
	}
	// A run without an entry has no prints: the file is made as long as its header says.
	if _, err := w.file.WriteAt(w.encode(), 0); err != nil {
		return fmt.Errorf("writing %s: %w", w.file.name, joinClose(err, w.file))
	}
	if err := w.file.Truncate(w.size()); err != nil {
		return fmt.Errorf("writing %s: %w", w.file.name, joinClose(err, w.file))
	}
	if err := w.file.finish(); err != nil {
		return fmt.Errorf("writing %s: %w", w.file.name, err)
	}
	return nil
}

// abandon gives the run up. What can't be removed is at the next start.
func (w *runWriter) abandon() {
	_ = w.file.Close()
	_ = w.file.folder.remove(w.file.name)
}

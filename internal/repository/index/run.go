package index

import (
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"

	"github.com/cespare/xxhash/v2"

	"github.com/karbor/karbor/internal/repository/format"
)

// run is an open run. Its methods may be called concurrently, close after all others.
type run struct {
	number uint64
	name   string
	header
	file   *os.File
	starts []byte
	// filter is nil while the one of a large run is not loaded yet.
	filter atomic.Pointer[filter]
}

func runName(number uint64) string { return fmt.Sprintf("run-%016x", number) }

// openRun opens a run, without its filter.
func (f *folder) openRun(number uint64, repository format.RepositoryID) (*run, error) {
	name := runName(number)
	o, err := f.root.Open(name)
	if err != nil {
		return nil, err
	}
	r, err := readRun(o, repository)
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", name, joinClose(err, o))
	}
	r.number, r.name = number, name
	return r, nil
}

// joinClose closes what could not be used.
func joinClose(err error, c io.Closer) error {
	_ = c.Close() // it was only read: what went wrong before says more
	return err
}

func readRun(o *os.File, repository format.RepositoryID) (*run, error) {
	info, err := o.Stat()
	if err != nil {
		return nil, err
	}
	b := make([]byte, headerSize)
	if _, err := o.ReadAt(b, 0); err != nil {
		return nil, damage("run", "its header can't be read: %v", err)
	}
	h, err := parseHeader(b, info.Size())
	if err != nil {
		return nil, err
	}
	if h.repository != repository {
		return nil, damage("run", "it is of the repository %s", h.repository)
	}
	_, at, _, _ := h.offsets()
	starts := make([]byte, 4*h.shape().starts())
	if err := readChecked(o, starts, at, h.checksums[0]); err != nil {
		return nil, err
	}
	before := uint32(0)
	for i := 0; i < len(starts); i += 4 {
		n := binary.LittleEndian.Uint32(starts[i:])
		if n < before || uint64(n) > h.entries {
			return nil, damage("run", "its list of starts is not in order")
		}
		before = n
	}
	if uint64(before) != h.entries {
		return nil, damage("run", "its list of starts ends with %d of %d entries", before, h.entries)
	}
	return &run{header: *h, file: o, starts: starts}, nil
}

func readChecked(o *os.File, b []byte, at int64, checksum uint64) error {
	if _, err := o.ReadAt(b, at); err != nil {
		return damage("run", "%d bytes at %d can't be read: %v", len(b), at, err)
	}
	if xxhash.Sum64(b) != checksum {
		return damage("run", "%d bytes at %d have another checksum", len(b), at)
	}
	return nil
}

// load reads the filter into memory.
func (r *run) load() error {
	_, _, words, prints := r.offsets()
	n := 8 * r.shape().words(r.entries)
	memory, err := allocate(n + int64(r.entries))
	if err != nil {
		return err
	}
	f := &filter{memory: memory, words: memory[:n], prints: memory[n:]}
	err = readChecked(r.file, f.words, words, r.checksums[1])
	if err == nil {
		err = readChecked(r.file, f.prints, prints, r.checksums[2])
	}
	if err != nil {
		_ = free(memory)
		return fmt.Errorf("loading the filter of %s: %w", r.name, err)
	}
	r.filter.Store(f)
	return nil
}

// unload gives the filter's memory back. Nobody may be looking anything up.
func (r *run) unload() error {
	f := r.filter.Swap(nil)
	if f == nil {
		return nil
	}
	return free(f.memory)
}

var blocks = sync.Pool{New: func() any { return new([blockSize]byte) }}

// find gives the first entry of an id that is accepted, in the order of the run.
func (r *run) find(id *format.ID, accept func(*entry) bool) (found entry, ok bool, err error) {
	bucket, fingerprint := r.shape().place(id)
	group := int(bucket / groupBuckets)
	from, to := uint64(binary.LittleEndian.Uint32(r.starts[4*group:])), uint64(binary.LittleEndian.Uint32(r.starts[4*group+4:]))
	f := r.filter.Load()
	if f != nil {
		if from, to, ok = f.find(bucket, from); !ok {
			return found, false, damage("run", "the filter of %s contradicts itself", r.name)
		}
	}
	var block *[blockSize]byte
	held := int64(-1)
	for i := from; i < to; i++ {
		if f != nil && f.prints[i] != fingerprint {
			continue
		}
		if block == nil {
			block = blocks.Get().(*[blockSize]byte)
			defer blocks.Put(block)
		}
		if n := int64(i / blockEntries); n != held {
			if err := r.block(block[:], n); err != nil {
				return found, false, err
			}
			held = n
		}
		b := block[i%blockEntries*entrySize:]
		if format.ID(b[:len(id)]) != *id {
			continue
		}
		if found.get(b); accept(&found) {
			return found, true, nil
		}
	}
	return found, false, nil
}

// block reads a block of entries.
func (r *run) block(b []byte, n int64) error {
	if _, err := r.file.ReadAt(b, blockSize*(1+n)); err != nil {
		return damage("run", "block %d of %s can't be read: %v", n, r.name, err)
	}
	if !blockIntact(b, n) {
		return damage("run", "block %d of %s is not intact", n, r.name)
	}
	return nil
}

func (r *run) close() error {
	err := r.unload()
	if e := r.file.Close(); err == nil {
		err = e
	}
	return err
}

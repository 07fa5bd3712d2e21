package index

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"github.com/cespare/xxhash/v2"

	"github.com/karbor/karbor/internal/repository/dedup/indextest"
	"github.com/karbor/karbor/internal/repository/format"
)

// writeRun writes a run of n entries into a folder and gives its bytes.
func writeRun(t testing.TB, f *folder, n int) []byte {
	t.Helper()
	m := newMemtable(n)
	for i := range n {
		m.add(&entry{id: indextest.ID(i / 2), pack: uint32(i), offset: 1, stored: 2, raw: 3, within: 4, length: 5})
	}
	w, err := f.newRun(1, repository, uint64(n))
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range m.sorted() {
		if err := w.add(&m.entries[i]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.finish(); err != nil {
		t.Fatal(err)
	}
	o, err := f.root.Open(runName(1))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = o.Close() }() // it was only read
	b, err := os.ReadFile(o.Name())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func testFolder(t testing.TB) *folder {
	t.Helper()
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = root.Close() })
	return &folder{root: root}
}

// reseal makes the checksums of a run right, as far as its parts are there.
func reseal(b []byte) {
	if len(b) < headerSize {
		return
	}
	copy(b, runMagic)
	copy(b[8:], repository[:])
	binary.LittleEndian.PutUint64(b[headerSize-8:], xxhash.Sum64(b[:headerSize-8]))
	h, err := parseHeader(b[:headerSize], int64(len(b)))
	if err != nil {
		return
	}
	entries, starts, words, prints := h.offsets()
	for n := int64(0); entries+(n+1)*blockSize <= starts; n++ {
		sealBlock(b[entries+n*blockSize:][:blockSize], n)
	}
	h.checksums = [3]uint64{xxhash.Sum64(b[starts : starts+4*h.shape().starts()]),
		xxhash.Sum64(b[words : words+8*h.shape().words(h.entries)]), xxhash.Sum64(b[prints : prints+int64(h.entries)])}
	copy(b, h.encode())
}

func FuzzRun(f *testing.F) {
	for _, n := range []int{0, 1, 5, 200, 500} {
		f.Add(writeRun(f, testFolder(f), n), true, uint32(0), byte(0))
	}
	f.Add(writeRun(f, testFolder(f), 300), true, uint32(5*blockSize+9), byte(3))
	f.Add([]byte(runMagic), false, uint32(0), byte(0))
	f.Fuzz(func(t *testing.T, b []byte, seal bool, at uint32, flip byte) {
		if len(b) > 1<<20 {
			return
		}
		if len(b) > 0 {
			b[int(at)%len(b)] ^= flip
		}
		if seal {
			reseal(b)
		}
		d := testFolder(t)
		if err := os.WriteFile(filepath.Join(d.root.Name(), runName(1)), b, 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := d.openRun(1, repository)
		if err != nil {
			return
		}
		defer func() { _ = r.close() }()
		for range 2 { // without the filter, and with it
			for i := range 20 {
				id := indextest.ID(i)
				if e, ok, err := r.find(&id, func(e *entry) bool { return e.pack != 3 }); ok && (err != nil || e.id != id) {
					t.Fatal(e, err)
				}
			}
			_, _, _ = r.find(&format.ID{}, func(*entry) bool { return true })
			last := format.ID{255, 255, 255, 255, 255, 255, 255, 255, 255}
			_, _, _ = r.find(&last, func(*entry) bool { return true })
			if r.load() != nil {
				break
			}
		}
		c := &cursor{run: r, buf: make([]byte, 0, cursorBlocks*blockSize)}
		for ok, err := c.next(); ok && err == nil; ok, err = c.next() {
			continue
		}
	})
}

func FuzzState(f *testing.F) {
	s := newState(repository)
	s.packs.add(&pack{name: format.Name{1}, kind: format.Data, segment: 1, entries: 3})
	s.segments[format.Name{2}] = segment{number: 1, durable: true}
	s.segments[format.Name{3}] = segment{superseded: true, durable: true}
	s.runs = []runInfo{{1, 3}}
	f.Add(s.encode(), true)
	f.Add(newState(repository).encode(), false)
	f.Fuzz(func(t *testing.T, b []byte, seal bool) {
		if seal && len(b) > 16 {
			binary.LittleEndian.PutUint64(b[len(b)-8:], xxhash.Sum64(b[:len(b)-8]))
		}
		s, err := parseState(b, repository)
		if err != nil {
			return
		}
		again, err := parseState(s.encode(), repository)
		if err != nil || len(again.packs.packs) != len(s.packs.packs) || len(again.segments) != len(s.segments) {
			t.Fatal(err)
		}
	})
}

func TestARunFindsEachEntryWithAndWithoutItsFilter(t *testing.T) {
	d := testFolder(t)
	const n = 20000
	writeRun(t, d, n)
	r, err := d.openRun(1, repository)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.close() }()
	for range 2 {
		for i := range n / 2 {
			id := indextest.ID(i)
			if e, ok, err := r.find(&id, func(*entry) bool { return true }); err != nil || !ok || e.id != id || e.pack != uint32(2*i+1) {
				t.Fatal(i, e, ok, err)
			}
			if e, ok, err := r.find(&id, func(e *entry) bool { return e.pack%2 == 0 }); err != nil || !ok || e.pack != uint32(2*i) {
				t.Fatal(i, e, ok, err)
			}
			id = indextest.ID(n + i)
			if _, ok, err := r.find(&id, func(*entry) bool { return true }); err != nil || ok {
				t.Fatal(i, ok, err)
			}
		}
		if err := r.load(); err != nil {
			t.Fatal(err)
		}
	}
}

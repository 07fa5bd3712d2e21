package dedup

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/repository/format"
)

// counted counts the bytes that are read.
type counted struct {
	*bytes.Reader
	n int64
}

func (c *counted) ReadAt(p []byte, off int64) (int, error) {
	n, err := c.Reader.ReadAt(p, off)
	c.n += int64(n)
	return n, err
}

// update writes a stream of data that differs from the one under previous in extents.
func update(t *testing.T, f fatal, d *Domain, previous, key string, data []byte, changed []Extent) (Summary, int64) {
	f.Helper()
	w, err := d.Writer(t.Context())
	if err != nil {
		f.Fatal(err)
	}
	source := &counted{Reader: bytes.NewReader(data)}
	if err := w.Update(t.Context(), source, int64(len(data)), previous, changed); err != nil {
		f.Fatal(err)
	}
	s, err := w.Commit(t.Context(), key)
	if err != nil {
		f.Fatal(err)
	}
	return s, source.n
}

func TestAnUpdatedStreamIsWhatTheSourceHolds(t *testing.T) {
	d, _ := newDomain(t)
	rapid.Check(t, func(r *rapid.T) {
		// Stretches of noise and of zeros, of any lengths.
		var data []byte
		for i := range rapid.IntRange(0, 5).Draw(r, "stretches") {
			n := rapid.IntRange(1, 700<<10).Draw(r, "length")
			if rapid.Bool().Draw(r, "noise") {
				data = append(data, random(rapid.Uint64Range(0, 999).Draw(r, "seed")*8+uint64(i), n)...)
			} else {
				data = append(data, make([]byte, n)...)
			}
		}
		previous, key := "streams/"+karbor.NewID(), "streams/"+karbor.NewID()
		write(t.Context(), r, d, previous, data)
		after := slices.Clone(data)
		switch rapid.IntRange(0, 2).Draw(r, "size") {
		case 1:
			after = after[:rapid.IntRange(0, len(after)).Draw(r, "shorter")]
		case 2:
			after = append(after, random(77, rapid.IntRange(1, 300<<10).Draw(r, "longer"))...)
		}
		var changed []Extent
		for range rapid.IntRange(0, 4).Draw(r, "changes") {
			at := rapid.IntRange(0, len(data)).Draw(r, "at")
			n := rapid.IntRange(0, 100<<10).Draw(r, "bytes")
			changed = append(changed, Extent{int64(at), int64(n)})
			if at < len(after) {
				part := after[at:min(at+n, len(after))]
				if rapid.Bool().Draw(r, "to zeros") {
					clear(part)
				} else {
					copy(part, random(78, len(part)))
				}
			}
		}
		s, _ := update(t, r, d, previous, key, after, changed)
		got, err := read(t.Context(), d, key, 0)
		if err != nil || !bytes.Equal(got, after) || s.Size != int64(len(after)) {
			r.Fatalf("%d bytes come back of %d, %v", len(got), len(after), err)
		}
	})
}

func TestAnUpdateReadsAndStoresLittleMoreThanWhatHasChanged(t *testing.T) {
	d, _ := newDomain(t)
	data := random(9, 64<<20)
	write(t.Context(), t, d, "streams/a", data)
	copy(data[20<<20:], random(10, 4096))
	copy(data[40<<20+5:], random(11, 1<<20))
	s, n := update(t, t, d, "streams/a", "streams/b", data, []Extent{{40<<20 + 5, 1 << 20}, {20 << 20, 4096}})
	if most := int64(1<<20 + 5*format.MaxChunk); n > most || s.New > most {
		t.Errorf("%d bytes are read, and %d stored", n, s.New)
	}
	if got, err := read(t.Context(), d, "streams/b", 0); err != nil || !bytes.Equal(got, data) {
		t.Errorf("it does not come back: %v", err)
	}
}

// pagesOnly is an index that knows no chunks.
type pagesOnly struct{ Index }

func (x pagesOnly) Find(kind format.Kind, id format.ID) (Location, bool, error) {
	if kind == format.Data {
		return Location{}, false, nil
	}
	return x.Index.Find(kind, id)
}

func TestAnUpdateReadsWhatTheBankHasLost(t *testing.T) {
	d, b := newDomain(t)
	data := random(12, 3<<20)
	write(t.Context(), t, d, "streams/a", data)
	forgetful := reopen(t, b)
	forgetful.options.Index = pagesOnly{forgetful.options.Index}
	s, n := update(t, t, forgetful, "streams/a", "streams/b", data, nil)
	if n != int64(len(data)) || s.Size != n {
		t.Errorf("%d bytes are read, and the stream has %d", n, s.Size)
	}
	w, err := d.Writer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	if err := w.Update(t.Context(), bytes.NewReader(data), 3<<20, "streams/none", nil); karbor.KindOf(err) != karbor.NotFound {
		t.Errorf("an update of nothing gives %v", err)
	}
	if err := w.Update(t.Context(), bytes.NewReader(data), 4<<20, "streams/a", nil); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a source that is too short gives %v", err)
	}
}

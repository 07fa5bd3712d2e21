package dedup

import (
	"cmp"
	"context"
	"io"
	"slices"
	"sort"

	"github.com/karbor/karbor/internal/repository/format"
)

// Extent is a part of a stream.
type Extent struct{ Offset, Length int64 }

// Update writes the whole of a stream of size bytes that is known to differ from an
// earlier one, whose manifest lies under previous, in no other than some extents, and
// behind its end. What has not changed is taken over from the earlier stream's recipe. Of source
// it reads what has changed, what is in one chunk with that, and what the bank has lost. Nothing
// may be written before, and Commit follows. A previous that can't be read is an error
// before anything is written: then Write can do the same with all bytes.
func (w *Writer) Update(ctx context.Context, source io.ReaderAt, size int64, previous string, changed []Extent) error {
	m, err := w.domain.manifest(ctx, previous)
	if err != nil {
		return err
	}
	u := updater{w: w, source: source, size: size, changed: granules(changed)}
	seeker := w.domain.Seeker()
	for i, id := range m.Pages {
		u.at = int64(i) * format.Span
		if u.at >= size {
			break
		}
		page, _, err := seeker.Page(ctx, id, format.SpanSize(m.Size, i))
		if err != nil && !refusal(err) {
			return err
		}
		for _, e := range page { // none, if the page is damaged
			if err := u.entry(e); err != nil {
				return err
			}
		}
	}
	return u.fill(size)
}

// granules gives extents that hold others, in order and apart, in whole granules.
func granules(extents []Extent) []Extent {
	sorted := slices.SortedFunc(slices.Values(extents), func(a, b Extent) int { return cmp.Compare(a.Offset, b.Offset) })
	out := sorted[:0]
	for _, e := range sorted {
		if e.Length <= 0 {
			continue
		}
		from := e.Offset / format.Granule * format.Granule
		to := (e.Offset + e.Length + format.Granule - 1) / format.Granule * format.Granule
		if last := len(out) - 1; last >= 0 && out[last].Offset+out[last].Length >= from {
			out[last].Length = max(out[last].Length, to-out[last].Offset)
			continue
		}
		out = append(out, Extent{from, to - from})
	}
	return out
}

// updater writes one Update.
type updater struct {
	w       *Writer
	source  io.ReaderAt
	size    int64
	changed []Extent
	// at is where the next entry of the earlier stream is, done how far the new one has
	// come, with the entries that are taken over and not yet handed on.
	at, done int64
	taken    []format.Entry
}

// takenAtOnce is how many entries are handed on together.
const takenAtOnce = 1024

// next gives the first extent that ends behind an offset.
func (u *updater) next(offset int64) (Extent, bool) {
	i := sort.Search(len(u.changed), func(i int) bool { return u.changed[i].Offset+u.changed[i].Length > offset })
	if i == len(u.changed) {
		return Extent{}, false
	}
	return u.changed[i], true
}

// entry takes an entry of the earlier stream over, if it may.
func (u *updater) entry(e format.Entry) error {
	begin, end := u.at, u.at+int64(e.Length)
	u.at = end
	if e.Hole {
		return u.hole(begin, end)
	}
	if end > u.size || end%format.Block != 0 && end < u.size {
		return nil // it ended there only because the stream did
	}
	if c, ok := u.next(begin); ok && c.Offset < end {
		return nil
	}
	known, err := u.w.known(format.Data, e.ID)
	if err != nil || !known {
		return err
	}
	return u.take(begin, e)
}

// hole takes over what has not changed of a hole.
func (u *updater) hole(begin, end int64) error {
	if end = min(end, u.size); end < u.size {
		end = end / format.Granule * format.Granule
	}
	for begin < end {
		c, ok := u.next(begin)
		if !ok || c.Offset >= end {
			return u.take(begin, format.Entry{Length: int(end - begin), Hole: true})
		}
		if c.Offset > begin {
			if err := u.take(begin, format.Entry{Length: int(c.Offset - begin), Hole: true}); err != nil {
				return err
			}
		}
		begin = c.Offset + c.Length
	}
	return nil
}

// take takes an entry over, after what is missing before it.
func (u *updater) take(begin int64, e format.Entry) error {
	if begin > u.done || len(u.taken) == takenAtOnce {
		if err := u.fill(begin); err != nil {
			return err
		}
	}
	u.taken = append(u.taken, e)
	u.done = begin + int64(e.Length)
	return nil
}

// fill hands on what was taken over, and reads what follows, up to an offset.
func (u *updater) fill(to int64) error {
	if len(u.taken) > 0 {
		if err := u.w.reuse(u.taken); err != nil {
			return err
		}
		u.taken = u.taken[:0]
	}
	if to <= u.done {
		return nil
	}
	n, err := io.Copy(u.w, io.NewSectionReader(u.source, u.done, to-u.done))
	if err == nil && n < to-u.done {
		err = io.ErrUnexpectedEOF
	}
	u.done = to
	return err
}

// reuse hands on entries of another stream, which lie at the same offset there.
func (w *Writer) reuse(entries []format.Entry) error {
	if err := w.flush(true); err != nil {
		return err
	}
	if err := w.room(); err != nil {
		return err
	}
	b := w.now
	w.now = nil
	b.taken = append(b.taken, entries...)
	at := w.cutter.Offset()
	for _, e := range entries {
		at += int64(e.Length)
	}
	w.cutter = format.NewCutter(at)
	return w.hand(b)
}

package dedup

import (
	"github.com/karbor/karbor/internal/repository/format"
)

// assembler takes the batches in the order of the stream. It puts new chunks into
// groups, and every chunk and hole into pages.
type assembler struct {
	w      *Writer
	hasher *format.Hasher // of pages
	group  *job
	page   format.Page
	filled int64 // bytes that page stands for
	text   []byte
}

func newAssembler(w *Writer) *assembler {
	return &assembler{w: w, hasher: w.domain.keys.PageHasher()}
}

func (a *assembler) run() error {
	for {
		select {
		case b, more := <-a.w.inOrder:
			if !more {
				return a.finish()
			}
			if err := a.take(b); err != nil {
				return err
			}
		case <-a.w.ctx.Done():
			return a.w.ctx.Err()
		}
	}
}

// take works off one batch, when its chunks have their ids, and frees it.
func (a *assembler) take(b *batch) error {
	select {
	case <-b.done:
	case <-a.w.ctx.Done():
		return a.w.ctx.Err()
	}
	for left := b.hole; left > 0; {
		n := min(left, format.Span-a.filled)
		left -= n
		if err := a.enter(format.Entry{Length: int(n), Hole: true}); err != nil {
			return err
		}
	}
	for _, e := range b.taken {
		if !e.Hole {
			a.w.totals.add(func(s *Summary) { s.Chunks++ })
		}
		if err := a.enter(e); err != nil {
			return err
		}
	}
	for i := range b.cuts {
		p := &b.cuts[i]
		if !p.hole {
			if err := a.store(p, b.data[p.begin:p.end]); err != nil {
				return err
			}
		}
		if err := a.enter(format.Entry{Length: p.end - p.begin, Hole: p.hole, ID: p.id}); err != nil {
			return err
		}
	}
	a.w.free <- b // it has room for all there are
	return nil
}

// store puts a chunk into the group if it is not stored and not on its way.
func (a *assembler) store(p *piece, data []byte) error {
	fresh := false
	if !p.known {
		var err error
		if fresh, err = a.fresh(format.Data, p.id); err != nil {
			return err
		}
	}
	a.w.totals.add(func(s *Summary) {
		s.Chunks++
		if fresh {
			s.NewChunks++
			s.New += int64(len(data))
		}
	})
	if !fresh {
		return nil
	}
	if a.group != nil && len(a.group.raw)+len(data) > format.MaxGroup {
		if err := a.send(a.group); err != nil {
			return err
		}
		a.group = nil
	}
	if a.group == nil {
		a.group = a.w.newJob(format.Data)
	}
	a.group.raw = append(a.group.raw, data...)
	a.group.chunks = append(a.group.chunks, format.Chunk{ID: p.id, Length: len(data)})
	return nil
}

// fresh reports whether a chunk or page is neither stored nor on its way; then it is on
// its way. What is on its way leaves when it is in the index, so it is looked for
// there last.
func (a *assembler) fresh(kind format.Kind, id format.ID) (bool, error) {
	if !a.w.flying.enter(kind, id) {
		return false, nil
	}
	known, err := a.w.known(kind, id)
	if known {
		a.w.flying.leave(kind, id)
	}
	return !known, err
}

func (a *assembler) send(j *job) error {
	select {
	case a.w.sealing <- j:
		return nil
	case <-a.w.ctx.Done():
		return a.w.ctx.Err()
	}
}

// enter puts an entry into the page, and ends that at the end of its span.
func (a *assembler) enter(e format.Entry) error {
	a.page = a.page.Append(e)
	a.filled += int64(e.Length)
	a.w.root.Size += int64(e.Length)
	if a.filled == format.Span {
		return a.endPage()
	}
	return nil
}

func (a *assembler) endPage() error {
	if a.filled == 0 {
		return nil
	}
	var id format.ID
	if !a.page.Empty() {
		a.text = a.page.Encode(a.text[:0])
		id = a.hasher.ID(a.text)
		fresh, err := a.fresh(format.Pages, id)
		if err != nil {
			return err
		}
		if fresh {
			j := a.w.newJob(format.Pages)
			j.raw = append(j.raw, a.text...)
			j.chunks = append(j.chunks, format.Chunk{ID: id, Length: len(a.text)})
			if err := a.send(j); err != nil {
				return err
			}
		}
	}
	a.w.root.Pages = append(a.w.root.Pages, id)
	a.page, a.filled = a.page[:0], 0
	return nil
}

func (a *assembler) finish() error {
	if err := a.endPage(); err != nil {
		return err
	}
	if a.group != nil {
		return a.send(a.group)
	}
	return nil
}

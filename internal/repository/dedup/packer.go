package dedup

import (
	"context"
	"fmt"

	"github.com/karbor/karbor/internal/repository/format"
)

const (
	// uploaders store packs at the same time.
	uploaders = 2
	// packsInMemory: one that is filled, and those that are stored.
	packsInMemory = 1 + uploaders
	// segmentDirectories is how many bytes of directories make a segment full.
	segmentDirectories = 16 << 20
)

// upload is a pack on its way to the bank.
type upload struct {
	kind   format.Kind
	pack   []byte
	groups []format.Group
}

// packer puts sealed groups into packs, one for each kind at a time.
type packer struct {
	w     *Writer
	packs map[format.Kind]*format.PackWriter
}

func newPacker(w *Writer) *packer {
	return &packer{w: w, packs: map[format.Kind]*format.PackWriter{}}
}

func (p *packer) run() error {
	for {
		select {
		case j, more := <-p.w.sealed:
			if !more {
				return p.finish()
			}
			if err := p.add(j); err != nil {
				return err
			}
		case <-p.w.ctx.Done():
			return p.w.ctx.Err()
		}
	}
}

func (p *packer) add(j *job) error {
	pack := p.packs[j.kind]
	if pack == nil {
		var buf []byte
		if j.kind == format.Data {
			select {
			case buf = <-p.w.packBufs:
			case <-p.w.ctx.Done():
				return p.w.ctx.Err()
			}
			if buf == nil {
				buf = make([]byte, 0, format.PackTarget+4*format.MaxGroup)
			}
		}
		pack = format.NewPackWriter(j.kind, buf)
		p.packs[j.kind] = pack
	}
	full, kind := pack.Add(j.stored, j.chunks), j.kind
	p.w.jobs.Put(j)
	if full {
		return p.end(kind)
	}
	return nil
}

func (p *packer) end(kind format.Kind) error {
	pack := p.packs[kind]
	delete(p.packs, kind)
	b, err := pack.Finish(p.w.domain.keys)
	if err != nil {
		return err
	}
	select {
	case p.w.uploads <- &upload{kind, b, pack.Groups()}:
		return nil
	case <-p.w.ctx.Done():
		return p.w.ctx.Err()
	}
}

func (p *packer) finish() error {
	for _, kind := range []format.Kind{format.Data, format.Pages} {
		if p.packs[kind] != nil {
			if err := p.end(kind); err != nil {
				return err
			}
		}
	}
	// A worker that failed has closed the channel, too.
	return p.w.ctx.Err()
}

// upload stores packs until there are no more.
func (w *Writer) upload() error {
	for {
		select {
		case u, more := <-w.uploads:
			if !more {
				return nil
			}
			if err := w.storePack(u); err != nil {
				return err
			}
		case <-w.ctx.Done():
			return w.ctx.Err()
		}
	}
}

func (w *Writer) storePack(u *upload) error {
	name := format.NameOf(u.pack)
	if err := w.domain.store(w.ctx, w.domain.packKey(u.kind, name), u.pack); err != nil {
		return err
	}
	pack := format.Pack{Name: name, Kind: u.kind, Size: int64(len(u.pack)), Groups: u.groups}
	if err := w.domain.options.Index.Add([]format.Pack{pack}); err != nil {
		return fmt.Errorf("taking the pack %s into the index: %w", name, err)
	}
	w.flying.landed(u.kind, u.groups)
	if u.kind == format.Data {
		w.packBufs <- u.pack // it has room for all there are
	}
	w.totals.mu.Lock()
	w.totals.summary.Stored += pack.Size
	w.totals.packs = append(w.totals.packs, pack)
	full := directories(w.totals.packs) > segmentDirectories
	w.totals.mu.Unlock()
	if full {
		return w.publishSegment(w.ctx)
	}
	return nil
}

// directories gives about how many bytes the directories of packs have.
func directories(packs []format.Pack) int {
	n := 0
	for i := range packs {
		for j := range packs[i].Groups {
			n += 12 + 36*len(packs[i].Groups[j].Chunks)
		}
	}
	return n
}

// publishSegment writes what was stored into an index segment.
func (w *Writer) publishSegment(ctx context.Context) error {
	w.totals.mu.Lock()
	packs := w.totals.packs
	w.totals.packs = nil
	w.totals.mu.Unlock()
	if len(packs) == 0 {
		return nil
	}
	segment := &format.Segment{Packs: packs}
	b, err := w.domain.keys.SealSegment(segment)
	if err != nil {
		return err
	}
	name := format.NameOf(b)
	if err := w.domain.store(ctx, w.domain.segmentKey(name), b); err != nil {
		return err
	}
	if x, ok := w.domain.options.Index.(SegmentIndex); ok {
		if err := x.AddSegment(name, segment); err != nil {
			return err
		}
	}
	w.totals.add(func(s *Summary) { s.Stored += int64(len(b)) })
	return nil
}

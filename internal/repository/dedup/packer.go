package dedup

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"github.com/karbor/karbor/internal/repository/format"
)

const (
	// uploaders store packs at the same time.
	uploaders = 2
	// packsInMemory: one that is filled, and those that are stored.
	packsInMemory = 1 + uploaders
	// segmentDirectories is how many bytes of directories make a segment full.
	segmentDirectories = 16 << 20
	// segmentPacks is how many bytes of packs make a segment due, or as many of all that the
	// stream has stored as segmentShare says: what no segment names is stored again when the
	// process dies, and too many small segments cost every reader.
	segmentPacks = 128 << 20
	segmentShare = 16
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
				buf = p.w.domain.buffers.get()
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

// StorePack writes a pack of groups, and takes it into the index. It is noted in the references of
// whoever writes it.
func (d *Domain) StorePack(ctx context.Context, refs References, kind format.Kind, b []byte, groups []format.Group) (format.Pack, error) {
	pack := format.Pack{Name: format.NameOf(b), Kind: kind, Size: int64(len(b)), Groups: groups}
	return pack, d.StoreNamed(ctx, refs, pack, bytes.NewReader(b))
}

// StoreNamed is StorePack of an object whose name and size the caller knows. object fails where
// its bytes turn out to have another name.
func (d *Domain) StoreNamed(ctx context.Context, refs References, pack format.Pack, object io.Reader) error {
	stored := refs.Store(pack.Name, pack.Kind)
	if err := stored(ctx, d.store(ctx, d.packKey(pack.Kind, pack.Name), object, pack.Size)); err != nil {
		return err
	}
	if err := d.options.Index.Add([]format.Pack{pack}); err != nil {
		return fmt.Errorf("taking the pack %s into the index: %w", pack.Name, err)
	}
	return nil
}

func (w *Writer) storePack(u *upload) error {
	pack, err := w.domain.StorePack(w.ctx, w.refs, u.kind, u.pack, u.groups)
	if err != nil {
		return err
	}
	w.flying.landed(u.kind, u.groups)
	if u.kind == format.Data {
		w.packBufs <- u.pack // it has room for all there are
	}
	w.totals.mu.Lock()
	w.totals.summary.Stored += pack.Size
	w.totals.packs = append(w.totals.packs, pack)
	w.totals.unnamed += pack.Size
	due := max(segmentPacks, w.totals.summary.Stored/segmentShare)
	full := w.totals.unnamed >= due || directories(w.totals.packs) > segmentDirectories
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
	w.totals.packs, w.totals.unnamed = nil, 0
	w.totals.mu.Unlock()
	if len(packs) == 0 {
		return nil
	}
	var size int
	// A segment that was written by who may be dead would tell of packs that are gone.
	err := w.refs.While(ctx, func(ctx context.Context) (err error) {
		_, size, err = w.domain.WriteSegment(ctx, &format.Segment{Packs: packs})
		return err
	})
	if err != nil {
		return err
	}
	w.totals.add(func(s *Summary) { s.Stored += int64(size) })
	return nil
}

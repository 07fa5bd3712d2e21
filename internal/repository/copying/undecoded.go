package copying

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/repository/dedup"
	"github.com/karbor/karbor/internal/repository/format"
)

const (
	// groupsAtOnce bounds the groups that are known to be missing and not copied yet: those
	// of about 64 GiB.
	groupsAtOnce = 1 << 16
	// segmentBytes is how many bytes of packs are copied before a segment tells of them: so
	// much is copied again at most after a copy was broken off.
	segmentBytes = 512 << 20
	// packsAtOnce is how many packs travel whole at the same time, each in memory where the
	// target wants it so.
	packsAtOnce = 4
	// segmentChunks is how many chunks a segment tells of, so that it is not too long.
	segmentChunks = 1 << 19
)

// place is a pack of the source.
type place struct {
	kind format.Kind
	name format.Name
}

// batch is what is copied of one stream.
type batch struct {
	*copier
	refs     dedup.References
	seekers  map[format.Kind]*dedup.Seeker
	groupsOf *dedup.StoredGroups
	// wanted are the groups that the target does not have, by their offsets.
	wanted map[place]map[int]bool
	groups int
	// pages are those that were walked through.
	pages map[format.ID]bool
	// packs are those that are being filled.
	packs map[format.Kind]*format.PackWriter

	// mu guards what follows, the result, and refs where packs travel at the same time.
	mu sync.Mutex
	// written are those packs that no segment tells of yet.
	written []format.Pack
	unnamed int64 // bytes of written
	chunks  int   // in written
}

// undecoded copies a stream as it is stored, and writes its manifest.
func (c *copier) undecoded(ctx context.Context, root *format.Root, key string) (err error) {
	stored, err := c.from.StoredGroups()
	if err != nil {
		return err
	}
	defer stored.Close()
	refs, _ := c.to.Begin()
	b := &batch{
		copier: c, refs: refs, groupsOf: stored, wanted: map[place]map[int]bool{}, pages: map[format.ID]bool{},
		seekers: map[format.Kind]*dedup.Seeker{format.Data: c.from.Seeker(), format.Pages: c.from.Seeker()},
		packs:   map[format.Kind]*format.PackWriter{},
	}
	defer func() { refs.End(err == nil) }()
	before := c.result.Bytes
	for i, id := range root.Pages {
		if err := b.page(ctx, id, format.SpanSize(root.Size, i)); err != nil {
			return err
		}
	}
	if err := b.fetch(ctx); err != nil {
		return err
	}
	for _, kind := range []format.Kind{format.Data, format.Pages} {
		if err := b.end(ctx, kind); err != nil {
			return err
		}
	}
	if err := b.segment(ctx); err != nil {
		return err
	}
	return c.publish(ctx, refs, root, key, c.result.Bytes-before)
}

// page notes what the target does not have of a span.
func (b *batch) page(ctx context.Context, id format.ID, size int64) error {
	if id == (format.ID{}) || b.pages[id] {
		return nil
	}
	b.pages[id] = true
	page, at, err := b.seekers[format.Pages].Page(ctx, id, size)
	if err != nil {
		return err
	}
	if err := b.want(format.Pages, id, &at); err != nil {
		return err
	}
	for _, e := range page {
		if e.Hole {
			continue
		}
		l, ok, err := b.from.Index().Find(format.Data, e.ID)
		if err != nil {
			return err
		}
		if !ok {
			err = b.seekers[format.Data].Seek(ctx, format.Data, e.ID, func(found *dedup.Location) error {
				l = *found
				return nil
			})
		}
		if err == nil {
			err = b.want(format.Data, e.ID, &l)
		}
		if err != nil {
			return err
		}
	}
	if b.groups >= groupsAtOnce {
		return b.fetch(ctx)
	}
	return nil
}

// want notes the group of a chunk or page, unless the target has it.
func (b *batch) want(kind format.Kind, id format.ID, at *dedup.Location) error {
	p := place{kind, at.Pack}
	if b.wanted[p][at.Offset] {
		return nil
	}
	generation := b.refs.Generation()
	l, known, err := b.to.Index().Find(kind, id)
	if err != nil || known && b.refs.Refer(generation, l.Pack, kind) {
		return err
	}
	if b.wanted[p] == nil {
		b.wanted[p] = map[int]bool{}
	}
	b.wanted[p][at.Offset] = true
	b.groups++
	return nil
}

// fetch copies the groups that are wanted: packs of which all is wanted at the same time, and then
// what is wanted of others one after the other, so that the same goes into the same new packs
// when a copy that was broken off is done again.
func (b *batch) fetch(ctx context.Context) error {
	order := make([]place, 0, len(b.wanted))
	for p := range b.wanted {
		order = append(order, p)
	}
	slices.SortFunc(order, func(x, y place) int {
		return cmp.Or(cmp.Compare(x.kind, y.kind), bytes.Compare(x.name[:], y.name[:]))
	})
	parts := make([][]format.Group, len(order))
	moving, within := errgroup.WithContext(ctx)
	moving.SetLimit(packsAtOnce)
	for i, p := range order {
		if within.Err() != nil {
			break
		}
		moving.Go(func() error {
			groups, err := b.pack(within, p, b.wanted[p])
			if err != nil {
				return fmt.Errorf("copying of the pack %s: %w", p.name, err)
			}
			parts[i] = groups
			b.mu.Lock()
			defer b.mu.Unlock()
			b.told()
			return nil
		})
	}
	if err := moving.Wait(); err != nil {
		return err
	}
	for i, p := range order {
		for j := range parts[i] {
			if err := b.group(ctx, p, &parts[i][j]); err != nil {
				return fmt.Errorf("copying of the pack %s: %w", p.name, err)
			}
		}
		delete(b.wanted, p)
		b.told()
	}
	b.groups = 0
	return nil
}

// pack copies a pack as it is, if all of it is wanted; else it gives the groups that are.
func (b *batch) pack(ctx context.Context, p place, wanted map[int]bool) ([]format.Group, error) {
	info, err := b.from.Bank().Stat(ctx, dedup.PackKey(b.from.Name(), p.kind, p.name))
	if err != nil {
		return nil, err
	}
	groups, err := b.from.Directory(ctx, p.kind, p.name, info.Size)
	if err != nil {
		return nil, err
	}
	part := make([]format.Group, 0, len(wanted))
	for i := range groups {
		if wanted[groups[i].Offset] {
			part = append(part, groups[i])
		}
	}
	if len(part) < len(wanted) {
		return nil, &format.DamageError{What: "directory", Why: "it does not tell of all groups that the index tells of"}
	}
	// A name that the target's collector has condemned must not come back under its eyes.
	if len(wanted) == len(groups) && b.mayStore(p) {
		if done, err := b.whole(ctx, p, info.Size, groups); done || err != nil {
			return nil, err
		}
	}
	return part, nil
}

// mayStore reports whether a pack may be stored under its name.
func (b *batch) mayStore(p place) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.refs.Refer(b.refs.Generation(), p.name, p.kind)
}

// whole copies a pack as it is, unless a copy that was broken off has done that. done is false
// if something else lies in its place.
func (b *batch) whole(ctx context.Context, p place, size int64, groups []format.Group) (done bool, err error) {
	there, err := b.to.Bank().Stat(ctx, dedup.PackKey(b.to.Name(), p.kind, p.name))
	switch {
	case err == nil && there.Size == size:
		pack := format.Pack{Name: p.name, Kind: p.kind, Size: size, Groups: groups}
		if err := b.to.Index().Add([]format.Pack{pack}); err != nil {
			return false, err
		}
		return true, b.arrived(ctx, &pack, 0)
	case err == nil:
		return false, nil
	case karbor.KindOf(err) != karbor.NotFound:
		return false, err
	}
	pack := format.Pack{Name: p.name, Kind: p.kind, Size: size, Groups: groups}
	if err := b.sendPack(ctx, p, pack); err != nil {
		return false, err
	}
	if b.options.Landed != nil {
		b.options.Landed(ctx, p.kind, p.name)
	}
	return true, b.arrived(ctx, &pack, size)
}

// arrived counts a pack that is in the target whole, for which so many bytes have travelled.
func (b *batch) arrived(ctx context.Context, pack *format.Pack, travelled int64) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if travelled > 0 {
		b.result.Packs++
		b.result.Bytes += travelled
	}
	return b.wrote(ctx, pack)
}

// group puts one group into a new pack as it is stored.
func (b *batch) group(ctx context.Context, p place, g *format.Group) error {
	stored, err := b.groupsOf.Read(ctx, p.kind, p.name, g)
	if err != nil {
		return err
	}
	pack := b.packs[p.kind]
	if pack == nil {
		pack = format.NewPackWriter(p.kind, nil)
		b.packs[p.kind] = pack
	}
	b.result.Groups++
	if pack.Add(stored, g.Chunks) {
		return b.end(ctx, p.kind)
	}
	return nil
}

// end stores the pack of a kind that is being filled, if there is one.
func (b *batch) end(ctx context.Context, kind format.Kind) error {
	pack := b.packs[kind]
	if pack == nil {
		return nil
	}
	delete(b.packs, kind)
	object, err := pack.Finish(b.to.Keys())
	if err != nil {
		return err
	}
	stored, err := b.to.StorePack(ctx, b.refs, kind, object, pack.Groups())
	if err != nil {
		return err
	}
	b.result.Bytes += stored.Size
	return b.wrote(ctx, &stored)
}

// wrote notes a pack that is in the target.
func (b *batch) wrote(ctx context.Context, p *format.Pack) error {
	b.written = append(b.written, *p)
	b.unnamed += p.Size
	for i := range p.Groups {
		b.chunks += len(p.Groups[i].Chunks)
	}
	if b.unnamed < segmentBytes && b.chunks < segmentChunks {
		return nil
	}
	return b.segment(ctx)
}

// segment tells of the packs that were written since the last one.
func (b *batch) segment(ctx context.Context) error {
	if len(b.written) == 0 {
		return nil
	}
	packs := b.written
	b.written, b.unnamed, b.chunks = nil, 0, 0
	return b.refs.While(ctx, func(ctx context.Context) error {
		_, n, err := b.to.WriteSegment(ctx, &format.Segment{Packs: packs})
		b.result.Bytes += int64(n)
		return err
	})
}

package collection

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/repository/dedup"
	"github.com/karbor/karbor/internal/repository/format"
)

// candidates gives the packs of which less than half is reached, the emptiest first, and then the
// small ones, if they are many: sessions that store little leave them. One that is marked as damaged
// is none: what is copied from it would be trusted; one that is locked can't go yet.
func (w *work) candidates() []format.Name {
	if w.options.NoCompaction {
		return nil
	}
	w.marks.mu.Lock()
	defer w.marks.mu.Unlock()
	var out []format.Name
	for name, p := range w.marks.packs {
		if p.reached && !p.locked.After(w.result.began) && 2*p.stored < p.size && p.size > leastRewritten && !w.marks.damaged[name] {
			out = append(out, name)
		}
	}
	slices.SortFunc(out, func(a, b format.Name) int {
		return cmp.Or(cmp.Compare(w.marks.packs[a].stored, w.marks.packs[b].stored), slices.Compare(a[:], b[:]))
	})
	out = append(out, w.marks.small(format.Data, w.result.began)...)
	out = append(out, w.marks.small(format.Pages, w.result.began)...)
	written := int64(0)
	for i, name := range out {
		if written += w.marks.packs[name].stored; w.options.MaxRewrite > 0 && i > 0 && written > w.options.MaxRewrite {
			out = out[:i]
			written -= w.marks.packs[name].stored
			break
		}
	}
	if w.options.DryRun {
		w.result.Rewritten, w.result.Written = len(out), written
	}
	return out
}

const (
	// smallPack is how long a pack is at most that is worth being joined with others.
	smallPack = format.PackTarget / 8
	// manySmall is how many of a kind are joined at least.
	manySmall = 32
)

// small gives the packs of a kind that are to be joined: all that is reached of them fits into few
// new ones. Those that are half empty are not among them. Its caller holds mu.
func (m *marks) small(kind format.Kind, now time.Time) []format.Name {
	var out []format.Name
	for name, p := range m.packs {
		if p.kind == kind && p.reached && !p.locked.After(now) && p.size < smallPack && (2*p.stored >= p.size || p.size <= leastRewritten) && !m.damaged[name] {
			out = append(out, name)
		}
	}
	if len(out) < manySmall {
		return nil
	}
	slices.SortFunc(out, func(a, b format.Name) int { return slices.Compare(a[:], b[:]) })
	return out
}

// leastRewritten: in a smaller pack, what is around the groups may be more than half.
const leastRewritten = 4096

// compact copies what is reached of packs of which less than half is, into new packs, so that the
// old ones can go. refs are what it refers to until the old ones are gone; nil if it did nothing.
func (w *work) compact(ctx context.Context) (refs dedup.References, err error) {
	names := w.candidates()
	if len(names) == 0 {
		return nil, nil
	}
	refs, guarded := w.domain.Begin()
	if !guarded {
		return nil, nil
	}
	stored, err := w.domain.StoredGroups()
	if err != nil {
		return refs, err
	}
	defer stored.Close()
	c := &compaction{work: w, refs: refs, stored: stored, packs: map[format.Kind]*format.PackWriter{}}
	for i, name := range names {
		w.progress(Progress{Phase: Compacting, Done: i, Total: len(names)})
		if err := c.move(ctx, name); err != nil {
			return refs, fmt.Errorf("rewriting the pack %s: %w", name, err)
		}
	}
	for _, kind := range []format.Kind{format.Data, format.Pages} {
		if err := c.end(ctx, kind); err != nil {
			return refs, err
		}
	}
	return refs, c.publish(ctx)
}

// compaction is the work of compact.
type compaction struct {
	*work
	refs    dedup.References
	stored  *dedup.StoredGroups
	packs   map[format.Kind]*format.PackWriter
	written []format.Pack
	moved   []*mark
}

// move copies the groups of a pack that are reached. One that is not as it should be is left as
// it is: whoever verifies it finds out.
func (c *compaction) move(ctx context.Context, name format.Name) error {
	p := c.marks.packs[name]
	groups, err := c.domain.Directory(ctx, p.kind, name, p.size)
	var stored [][]byte
	for i := range groups {
		if err != nil {
			break
		}
		if _, reached := slices.BinarySearch(p.groups, uint32(groups[i].Offset)); reached {
			var b []byte
			b, err = c.group(ctx, p.kind, name, &groups[i])
			stored = append(stored, b)
		}
	}
	if err == nil && len(stored) != len(p.groups) {
		err = &format.DamageError{What: "directory", Why: "it does not tell of all groups that the index tells of"}
	}
	if _, damaged := errors.AsType[*format.DamageError](err); damaged || karbor.KindOf(err) == karbor.NotFound {
		c.options.Logger.Warn("a pack is left as it is, as it can't be rewritten", "pack", name.String(), "error", err)
		return nil
	}
	if err != nil {
		return err
	}
	next := 0
	for i := range groups {
		if _, reached := slices.BinarySearch(p.groups, uint32(groups[i].Offset)); !reached {
			continue
		}
		pack := c.packs[p.kind]
		if pack == nil {
			pack = format.NewPackWriter(p.kind, nil)
			c.packs[p.kind] = pack
		}
		full := pack.Add(stored[next], groups[i].Chunks)
		next++
		if full {
			if err := c.end(ctx, p.kind); err != nil {
				return err
			}
		}
	}
	c.moved = append(c.moved, p)
	return nil
}

// group reads a stored group, and makes sure that it opens.
func (c *compaction) group(ctx context.Context, kind format.Kind, name format.Name, g *format.Group) ([]byte, error) {
	if err := c.throttle(ctx, g.Stored); err != nil {
		return nil, err
	}
	return c.stored.Read(ctx, kind, name, g)
}

// end stores the pack of a kind that was begun, if there is one.
func (c *compaction) end(ctx context.Context, kind format.Kind) error {
	pack := c.packs[kind]
	if pack == nil {
		return nil
	}
	delete(c.packs, kind)
	b, err := pack.Finish(c.domain.Keys())
	if err != nil {
		return err
	}
	stored, err := c.domain.StorePack(ctx, c.refs, kind, b, pack.Groups())
	if err != nil {
		return err
	}
	c.written = append(c.written, stored)
	c.result.Written += stored.Size
	return nil
}

// publish tells where the groups lie now. From then on nothing that was marked needs the old
// packs.
func (c *compaction) publish(ctx context.Context) error {
	for begin := 0; begin < len(c.written); {
		end, size := begin, 0
		for end < len(c.written) && (end == begin || size < segmentTarget) {
			size += directorySize(&c.written[end])
			end++
		}
		err := c.refs.While(ctx, func(ctx context.Context) error {
			_, n, err := c.domain.WriteSegment(ctx, &format.Segment{Packs: c.written[begin:end]})
			c.result.Written += int64(n)
			return err
		})
		if err != nil {
			return err
		}
		begin = end
	}
	for _, p := range c.moved {
		p.reached, p.groups, p.stored = false, nil, 0
	}
	c.result.Rewritten = len(c.moved)
	return nil
}

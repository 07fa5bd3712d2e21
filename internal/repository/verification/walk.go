package verification

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/repository/dedup"
	"github.com/karbor/karbor/internal/repository/format"
)

// pagesRemembered bounds the pages that a walk remembers as good.
const pagesRemembered = 1 << 20

// walk goes through the recipes of streams once.
type walk struct {
	run *run
	// reached are the packs that the recipes lead to, with where the last group ends
	// that they need of each.
	reached map[packID]int64
	// damaged are the packs known to be, before the walk; true says that one is not there.
	damaged map[packID]bool
	// missed are those of them that are not there, and without which something can't be read.
	missed map[packID]bool
	// good are the pages of which everything was found.
	good map[format.ID]bool
	hurt []Hurt
	// streams is how many there were; blind says that a page of one is lost, so that not
	// all that they refer to is known.
	streams int
	blind   bool

	reader *groupReader
	// seekers are those of the stream, one for each kind: one that has looked everywhere in
	// vain looks only into the index from then on.
	seekers map[format.Kind]*dedup.Seeker
}

func (r *run) newWalk() (*walk, error) {
	reader, err := newGroupReader(r.domain, r.options)
	return &walk{run: r, reached: map[packID]int64{}, damaged: maps.Clone(r.bad()), missed: map[packID]bool{}, good: map[format.ID]bool{},
		reader: reader}, err
}

// misses reports whether a pack that is not there is missed. Where the collector has just rewritten
// it, the index tells of it until it is rewritten, too: all that it held is somewhere else. And
// a stream that was deleted misses nothing.
func (w *walk) misses(p packID) bool {
	if _, known := w.damaged[p]; !known {
		return w.reaches(p)
	}
	return w.missed[p]
}

func (w *walk) reaches(p packID) bool {
	_, ok := w.reached[p]
	return ok
}

// stream walks through the recipe of one stream.
func (w *walk) stream(ctx context.Context, s Stream) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	root, err := w.run.domain.Root(ctx, s.Key)
	switch {
	case err == nil:
	case karbor.KindOf(err) == karbor.NotFound:
		if w.run.moving {
			return nil // it was deleted since it was listed
		}
		w.hurt = append(w.hurt, Hurt{Stream: s, Why: "its manifest is not there"})
		return nil
	case isDamage(err):
		w.streams++
		w.blind = true
		w.hurt = append(w.hurt, Hurt{Stream: s, Why: "its manifest: " + why(err)})
		return nil
	default:
		return fmt.Errorf("verifying %s: %w", s.Key, err)
	}
	w.streams++
	w.seekers = map[format.Kind]*dedup.Seeker{format.Data: w.run.domain.Seeker(), format.Pages: w.run.domain.Seeker()}
	h := &hurting{Hurt: Hurt{Stream: s}, packs: map[packID]bool{}, missed: map[packID]bool{}}
	for i, id := range root.Pages {
		if err := w.page(ctx, h, id, format.SpanSize(root.Size, i)); err != nil {
			return fmt.Errorf("verifying %s: %w", s.Key, err)
		}
	}
	if h.Bytes > 0 || len(h.packs) > 0 {
		if gone, err := w.gone(ctx, s); gone || err != nil {
			return err
		}
		w.blind = w.blind || h.blind
		maps.Copy(w.missed, h.missed)
		for p := range h.packs {
			h.Packs = append(h.Packs, p.name)
		}
		slices.SortFunc(h.Packs, func(a, b format.Name) int { return slices.Compare(a[:], b[:]) })
		w.hurt = append(w.hurt, h.Hurt)
	}
	return nil
}

// gone reports whether a stream was deleted while it was walked through: then the collector may
// have removed what only it referred to.
func (w *walk) gone(ctx context.Context, s Stream) (bool, error) {
	if !w.run.moving {
		return false, nil
	}
	_, err := w.run.bank.Stat(ctx, s.Key)
	if err != nil && karbor.KindOf(err) == karbor.NotFound {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("verifying %s: %w", s.Key, err)
	}
	return false, nil
}

// hurting is what is found of a stream as it is walked through.
type hurting struct {
	Hurt
	packs map[packID]bool
	// missed are packs that are not there, and in which alone something of it lay.
	missed map[packID]bool
	// touched says that the page that is walked through leads to a damaged pack.
	touched bool
	// blind says that a page of it is lost.
	blind bool
}

func (h *hurting) lose(id format.ID, n int64, why string) {
	if h.Why == "" {
		h.Why = why
	}
	h.Bytes += n
	h.Chunks++
	if len(h.Lost) < named {
		h.Lost = append(h.Lost, id)
	}
}

// page walks through a span of a stream.
func (w *walk) page(ctx context.Context, h *hurting, id format.ID, size int64) error {
	if id == (format.ID{}) || w.good[id] {
		return nil
	}
	h.touched = false
	text, fault, err := w.chunk(ctx, h, format.Pages, id, 0)
	if err != nil {
		return err
	}
	if fault != "" {
		h.blind = true
		h.lose(id, size, "a page of its recipe: "+fault)
		return nil
	}
	page, err := format.DecodePage(text, size)
	if err != nil {
		h.blind = true
		h.lose(id, size, "a page of its recipe: "+why(err))
		return nil
	}
	sound := true
	for _, e := range page {
		if e.Hole {
			continue
		}
		_, fault, err := w.chunk(ctx, h, format.Data, e.ID, e.Length)
		if err != nil {
			return err
		}
		if fault != "" {
			h.lose(e.ID, int64(e.Length), fault)
		}
		sound = sound && fault == ""
	}
	if sound && !h.touched && len(w.good) < pagesRemembered {
		w.good[id] = true
	}
	return nil
}

// chunk finds a chunk or page. A page is read, and so is a chunk in a pack that is damaged;
// of any other it is only noted that its pack is needed. fault says why it is lost: in none
// of the places where a reader looks is it whole. length is that of a chunk.
func (w *walk) chunk(ctx context.Context, h *hurting, kind format.Kind, id format.ID, length int) (data []byte, fault string, err error) {
	l, ok, err := w.run.domain.Index().Find(kind, id)
	if err != nil {
		return nil, "", err
	}
	if _, damaged := w.damaged[packID{kind, l.Pack}]; ok && kind == format.Data && l.Length == length && !damaged {
		w.reach(h, kind, &l)
		return nil, "", nil
	}
	fault = "no pack of the bank holds it"
	var gone []dedup.Location
	err = w.seekers[kind].Seek(ctx, kind, id, func(l *dedup.Location) error {
		if w.damaged[packID{kind, l.Pack}] {
			gone = append(gone, *l)
			fault = "the pack " + l.Pack.String() + " is not there"
			return karbor.Errorf(karbor.NotFound, "the pack %s is not there", l.Pack)
		}
		w.reach(h, kind, l)
		found, err := w.reader.read(ctx, kind, id, l)
		switch {
		case err == nil && kind == format.Data && l.Length != length:
			err = damage("chunk", "it has %d bytes, and the recipe says %d", l.Length, length)
		case errors.Is(err, errEnds):
			err = damage("pack", "it has fewer bytes than the index says")
		}
		switch {
		case err == nil:
			data = found
			return nil
		case isDamage(err):
			fault = "the pack " + l.Pack.String() + ": " + why(err)
		case karbor.KindOf(err) == karbor.NotFound:
			fault = "the pack " + l.Pack.String() + " is not there"
		}
		return err
	})
	switch {
	case err == nil:
		return data, "", nil
	case isDamage(err):
		for i := range gone {
			w.reach(h, kind, &gone[i])
			h.missed[packID{kind, gone[i].Pack}] = true
		}
		return nil, fault, nil
	}
	return nil, "", err
}

// reach notes that a stream refers to a pack.
func (w *walk) reach(h *hurting, kind format.Kind, l *dedup.Location) {
	p := packID{kind, l.Pack}
	w.reached[p] = max(w.reached[p], int64(l.Offset+l.Stored))
	if _, damaged := w.damaged[p]; damaged {
		h.packs[p], h.touched = true, true
	}
}

// isDamage reports whether an error speaks of damage, and not of the bank.
func isDamage(err error) bool {
	_, damaged := errors.AsType[*format.DamageError](err)
	return damaged
}

// why gives the sentence of damage, without what wraps it.
func why(err error) string {
	if d, damaged := errors.AsType[*format.DamageError](err); damaged {
		return d.Why
	}
	return err.Error()
}

// groupReader reads chunks the way that a reader of streams does. It is for one goroutine.
type groupReader struct {
	*checker
	at     dedup.Location // whose group is in raw
	kind   format.Kind
	opened bool
	err    error // why it could not be opened
}

func newGroupReader(d *dedup.Domain, o Options) (*groupReader, error) {
	c, err := newChecker(d.Bank(), d.Name(), d.Keys(), o.limiter())
	if err != nil {
		return nil, err
	}
	return &groupReader{checker: c}, nil
}

// read gives a chunk, or page, good until the next call.
func (g *groupReader) read(ctx context.Context, kind format.Kind, id format.ID, l *dedup.Location) ([]byte, error) {
	if !g.opened || g.kind != kind || g.at.Pack != l.Pack || g.at.Offset != l.Offset {
		g.opened, g.kind, g.at = false, kind, *l
		err := g.fetch(ctx, kind, l)
		if err != nil && !isDamage(err) && !errors.Is(err, errEnds) && karbor.KindOf(err) != karbor.NotFound {
			return nil, err
		}
		g.opened, g.err = true, err
	}
	if g.err != nil {
		return nil, g.err
	}
	if l.Within+l.Length > len(g.raw) {
		return nil, damage("group", "it is shorter than the index says")
	}
	data := g.raw[l.Within : l.Within+l.Length]
	if g.hashers[kind].ID(data) != id {
		return nil, damage("chunk", "what lies in the place of %s is another", id)
	}
	return data, nil
}

func (g *groupReader) fetch(ctx context.Context, kind format.Kind, l *dedup.Location) (err error) {
	key := dedup.PackKey(g.domain, kind, l.Pack)
	if g.stored, err = g.checker.read(ctx, g.stored, key, int64(l.Offset), int64(l.Stored)); err != nil {
		return err
	}
	raw, body, err := g.keys.OpenGroup(g.raw[:0], g.body, g.decompressor, kind, g.stored)
	g.body = body
	if err != nil {
		return err
	}
	g.raw = raw
	if len(raw) != l.Raw {
		return damage("group", "it holds %d bytes, and the index says %d", len(raw), l.Raw)
	}
	return nil
}

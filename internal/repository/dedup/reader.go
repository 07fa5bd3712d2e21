package dedup

import (
	"context"
	"errors"
	"fmt"
	"io"

	"golang.org/x/sync/errgroup"

	"github.com/karbor/karbor/internal/repository/format"
)

const (
	// fetchSize is how many bytes of neighbouring groups are fetched at a time, as
	// they are stored and as they are raw.
	fetchSize = 4 << 20
	// fetchers fetch and open groups at the same time.
	fetchers = 4
	// readAhead is how many fetches are done before their bytes are asked for.
	readAhead = 6
)

// part is something that a reader hands out: a hole, or pieces of groups that lie one
// behind the other in a pack.
type part struct {
	hole   int64
	skip   int64 // bytes at its begin that nobody asked for
	groups []wanted
	raw    int
	done   chan struct{}
	pieces [][]byte
	opened []*group // what the pieces lie in
	// lost is a chunk that the index does not tell of: it is alone in its part.
	lost format.Chunk
}

// wanted is a group of which some chunks are wanted, in this order.
type wanted struct {
	Location
	chunks []format.Chunk
	within []int
}

// Reader gives the bytes of one stream, in order, each checked before it is handed
// out. It fetches ahead of its caller, and holds up to about 80 MiB. It is for one
// goroutine.
type Reader struct {
	domain *Domain
	seeker *Seeker
	root   *format.Root
	ctx    context.Context
	cancel context.CancelFunc
	tasks  *errgroup.Group
	cache  groupCache
	todo   chan *part
	parts  chan *part
	now    *part
	err    error
}

// Reader begins to read the stream whose manifest lies under key, from an offset on.
// ctx bounds the whole reading. The caller closes it.
func (d *Domain) Reader(ctx context.Context, key string, offset int64) (*Reader, error) {
	m, err := d.manifest(ctx, key)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	r := &Reader{domain: d, seeker: d.Seeker(), root: m, cancel: cancel, todo: make(chan *part, readAhead), parts: make(chan *part, readAhead)}
	r.tasks, r.ctx = errgroup.WithContext(ctx)
	openers := make([]*opener, 1+fetchers)
	for i := range openers {
		if openers[i], err = d.newOpener(); err != nil {
			cancel()
			return nil, err
		}
	}
	r.tasks.Go(func() error {
		defer close(r.todo)
		defer close(r.parts)
		defer openers[0].close()
		return r.plan(openers[0], min(max(offset, 0), m.Size))
	})
	for _, o := range openers[1:] {
		r.tasks.Go(func() error {
			defer o.close()
			return r.fetch(o)
		})
	}
	return r, nil
}

// Size is how many bytes the stream has.
func (r *Reader) Size() int64 { return r.root.Size }

// plan walks the recipe from an offset on, and hands out what is to be fetched.
func (r *Reader) plan(o *opener, offset int64) error {
	p := planner{r: r, index: r.domain.options.Index}
	for i := int(offset / format.Span); i < len(r.root.Pages); i++ {
		page, _, err := o.page(r.ctx, r.seeker, r.root.Pages[i], format.SpanSize(r.root.Size, i))
		if err != nil {
			return fmt.Errorf("reading the page of span %d: %w", i, err)
		}
		at := int64(i) * format.Span
		for _, e := range page {
			if at+int64(e.Length) > offset {
				if at < offset {
					p.skip = offset - at
				}
				if err := p.add(e); err != nil {
					return err
				}
			}
			at += int64(e.Length)
		}
	}
	return p.send()
}

// planner joins entries to parts.
type planner struct {
	r     *Reader
	index Index
	part  *part
	skip  int64
}

func (p *planner) add(e format.Entry) error {
	if e.Hole {
		if p.part != nil && p.part.hole == 0 {
			if err := p.send(); err != nil {
				return err
			}
		}
		p.begin()
		p.part.hole += int64(e.Length)
		return nil
	}
	l, ok, err := p.index.Find(format.Data, e.ID)
	if err != nil {
		return err
	}
	if !ok || l.Length != e.Length {
		if err := p.send(); err != nil {
			return err
		}
		p.begin()
		p.part.lost = format.Chunk{ID: e.ID, Length: e.Length}
		return p.send()
	}
	if !p.fits(&l) {
		if err := p.send(); err != nil {
			return err
		}
	}
	p.begin()
	last := len(p.part.groups) - 1
	if last < 0 || p.part.groups[last].group() != l.group() {
		p.part.groups = append(p.part.groups, wanted{Location: l})
		p.part.raw += l.Raw
		last++
	}
	g := &p.part.groups[last]
	g.chunks = append(g.chunks, format.Chunk{ID: e.ID, Length: e.Length})
	g.within = append(g.within, l.Within)
	return nil
}

// fits reports whether a chunk may be fetched with the part.
func (p *planner) fits(l *Location) bool {
	if p.part == nil || p.part.hole > 0 {
		return p.part == nil
	}
	first, last := &p.part.groups[0], &p.part.groups[len(p.part.groups)-1]
	if last.group() == l.group() {
		return true
	}
	return last.Pack == l.Pack && last.Offset+last.Stored == l.Offset &&
		l.Offset+l.Stored-first.Offset <= fetchSize && p.part.raw+l.Raw <= fetchSize
}

func (p *planner) begin() {
	if p.part == nil {
		p.part = &part{done: make(chan struct{})}
	}
}

// send hands the part to a fetcher and to the reader.
func (p *planner) send() error {
	part := p.part
	if part == nil {
		return nil
	}
	p.part = nil
	part.skip, p.skip = p.skip, 0
	return p.r.hand(part)
}

func (r *Reader) hand(p *part) error {
	if p.hole == 0 {
		select {
		case r.todo <- p:
		case <-r.ctx.Done():
			return r.ctx.Err()
		}
	}
	select {
	case r.parts <- p:
		return nil
	case <-r.ctx.Done():
		return r.ctx.Err()
	}
}

// fetch works off parts until there are no more.
func (r *Reader) fetch(o *opener) error {
	hasher := r.domain.keys.ChunkHasher()
	for {
		select {
		case p, more := <-r.todo:
			if !more {
				return nil
			}
			if err := r.fill(o, hasher, p); err != nil {
				return err
			}
		case <-r.ctx.Done():
			return r.ctx.Err()
		}
	}
}

// fill fetches the groups of a part, and checks the chunks that are wanted of them. What is
// refused is looked for elsewhere.
func (r *Reader) fill(o *opener, hasher *format.Hasher, p *part) error {
	if len(p.groups) == 0 {
		data, err := o.chunk(r.ctx, r.seeker, hasher, p.lost)
		if err != nil {
			return err
		}
		p.pieces = append(p.pieces, data)
	}
	var stored []byte
	for i := range p.groups {
		g := &p.groups[i]
		opened, err := r.group(o, p, g, &stored)
		if err != nil && !refusal(err) {
			return err
		}
		var raw []byte
		if opened != nil {
			raw = opened.raw
			p.opened = append(p.opened, opened)
		}
		for j, c := range g.chunks {
			data, err := pick(raw, g.within[j], c, hasher)
			if err != nil {
				if data, err = o.chunk(r.ctx, r.seeker, hasher, c); err != nil {
					return err
				}
			}
			p.pieces = append(p.pieces, data)
		}
	}
	close(p.done)
	return nil
}

// group opens one group of a part, for it to use until it is handed out. stored are those of the
// whole part, fetched at once.
func (r *Reader) group(o *opener, p *part, g *wanted, stored *[]byte) (*group, error) {
	if opened := r.cache.get(g.group()); opened != nil {
		return opened, nil
	}
	first, last := &p.groups[0], &p.groups[len(p.groups)-1]
	if *stored == nil {
		var err error
		if *stored, err = o.fetch(r.ctx, format.Data, first.Pack, first.Offset, last.Offset+last.Stored-first.Offset); err != nil {
			return nil, err
		}
	}
	from := g.Offset - first.Offset
	raw, err := o.openInto(r.cache.room(g.Raw), format.Data, &g.Location, (*stored)[from:from+g.Stored])
	if err != nil {
		return nil, err
	}
	return r.cache.put(g.group(), raw), nil
}

// next waits for the next part.
func (r *Reader) next() error {
	if r.err != nil {
		return r.err
	}
	p, more := <-r.parts
	if !more {
		if r.err = r.tasks.Wait(); r.err == nil {
			r.err = io.EOF
		}
		return r.err
	}
	if p.hole == 0 {
		select {
		case <-p.done:
		case <-r.ctx.Done():
			if r.err = r.tasks.Wait(); r.err == nil {
				r.err = context.Cause(r.ctx)
			}
			return r.err
		}
	}
	r.now = p
	if p.hole > 0 {
		p.hole -= p.skip
	} else {
		p.pieces[0] = p.pieces[0][p.skip:] // the first entry holds the offset
	}
	return nil
}

// Read implements io.Reader.
func (r *Reader) Read(b []byte) (int, error) {
	n := 0
	for n < len(b) {
		if r.now == nil {
			if err := r.next(); err != nil {
				if n > 0 && err == io.EOF { //nolint:errorlint // a broken connection may have it as its cause
					return n, nil
				}
				return n, err
			}
		}
		p := r.now
		switch {
		case p.hole > 0:
			k := min(p.hole, int64(len(b)-n))
			clear(b[n : n+int(k)])
			p.hole -= k
			n += int(k)
		case len(p.pieces) > 0:
			k := copy(b[n:], p.pieces[0])
			p.pieces[0] = p.pieces[0][k:]
			n += k
			if len(p.pieces[0]) == 0 {
				p.pieces = p.pieces[1:]
			}
		}
		if p.hole == 0 && len(p.pieces) == 0 {
			r.cache.release(p.opened)
			r.now = nil
		}
	}
	return n, nil
}

// Close ends the reading.
func (r *Reader) Close() error {
	r.cancel()
	if r.err == nil {
		r.err = errors.New("reading a reader that is closed")
	}
	// What ended the fetching is no error of closing.
	_ = r.tasks.Wait()
	return nil
}

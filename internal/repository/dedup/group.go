package dedup

import (
	"context"
	"fmt"
	"io"
	"sync"

	"github.com/karbor/karbor/internal/repository/format"
)

// groupsCached is how many opened groups a reader keeps: 1 MiB or less each.
const groupsCached = 32

// groupKey tells groups apart.
type groupKey struct {
	pack   format.Name
	offset int
}

func (l *Location) group() groupKey { return groupKey{l.Pack, l.Offset} }

// groupCache keeps the groups that were opened last.
type groupCache struct {
	mu     sync.Mutex
	opened map[groupKey][]byte
	order  []groupKey // the oldest first
}

func (c *groupCache) get(key groupKey) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.opened[key]
}

func (c *groupCache) put(key groupKey, raw []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.opened == nil {
		c.opened = map[groupKey][]byte{}
	}
	if _, there := c.opened[key]; there {
		return
	}
	c.opened[key] = raw
	c.order = append(c.order, key)
	if len(c.order) > groupsCached {
		delete(c.opened, c.order[0])
		c.order = c.order[1:]
	}
}

// opener fetches groups and opens them. It is for one goroutine.
type opener struct {
	d            *Domain
	decompressor *format.Decompressor
	stored, body []byte
}

func (d *Domain) newOpener() (*opener, error) {
	decompressor, err := format.NewDecompressor()
	return &opener{d: d, decompressor: decompressor}, err
}

func (o *opener) close() { o.decompressor.Close() }

// fetch reads a range of a pack. The bytes are good until the next call.
func (o *opener) fetch(ctx context.Context, kind format.Kind, pack format.Name, offset, length int) ([]byte, error) {
	r, err := o.d.bank.Get(ctx, o.d.packKey(kind, pack), int64(offset), int64(length))
	if err != nil {
		return nil, fmt.Errorf("reading the pack %s: %w", pack, err)
	}
	defer r.Close()
	if cap(o.stored) < length {
		o.stored = make([]byte, length)
	}
	o.stored = o.stored[:length]
	if _, err := io.ReadFull(r, o.stored); err != nil {
		return nil, fmt.Errorf("reading the pack %s: %w", pack, err)
	}
	return o.stored, nil
}

// open opens a stored group.
func (o *opener) open(kind format.Kind, l *Location, stored []byte) ([]byte, error) {
	raw, body, err := o.d.keys.OpenGroup(make([]byte, 0, l.Raw), o.body, o.decompressor, kind, stored)
	o.body = body
	if err == nil && len(raw) != l.Raw {
		err = &format.DamageError{What: "group", Why: fmt.Sprintf("it holds %d bytes, and its directory says %d", len(raw), l.Raw)}
	}
	if err != nil {
		return nil, fmt.Errorf("opening the group at %d of the pack %s: %w", l.Offset, l.Pack, err)
	}
	return raw, nil
}

// page reads a page of a recipe.
func (o *opener) page(ctx context.Context, id format.ID, size int64) (format.Page, error) {
	if id == (format.ID{}) {
		return format.Page{{Length: int(size), Hole: true}}, nil
	}
	l, ok, err := o.d.options.Index.Find(format.Pages, id)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, missing("page", id)
	}
	stored, err := o.fetch(ctx, format.Pages, l.Pack, l.Offset, l.Stored)
	if err != nil {
		return nil, err
	}
	text, err := o.open(format.Pages, &l, stored)
	if err != nil {
		return nil, err
	}
	if o.d.keys.PageHasher().ID(text) != id {
		return nil, &format.DamageError{What: "page", Why: "the page that lies there is another"}
	}
	return format.DecodePage(text, size)
}

func missing(what string, id format.ID) error {
	return &format.DamageError{What: what, Why: fmt.Sprintf("no pack of the index holds %s", id)}
}

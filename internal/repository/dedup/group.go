package dedup

import (
	"context"
	"fmt"
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
	var err error
	if o.stored, err = readRange(ctx, o.d.bank, o.d.packKey(kind, pack), int64(offset), int64(length), o.stored); err != nil {
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
func (o *opener) page(ctx context.Context, s *Seeker, id format.ID, size int64) (page format.Page, at Location, err error) {
	if id == (format.ID{}) {
		return format.Page{{Length: int(size), Hole: true}}, at, nil
	}
	err = s.Seek(ctx, format.Pages, id, func(l *Location) error {
		stored, err := o.fetch(ctx, format.Pages, l.Pack, l.Offset, l.Stored)
		if err != nil {
			return err
		}
		text, err := o.open(format.Pages, l, stored)
		if err != nil {
			return err
		}
		if o.d.keys.PageHasher().ID(text) != id {
			return &format.DamageError{What: "page", Why: "the page that lies there is another"}
		}
		page, err = format.DecodePage(text, size)
		at = *l
		return err
	})
	return page, at, err
}

// Page reads a page of a recipe, of a span of size bytes, and tells where it lies. One that is
// nowhere is a *format.DamageError. One that is a hole lies nowhere.
func (s *Seeker) Page(ctx context.Context, id format.ID, size int64) (format.Page, Location, error) {
	o, ok := s.openers.Get().(*opener)
	if !ok {
		var err error
		if o, err = s.domain.newOpener(); err != nil {
			return nil, Location{}, err
		}
	}
	defer s.openers.Put(o)
	return o.page(ctx, s, id, size)
}

// chunk reads a chunk wherever it is. It takes memory of its own.
func (o *opener) chunk(ctx context.Context, s *Seeker, hasher *format.Hasher, c format.Chunk) (data []byte, err error) {
	own := &opener{d: o.d, decompressor: o.decompressor}
	err = s.Seek(ctx, format.Data, c.ID, func(l *Location) error {
		stored, err := own.fetch(ctx, format.Data, l.Pack, l.Offset, l.Stored)
		if err != nil {
			return err
		}
		raw, err := own.open(format.Data, l, stored)
		if err != nil {
			return err
		}
		data, err = pick(raw, l.Within, c, hasher)
		return err
	})
	return data, err
}

// pick gives a chunk out of its group.
func pick(raw []byte, within int, c format.Chunk, hasher *format.Hasher) ([]byte, error) {
	if within+c.Length <= len(raw) {
		if data := raw[within : within+c.Length]; hasher.ID(data) == c.ID {
			return data, nil
		}
	}
	return nil, fmt.Errorf("reading the chunk %s: %w", c.ID, &format.DamageError{What: "chunk", Why: "the chunk that lies there is another"})
}

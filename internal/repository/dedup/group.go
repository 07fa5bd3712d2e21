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

// group is one that was opened, and who uses its bytes: the cache, and parts that were not
// handed out yet.
type group struct {
	raw   []byte
	users int // locked by the cache's lock
}

// groupCache keeps the groups that were opened last, and the memory of those that nobody uses
// any more.
type groupCache struct {
	mu     sync.Mutex
	opened map[groupKey]*group
	order  []groupKey // the oldest first
	free   [][]byte
}

// get gives a group that is kept, for one more user; nil if there is none.
func (c *groupCache) get(key groupKey) *group {
	c.mu.Lock()
	defer c.mu.Unlock()
	g := c.opened[key]
	if g != nil {
		g.users++
	}
	return g
}

// put keeps a group under a key, and gives it for one user.
func (c *groupCache) put(key groupKey, raw []byte) *group {
	c.mu.Lock()
	defer c.mu.Unlock()
	g := &group{raw: raw, users: 1}
	if c.opened == nil {
		c.opened = map[groupKey]*group{}
	}
	if _, there := c.opened[key]; there {
		return g
	}
	g.users++
	c.opened[key] = g
	c.order = append(c.order, key)
	if len(c.order) > groupsCached {
		oldest := c.opened[c.order[0]]
		delete(c.opened, c.order[0])
		c.order = c.order[1:]
		c.leave(oldest)
	}
	return g
}

// release ends the use of groups: their bytes may be overwritten.
func (c *groupCache) release(groups []*group) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, g := range groups {
		c.leave(g)
	}
}

// leave takes a user away. Its caller holds mu.
func (c *groupCache) leave(g *group) {
	if g.users--; g.users == 0 && cap(g.raw) == format.MaxGroup && len(c.free) < groupsCached {
		c.free = append(c.free, g.raw[:0])
	}
}

// room gives memory for a group. Most have close to as many bytes as they may have: their memory is
// used again, which spares clearing and collecting it. Shorter ones take what they need.
func (c *groupCache) room(size int) []byte {
	if size <= format.MaxGroup/4*3 {
		return make([]byte, 0, size)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if last := len(c.free) - 1; last >= 0 {
		b := c.free[last]
		c.free = c.free[:last]
		return b
	}
	return make([]byte, 0, format.MaxGroup)
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

// open opens a stored group into memory of its own.
func (o *opener) open(kind format.Kind, l *Location, stored []byte) ([]byte, error) {
	return o.openInto(make([]byte, 0, l.Raw), kind, l, stored)
}

// openInto opens a stored group into room, if that is enough.
func (o *opener) openInto(room []byte, kind format.Kind, l *Location, stored []byte) ([]byte, error) {
	raw, body, err := o.d.keys.OpenGroup(room, o.body, o.decompressor, kind, stored)
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

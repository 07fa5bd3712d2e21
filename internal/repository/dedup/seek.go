package dedup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/internal/repository/format"
)

// Seeker looks for chunks and pages in every place where they may be: in all places of the
// index, in those of the index read again, and in packs that no segment names. Its methods may
// be called concurrently.
type Seeker struct {
	domain *Domain
	// hopeless says of a kind that all was looked at without finding something: the next
	// time only the index is asked.
	hopeless [format.Pages + 1]atomic.Bool
	openers  sync.Pool // of *opener
}

// Seeker makes a seeker.
func (d *Domain) Seeker() *Seeker { return &Seeker{domain: d} }

// searches are what all seekers of a domain share.
type searches struct {
	// searching holds a token while one searches.
	searching chan struct{}
	index     atomic.Uint64 // how often the index was read again
	strays    [format.Pages + 1]atomic.Uint64

	mu sync.Mutex
	// refused are packs whose directories were refused, as they were listed then. They hold
	// nothing, unless they are written anew, as by a repair.
	refused map[format.Name]bank.Info
}

func newSearches() *searches {
	return &searches{searching: make(chan struct{}, 1), refused: map[format.Name]bank.Info{}}
}

// once does a search, unless one has been done since a counter had a value: of those who
// miss something at the same time, one searches.
func (s *searches) once(ctx context.Context, counter *atomic.Uint64, before uint64, search func() error) error {
	select {
	case s.searching <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { <-s.searching }()
	if counter.Load() > before {
		return nil
	}
	if err := search(); err != nil {
		return err
	}
	counter.Add(1)
	return nil
}

// refuse notes that the directory of a pack that is listed so was refused.
func (s *searches) refuse(name format.Name, i bank.Info) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refused[name] = i
}

func (s *searches) refuses(name format.Name, i bank.Info) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	before, refused := s.refused[name]
	return refused && before.Size == i.Size && before.ModTime.Equal(i.ModTime)
}

// refusal reports whether an error says that a place is none, and another is as good.
func refusal(err error) bool {
	_, damaged := errors.AsType[*format.DamageError](err)
	return damaged || karbor.KindOf(err) == karbor.NotFound
}

// Seek calls try with the places of a chunk or page until one is not refused: a refusal is
// a *format.DamageError or karbor.NotFound. If none is left, the error is a
// *format.DamageError, and says what was refused. Any other error ends the search.
func (s *Seeker) Seek(ctx context.Context, kind format.Kind, id format.ID, try func(*Location) error) error {
	d := s.domain
	var refused []error
	tried := map[Location]struct{}{}
	index, strays := d.searches.index.Load(), d.searches.strays[kind].Load()
	for _, search := range []func() error{
		func() error { return nil },
		func() error {
			return d.searches.once(ctx, &d.searches.index, index, func() error { return d.reread(ctx, false) })
		},
		func() error {
			return d.searches.once(ctx, &d.searches.strays[kind], strays, func() error { return d.takeStrays(ctx, kind) })
		},
	} {
		if err := search(); err != nil {
			return err
		}
		places, err := d.options.Index.Places(kind, id)
		if err != nil {
			return err
		}
		for _, l := range places {
			if _, before := tried[l]; before {
				continue
			}
			tried[l] = struct{}{}
			err := try(&l)
			if err == nil {
				return nil
			}
			if !refusal(err) {
				return err
			}
			refused = append(refused, err)
		}
		if s.hopeless[kind].Load() {
			break
		}
	}
	s.hopeless[kind].Store(true)
	return errors.Join(append([]error{missing(kind.String(), id)}, refused...)...)
}

func missing(what string, id format.ID) error {
	return &format.DamageError{What: what, Why: fmt.Sprintf("no pack that can be read holds %s", id)}
}

// EachPack lists the packs of a kind.
func (d *Domain) EachPack(ctx context.Context, kind format.Kind, fn func(format.Name, bank.Info) error) error {
	prefix, marker := PacksPrefix(d.name, kind), ""
	for {
		page, err := d.bank.List(ctx, prefix, marker, bank.MaxList)
		if err != nil {
			return fmt.Errorf("listing the packs: %w", err)
		}
		for i := range page {
			if name, ok := ParsePackKey(d.name, kind, page[i].Key); ok {
				if err := fn(name, page[i]); err != nil {
					return err
				}
			}
		}
		if len(page) < bank.MaxList {
			return nil
		}
		marker = page[len(page)-1].Key
	}
}

// takeStrays takes the packs that no segment names into the index.
func (d *Domain) takeStrays(ctx context.Context, kind format.Kind) error {
	const atOnce = 4
	reading, within := errgroup.WithContext(ctx)
	reading.SetLimit(atOnce)
	err := d.EachPack(within, kind, func(name format.Name, i bank.Info) error {
		known, err := d.options.Index.Holds(name)
		if err != nil || known || d.searches.refuses(name, i) {
			return err
		}
		reading.Go(func() error {
			groups, err := d.Directory(within, kind, name, i.Size)
			if refusal(err) {
				d.searches.refuse(name, i)
				return nil
			}
			if err != nil {
				return err
			}
			return d.options.Index.Add([]format.Pack{{Name: name, Kind: kind, Size: i.Size, Groups: groups}})
		})
		return nil
	})
	return errors.Join(reading.Wait(), err)
}

// Directory reads the directory of a pack of size bytes.
func (d *Domain) Directory(ctx context.Context, kind format.Kind, name format.Name, size int64) ([]format.Group, error) {
	read := func(offset, length int64) ([]byte, error) {
		b, err := readRange(ctx, d.bank, d.packKey(kind, name), offset, length, nil)
		if err != nil {
			return nil, fmt.Errorf("reading the pack %s: %w", name, err)
		}
		return b, nil
	}
	if size < format.PackTrailer || size > format.MaxPack {
		return nil, fmt.Errorf("reading the pack %s: %w", name, &format.DamageError{What: "pack", Why: fmt.Sprintf("it has %d bytes", size)})
	}
	trailer, err := read(size-format.PackTrailer, format.PackTrailer)
	if err != nil {
		return nil, err
	}
	offset, length, err := format.FindDirectory(trailer, size)
	if err != nil {
		return nil, fmt.Errorf("reading the pack %s: %w", name, err)
	}
	box, err := read(offset, int64(length))
	if err != nil {
		return nil, err
	}
	groups, err := d.keys.OpenDirectory(kind, box, offset)
	if err != nil {
		return nil, fmt.Errorf("reading the pack %s: %w", name, err)
	}
	return groups, nil
}

// readRange reads a part of an object into buf's memory if that is enough. An object that ends
// before is a *format.DamageError.
func readRange(ctx context.Context, b bank.Bank, key string, offset, length int64, buf []byte) ([]byte, error) {
	r, err := b.Get(ctx, key, offset, length)
	if err != nil {
		return buf, err
	}
	defer r.Close()
	buf = slices.Grow(buf[:0], int(length))[:length]
	if _, err = io.ReadFull(r, buf); err == nil {
		return buf, nil
	}
	// Did the connection break, or is that all?
	if i, statErr := b.Stat(ctx, key); statErr == nil && i.Size < offset+length {
		err = &format.DamageError{What: "pack", Why: fmt.Sprintf("it has only %d bytes", i.Size)}
	}
	return buf, err
}

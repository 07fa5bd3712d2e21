package dedup

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/internal/repository/format"
)

// Location is where a chunk or page lies.
type Location struct {
	Pack format.Name
	// Offset and Stored are where in the pack its group is, Raw how many bytes that
	// holds, Within where in those it begins, and Length how long it is.
	Offset, Stored, Raw, Within, Length int
}

// Index tells where chunks and pages lie. Its methods may be called concurrently.
type Index interface {
	// Find tells where a chunk or page lies; ok is false if that is not known.
	Find(kind format.Kind, id format.ID) (l Location, ok bool, err error)
	// Add takes in the packs of a segment.
	Add(packs []format.Pack) error
}

// Memory is an Index in memory, for small repositories and tests: about 150 bytes
// for each chunk.
type Memory struct {
	mu    sync.RWMutex
	known map[kindID]Location
}

type kindID struct {
	kind format.Kind
	id   format.ID
}

// NewMemory makes an empty one.
func NewMemory() *Memory { return &Memory{known: map[kindID]Location{}} }

// Find implements Index.
func (m *Memory) Find(kind format.Kind, id format.ID) (Location, bool, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	l, ok := m.known[kindID{kind, id}]
	return l, ok, nil
}

// Add implements Index.
func (m *Memory) Add(packs []format.Pack) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range packs {
		for _, g := range p.Groups {
			within := 0
			for _, c := range g.Chunks {
				m.known[kindID{p.Kind, c.ID}] = Location{p.Name, g.Offset, g.Stored, g.Raw, within, c.Length}
				within += c.Length
			}
		}
	}
	return nil
}

// LoadIndex reads all index segments of the bank into the domain's index. A segment
// that is damaged is left out; what says so is returned beside the others' success.
func (d *Domain) LoadIndex(ctx context.Context) (damaged []error, err error) {
	prefix, marker := domainPrefix(d.name)+"index/", ""
	for {
		page, err := d.bank.List(ctx, prefix, marker, bank.MaxList)
		if err != nil {
			return damaged, fmt.Errorf("listing the index: %w", err)
		}
		for _, object := range page {
			err := d.loadSegment(ctx, object.Key, object.Key[len(prefix):])
			if _, bad := errors.AsType[*format.DamageError](err); bad {
				damaged = append(damaged, err)
			} else if err != nil {
				return damaged, err
			}
		}
		if len(page) < bank.MaxList {
			return damaged, nil
		}
		marker = page[len(page)-1].Key
	}
}

func (d *Domain) loadSegment(ctx context.Context, key, name string) error {
	b, err := get(ctx, d.bank, key, format.MaxSegment)
	if err != nil {
		return fmt.Errorf("reading the index segment %s: %w", name, err)
	}
	if format.NameOf(b).String() != name {
		return fmt.Errorf("reading the index segment %s: %w", name, &format.DamageError{What: "index segment", Why: "its bytes have another name"})
	}
	s, err := d.keys.OpenSegment(b)
	if err != nil {
		return fmt.Errorf("reading the index segment %s: %w", name, err)
	}
	return d.options.Index.Add(s.Packs)
}

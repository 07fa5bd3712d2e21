package dedup

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/internal/repository/format"
)

// LoadIndex reads the index segments of the bank into the domain's index: all of them, or
// those that a SegmentIndex does not know. A segment that is damaged is left out; what
// says so is returned beside the others' success.
func (d *Domain) LoadIndex(ctx context.Context) (damaged []error, err error) {
	s := &segments{domain: d}
	if x, ok := d.options.Index.(SegmentIndex); ok {
		damaged, err = x.Sync(ctx, s)
		return slices.Concat(s.foreign, damaged), err
	}
	names, err := s.List(ctx)
	damaged = s.foreign
	if err != nil {
		return damaged, err
	}
	for _, name := range names {
		g, err := s.Load(ctx, name)
		if err == nil {
			err = d.options.Index.Add(g.Packs)
		}
		if _, bad := errors.AsType[*format.DamageError](err); bad {
			damaged = append(damaged, err)
		} else if err != nil {
			return damaged, err
		}
	}
	return damaged, nil
}

// segments are those of a domain.
type segments struct {
	domain *Domain
	// foreign says which objects of the last listing are none.
	foreign []error
}

// List implements Segments.
func (s *segments) List(ctx context.Context) ([]format.Name, error) {
	prefix, marker := domainPrefix(s.domain.name)+"index/", ""
	var found []bank.Info
	for {
		page, err := s.domain.bank.List(ctx, prefix, marker, bank.MaxList)
		if err != nil {
			return nil, fmt.Errorf("listing the index: %w", err)
		}
		found = append(found, page...)
		if len(page) < bank.MaxList {
			break
		}
		marker = page[len(page)-1].Key
	}
	slices.SortStableFunc(found, func(a, b bank.Info) int {
		return cmp.Or(a.ModTime.Compare(b.ModTime), cmp.Compare(a.Key, b.Key))
	})
	s.foreign = nil
	names := make([]format.Name, 0, len(found))
	for i := range found {
		text := found[i].Key[len(prefix):]
		name, ok := format.ParseName(text)
		if !ok {
			s.foreign = append(s.foreign, fmt.Errorf("reading the index segment %s: %w", text,
				&format.DamageError{What: "index segment", Why: "its key is not the name of one"}))
			continue
		}
		names = append(names, name)
	}
	return names, nil
}

// Load implements Segments.
func (s *segments) Load(ctx context.Context, name format.Name) (*format.Segment, error) {
	d := s.domain
	b, err := get(ctx, d.bank, d.segmentKey(name), format.MaxSegment)
	if err != nil {
		return nil, fmt.Errorf("reading the index segment %s: %w", name, err)
	}
	if format.NameOf(b) != name {
		return nil, fmt.Errorf("reading the index segment %s: %w", name, &format.DamageError{What: "index segment", Why: "its bytes have another name"})
	}
	g, err := d.keys.OpenSegment(b)
	if err != nil {
		return nil, fmt.Errorf("reading the index segment %s: %w", name, err)
	}
	return g, nil
}

// WriteSegment writes an index segment, and takes it into the index. It gives its name, and how
// many bytes it has.
func (d *Domain) WriteSegment(ctx context.Context, s *format.Segment) (format.Name, int, error) {
	b, err := d.keys.SealSegment(s)
	if err != nil {
		return format.Name{}, 0, err
	}
	name := format.NameOf(b)
	if err := d.store(ctx, d.segmentKey(name), bytes.NewReader(b), int64(len(b))); err != nil {
		return name, 0, err
	}
	if x, ok := d.options.Index.(SegmentIndex); ok {
		err = x.AddSegment(name, s)
	}
	return name, len(b), err
}

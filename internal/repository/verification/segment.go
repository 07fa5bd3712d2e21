package verification

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/internal/repository/dedup"
	"github.com/karbor/karbor/internal/repository/format"
)

// list lists the packs of the domain.
func (r *run) list(ctx context.Context) error {
	r.listed = map[packID]int64{}
	for _, kind := range []format.Kind{format.Data, format.Pages} {
		err := eachObject(ctx, r.bank, dedup.PacksPrefix(r.name, kind), func(i bank.Info) error {
			if name, ok := dedup.ParsePackKey(r.name, kind, i.Key); ok {
				r.listed[packID{kind, name}] = i.Size
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("listing the packs: %w", err)
		}
	}
	return nil
}

// eachObject calls fn with each object under a prefix.
func eachObject(ctx context.Context, b bank.Bank, prefix string, fn func(bank.Info) error) error {
	for marker := ""; ; {
		page, err := b.List(ctx, prefix, marker, bank.MaxList)
		if err != nil {
			return err
		}
		for _, i := range page {
			if err := fn(i); err != nil {
				return err
			}
			marker = i.Key
		}
		if len(page) < bank.MaxList {
			return nil
		}
	}
}

// segments reads the index as it lies in the bank. What it tells of packs must be so.
func (r *run) segments(ctx context.Context) error {
	all := r.domain.Segments()
	names, err := all.List(ctx)
	if err != nil {
		return err
	}
	for _, name := range names {
		s, err := all.Load(ctx, name)
		switch {
		case err == nil:
			r.compare(name, s)
		case karbor.KindOf(err) == karbor.NotFound:
			continue // it was replaced since it was listed
		}
		if isDamage(err) {
			r.badSegment(name, why(err))
		} else if err != nil {
			return err
		}
	}
	return nil
}

// lie is a pack of which a segment tells another size than it has: one of the two is
// damaged.
type lie struct {
	segment format.Name
	pack    packID
	why     string
}

// compare compares what a segment tells of packs with those that are listed.
func (r *run) compare(name format.Name, s *format.Segment) {
	for i := range s.Packs {
		p := &s.Packs[i]
		id := packID{p.Kind, p.Name}
		if size, there := r.listed[id]; there && size != p.Size {
			r.lies = append(r.lies, lie{name, id, fmt.Sprintf("it tells of %d bytes of the pack %s, which has %d", p.Size, p.Name, size)})
		}
	}
}

func (r *run) badSegment(name format.Name, text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.result.Damaged = append(r.result.Damaged, Damage{Key: dedup.SegmentsPrefix(r.name) + name.String(), Why: text})
}

// segmentNames compares the hash of each index segment with its name.
func (r *run) segmentNames(ctx context.Context) error {
	prefix := dedup.SegmentsPrefix(r.name)
	err := eachObject(ctx, r.bank, prefix, func(i bank.Info) error {
		name, ok := format.ParseName(i.Key[len(prefix):])
		if !ok {
			return nil
		}
		body, err := r.bank.Get(ctx, i.Key, 0, -1)
		if karbor.KindOf(err) == karbor.NotFound && err != nil {
			return nil
		}
		if err != nil {
			return err
		}
		sum := sha256.New()
		_, err = io.Copy(sum, body)
		if closeErr := body.Close(); err == nil {
			err = closeErr
		}
		if err == nil && format.Name(sum.Sum(nil)) != name {
			r.badSegment(name, "its bytes have another name")
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("reading the index: %w", err)
	}
	return nil
}

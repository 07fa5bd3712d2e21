package dedup

import (
	"context"
	"errors"
	"io"

	"github.com/karbor/karbor/internal/repository/format"
)

// StoredGroups reads groups of a domain as they are stored, for who puts them into other packs.
// Each is opened, only to know that it can be: by the new pack's name nobody would find out that it
// can't. It is for one goroutine.
type StoredGroups struct {
	domain       *Domain
	decompressor *format.Decompressor
	raw, body    []byte
}

// StoredGroups gives a reader of stored groups, which the caller closes.
func (d *Domain) StoredGroups() (*StoredGroups, error) {
	decompressor, err := format.NewDecompressor()
	if err != nil {
		return nil, err
	}
	return &StoredGroups{domain: d, decompressor: decompressor}, nil
}

// Close gives back what the reader holds.
func (s *StoredGroups) Close() { s.decompressor.Close() }

// Read reads a group that a pack's directory tells of. One that does not open, or holds another
// number of bytes than the directory says, is a *format.DamageError.
func (s *StoredGroups) Read(ctx context.Context, kind format.Kind, name format.Name, g *format.Group) ([]byte, error) {
	stored, err := s.domain.ReadPack(ctx, kind, name, g.Offset, g.Stored)
	if err != nil {
		return nil, err
	}
	s.raw, s.body, err = s.domain.Keys().OpenGroup(s.raw[:0], s.body, s.decompressor, kind, stored)
	if err == nil && len(s.raw) != g.Raw {
		err = &format.DamageError{What: "group", Why: "it does not hold what its directory says"}
	}
	return stored, err
}

// OpenPack opens a pack. The caller closes it.
func (d *Domain) OpenPack(ctx context.Context, kind format.Kind, name format.Name) (io.ReadCloser, error) {
	return d.Bank().Get(ctx, PackKey(d.Name(), kind, name), 0, -1)
}

// ReadPack reads n bytes of a pack from an offset on. A pack that ends before is a
// *format.DamageError.
func (d *Domain) ReadPack(ctx context.Context, kind format.Kind, name format.Name, offset, n int) ([]byte, error) {
	r, err := d.Bank().Get(ctx, PackKey(d.Name(), kind, name), int64(offset), int64(n))
	if err != nil {
		return nil, err
	}
	out := make([]byte, n)
	_, failed := io.ReadFull(r, out)
	if failed == io.EOF || failed == io.ErrUnexpectedEOF { // ReadFull's own; a bank's error only wraps them
		failed = &format.DamageError{What: "pack", Why: "it ends early"}
	}
	return out, errors.Join(failed, r.Close())
}

package copying

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"hash"
	"io"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/repository/format"
)

// parcel is a pack on its way: it gives the bytes as they come from the source, and its last ones
// only if all of them have the pack's name. So a pack need not be in memory, and nothing damaged
// arrives. It can be wound back to its begin, for another try.
type parcel struct {
	open func() (io.ReadCloser, error)
	name format.Name
	size int64

	body   io.ReadCloser // nil before the first Read, and where it was wound back
	at     int64
	digest hash.Hash
	// failed is what the source failed with. The target gets errSource instead, so that it does
	// not take the source's error for one of its own.
	failed error
}

// errSource is the error of a Read.
var errSource = errors.New("the source of the copy fails")

// newDigest is what the names of packs are made with: see format.NameOf.
func newDigest() hash.Hash { return sha256.New() }

func (b *batch) parcel(ctx context.Context, p place, size int64) *parcel {
	return &parcel{name: p.name, size: size, digest: newDigest(), open: func() (io.ReadCloser, error) {
		return b.from.OpenPack(ctx, p.kind, p.name)
	}}
}

// Read implements io.Reader.
func (p *parcel) Read(to []byte) (n int, err error) {
	if p.failed == nil {
		n, err = p.read(to)
		if err == nil || err == io.EOF { //nolint:errorlint // a bank's error may wrap it, and is none of an end
			return n, err
		}
		p.failed = err
	}
	return 0, errSource
}

func (p *parcel) read(to []byte) (int, error) {
	if p.at == p.size {
		return 0, io.EOF
	}
	if p.body == nil {
		body, err := p.open()
		if err != nil {
			return 0, err
		}
		p.body = body
	}
	n, err := p.body.Read(to[:min(int64(len(to)), p.size-p.at)])
	p.at += int64(n)
	_, _ = p.digest.Write(to[:n]) // it never fails
	switch {
	case p.at == p.size && !bytes.Equal(p.digest.Sum(nil), p.name[:]):
		return 0, &format.DamageError{What: "pack", Why: "its bytes have another name"}
	case p.at == p.size:
		return n, nil
	case err == io.EOF:
		return 0, &format.DamageError{What: "pack", Why: "it ends early"}
	default:
		return n, err
	}
}

// Seek implements io.Seeker: it tells where the parcel is, or goes back to its begin.
func (p *parcel) Seek(offset int64, whence int) (int64, error) {
	switch {
	case whence == io.SeekCurrent && offset == 0:
	case whence == io.SeekStart && offset == p.at:
	case whence == io.SeekStart && offset == 0:
		p.at, p.failed = 0, nil
		p.digest.Reset()
		return 0, p.Close()
	default:
		return 0, karbor.Errorf(karbor.Invalid, "a pack on its way goes back to its begin only, not to byte %d", offset)
	}
	return p.at, nil
}

// Close lets go of the source.
func (p *parcel) Close() error {
	if p.body == nil {
		return nil
	}
	body := p.body
	p.body = nil
	return body.Close()
}

// sendPack stores a pack in the target as it is: as it comes from the source, if that is how the
// target writes, else from memory.
func (b *batch) sendPack(ctx context.Context, p place, pack format.Pack) (err error) {
	if b.to.Bank().Traits().Streams {
		parcel := b.parcel(ctx, p, pack.Size)
		err = b.to.StoreNamed(ctx, b.refs, pack, parcel)
		closed := parcel.Close()
		if parcel.failed != nil {
			return errors.Join(parcel.failed, closed)
		}
		return errors.Join(err, closed)
	}
	object, err := b.from.ReadPack(ctx, p.kind, p.name, 0, int(pack.Size))
	if err != nil {
		return err
	}
	if format.NameOf(object) != p.name {
		return &format.DamageError{What: "pack", Why: "its bytes have another name"}
	}
	return b.to.StoreNamed(ctx, b.refs, pack, bytes.NewReader(object))
}

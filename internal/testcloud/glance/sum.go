package glance

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"io"

	"github.com/karbor/karbor/internal/testcloud/fabric"
)

// known are the checksums of contents that were seen before. MD5 and SHA-512
// of a volume take seconds for each GiB, nearly all of it for zeros; a volume
// is uploaded often and seldom changes.
type known struct {
	Checksum  string `json:"checksum"`
	HashValue string `json:"hash_value"`
}

// digest gives the checksums of a file, from those known if it can.
func (g *Glance) digest(ctx context.Context, blob fabric.Blob, size int64) (known, error) {
	print, err := g.fingerprint(ctx, blob, size)
	if err != nil {
		return known{}, err
	}
	if k, ok := g.sums.Get(print); ok {
		return k, nil
	}
	f, err := g.fab.Blobs.Open(blob)
	if err != nil {
		return known{}, err
	}
	defer f.Close()
	s := newSums()
	for {
		// In steps, so that closing the cloud doesn't wait for all of it.
		if err := ctx.Err(); err != nil {
			return known{}, err
		}
		if _, err := io.CopyN(s, f, 16<<20); err == io.EOF {
			break
		} else if err != nil {
			return known{}, err
		}
	}
	k := s.known()
	g.sums.Put(print, k)
	return k, nil
}

// fingerprint tells contents apart by their length and the blocks that are
// not zero.
func (g *Glance) fingerprint(ctx context.Context, blob fabric.Blob, size int64) (string, error) {
	h := sha256.New()
	number := func(n int64) { _ = binary.Write(h, binary.LittleEndian, n) } // a hash takes all
	number(size)
	err := g.fab.Blobs.Blocks(ctx, blob, func(pos int64, block []byte) error {
		number(pos)
		number(int64(len(block)))
		h.Write(block)
		return nil
	})
	return hex.EncodeToString(h.Sum(nil)), err
}

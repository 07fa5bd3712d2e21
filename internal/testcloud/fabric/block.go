package fabric

import (
	"bytes"
	"context"
	"errors"
	"io"
)

// Blocks calls visit with each block of a file, of 64 KiB or less at its end,
// that is not all zeros, in order. The block is only good until visit returns.
// Holes cost no time, so this tells contents apart fast.
func (b *Blobs) Blocks(ctx context.Context, blob Blob, visit func(pos int64, block []byte) error) error {
	f, err := b.Open(blob)
	if err != nil {
		return err
	}
	defer f.Close()
	block, zeros := make([]byte, zeroBlock), make([]byte, zeroBlock)
	for pos := int64(0); ; pos += zeroBlock {
		if err := ctx.Err(); err != nil {
			return err
		}
		if pos%(zeroBlock<<8) == 0 {
			data, more := nextData(f, pos)
			if !more {
				return nil
			}
			pos = data - data%zeroBlock
		}
		n, err := f.ReadAt(block, pos)
		if n > 0 && !bytes.Equal(block[:n], zeros[:n]) {
			if err := visit(pos, block[:n]); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

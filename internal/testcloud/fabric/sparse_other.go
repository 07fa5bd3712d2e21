//go:build !linux

package fabric

import (
	"context"
	"io"
	"os"
)

// copySparse copies size bytes and leaves holes for blocks of zeros.
func copySparse(ctx context.Context, dst, src *os.File, size int64) error {
	_, err := writeSparse(ctx, dst, io.NewSectionReader(src, 0, size))
	return err
}

// nextData can't tell holes here.
func nextData(_ *os.File, pos int64) (int64, bool) { return pos, true }

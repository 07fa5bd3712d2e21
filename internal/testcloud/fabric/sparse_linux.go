package fabric

import (
	"context"
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// copyStep is how much is copied between two looks at the context, in bytes.
const copyStep = 32 << 20

// copySparse copies size bytes: by sharing blocks (reflink), else extent by
// extent, else byte by byte.
func copySparse(ctx context.Context, dst, src *os.File, size int64) error {
	if unix.IoctlFileClone(int(dst.Fd()), int(src.Fd())) == nil {
		return nil
	}
	for pos := int64(0); pos < size; {
		start, err := unix.Seek(int(src.Fd()), pos, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) {
			return nil
		}
		if err != nil {
			_, err := writeSparse(ctx, dst, io.NewSectionReader(src, 0, size))
			return err
		}
		end, err := unix.Seek(int(src.Fd()), start, unix.SEEK_HOLE)
		if err != nil {
			return err
		}
		if err := copyExtent(ctx, dst, src, start, end); err != nil {
			return err
		}
		pos = end
	}
	return nil
}

// copyExtent copies [start, end) in the kernel where it can.
func copyExtent(ctx context.Context, dst, src *os.File, start, end int64) error {
	if _, err := src.Seek(start, io.SeekStart); err != nil {
		return err
	}
	if _, err := dst.Seek(start, io.SeekStart); err != nil {
		return err
	}
	for start < end {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := io.CopyN(dst, src, min(copyStep, end-start))
		if err != nil {
			return err
		}
		start += n
	}
	return nil
}

// nextData gives the position of the first byte at or after pos that may be
// no zero; false if there is none.
func nextData(f *os.File, pos int64) (int64, bool) {
	start, err := unix.Seek(int(f.Fd()), pos, unix.SEEK_DATA)
	if errors.Is(err, unix.ENXIO) {
		return 0, false
	}
	if err != nil {
		return pos, true
	}
	return start, true
}

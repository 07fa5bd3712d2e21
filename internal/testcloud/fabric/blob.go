package fabric

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// Kind says what a blob's bytes belong to; it is a folder's name.
type Kind string

// The kinds of blobs.
const (
	VolumeBlob   Kind = "volumes"
	SnapshotBlob Kind = "snapshots"
	BackupBlob   Kind = "backups"
	ImageBlob    Kind = "images"
	ServerBlob   Kind = "servers"
)

// Blob names a file of raw bytes: those of the volume, snapshot, backup,
// image or server (root disk) with that id.
type Blob struct {
	Kind Kind   `json:"kind"`
	ID   string `json:"id"`
}

func (b Blob) path() string { return string(b.Kind) + "/" + b.ID }

// zeroBlock is the unit in which runs of zeros become holes, in bytes.
const zeroBlock = 64 << 10

// Blobs keeps raw sparse files in a folder. It never holds more than a block
// of a file in memory. Callers see to it that one file has one writer.
type Blobs struct {
	root *os.Root
}

// OpenBlobs opens the folder, which it makes if need be.
func OpenBlobs(dir string) (*Blobs, error) {
	for _, k := range []Kind{VolumeBlob, SnapshotBlob, BackupBlob, ImageBlob, ServerBlob} {
		if err := os.MkdirAll(dir+"/"+string(k), 0o700); err != nil {
			return nil, fmt.Errorf("making the folder of %s: %w", k, err)
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("opening the folder of blobs: %w", err)
	}
	return &Blobs{root: root}, nil
}

// Close releases the folder. Open files stay usable.
func (b *Blobs) Close() error { return b.root.Close() }

// Path gives the file's path below the folder of blobs, for tests and logs.
func (b *Blobs) Path(blob Blob) string { return b.root.Name() + "/" + blob.path() }

// Create makes a file of size bytes, all zeros and all holes. A file that is
// there is emptied first.
func (b *Blobs) Create(blob Blob, size int64) error {
	f, err := b.create(blob)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Truncate(size), f.Close()); err != nil {
		return fmt.Errorf("making %s: %w", blob.path(), err)
	}
	return nil
}

func (b *Blobs) create(blob Blob) (*os.File, error) {
	if blob.ID == "" || strings.ContainsAny(blob.ID, "/\\\x00") {
		return nil, fmt.Errorf("making a blob: %q is no id", blob.ID)
	}
	f, err := b.root.OpenFile(blob.path(), os.O_CREATE|os.O_RDWR|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("making %s: %w", blob.path(), err)
	}
	return f, nil
}

// Open opens a file for reading; the caller closes it. Without such a file the
// error is os.ErrNotExist.
func (b *Blobs) Open(blob Blob) (*os.File, error) {
	f, err := b.root.Open(blob.path())
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", blob.path(), err)
	}
	return f, nil
}

// OpenWrite opens an existing file for reading and writing.
func (b *Blobs) OpenWrite(blob Blob) (*os.File, error) {
	f, err := b.root.OpenFile(blob.path(), os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", blob.path(), err)
	}
	return f, nil
}

// Size gives a file's length in bytes, holes included.
func (b *Blobs) Size(blob Blob) (int64, error) {
	info, err := b.root.Stat(blob.path())
	if err != nil {
		return 0, fmt.Errorf("looking at %s: %w", blob.path(), err)
	}
	return info.Size(), nil
}

// Resize sets a file's length. New bytes are zeros.
func (b *Blobs) Resize(blob Blob, size int64) error {
	f, err := b.OpenWrite(blob)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Truncate(size), f.Close()); err != nil {
		return fmt.Errorf("resizing %s: %w", blob.path(), err)
	}
	return nil
}

// Remove deletes a file. One that isn't there is no error.
func (b *Blobs) Remove(blob Blob) error {
	if err := b.root.Remove(blob.path()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("removing %s: %w", blob.path(), err)
	}
	return nil
}

// Copy makes the file to with the bytes of from. The new file has size bytes
// (0: as many as from), cut off or filled with zeros. It shares the blocks
// where the file system can, else it copies data only and leaves holes.
func (b *Blobs) Copy(ctx context.Context, from, to Blob, size int64) error {
	src, err := b.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = src.Close() }()
	dst, err := b.create(to)
	if err != nil {
		return err
	}
	info, err := src.Stat()
	if err == nil {
		if size <= 0 {
			size = info.Size()
		}
		err = copySparse(ctx, dst, src, info.Size())
	}
	if err == nil {
		err = dst.Truncate(size)
	}
	if err = errors.Join(err, dst.Close()); err != nil {
		return errors.Join(fmt.Errorf("copying %s to %s: %w", from.path(), to.path(), err), b.Remove(to))
	}
	return nil
}

// Receive makes the file to with what r gives and tells the number of bytes.
// Blocks of zeros become holes. On an error the file is removed.
func (b *Blobs) Receive(ctx context.Context, to Blob, r io.Reader) (int64, error) {
	f, err := b.create(to)
	if err != nil {
		return 0, err
	}
	n, err := writeSparse(ctx, f, r)
	if err = errors.Join(err, f.Close()); err != nil {
		return n, errors.Join(fmt.Errorf("receiving %s: %w", to.path(), err), b.Remove(to))
	}
	return n, nil
}

// writeSparse writes r at the start of f, leaving holes for blocks of zeros.
func writeSparse(ctx context.Context, f *os.File, r io.Reader) (int64, error) {
	var pos int64
	block, zeros := make([]byte, zeroBlock), make([]byte, zeroBlock)
	for {
		if err := ctx.Err(); err != nil {
			return pos, err
		}
		n, err := fill(r, block)
		if n > 0 && !bytes.Equal(block[:n], zeros[:n]) {
			if _, werr := f.WriteAt(block[:n], pos); werr != nil {
				return pos, werr
			}
		}
		pos += int64(n)
		if errors.Is(err, io.EOF) {
			return pos, f.Truncate(pos)
		}
		if err != nil {
			return pos, err
		}
	}
}

// fill reads until the block is full or r ends. Unlike io.ReadFull it keeps
// the reader's own error apart: a body cut short is no end.
func fill(r io.Reader, block []byte) (int, error) {
	var n int
	for n < len(block) {
		m, err := r.Read(block[n:])
		n += m
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// Blocks calls visit with each block of a file, of 64 KiB or less at its end,
// that is not all zeros, in order. The block is only good until visit returns.
// Holes cost no time, so this tells contents apart fast.
func (b *Blobs) Blocks(ctx context.Context, blob Blob, visit func(pos int64, block []byte) error) error {
	f, err := b.Open(blob)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
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

package file

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
)

// Put implements bank.Bank.
func (b *Bank) Put(ctx context.Context, key string, body io.Reader, size int64) error {
	return b.withRoom(ctx, key, body, func() error {
		return b.write(ctx, key, body, size, func(temp *os.File, id string, to *os.File, name string) error {
			return inFolder("rename", to, name, func(at int, name string) error {
				return unix.Renameat(int(temp.Fd()), id, at, name)
			})
		})
	})
}

// Create implements bank.Bank. Neither a hard link nor a renaming that was told not to
// replaces a file, so of racing Creates one wins.
func (b *Bank) Create(ctx context.Context, key string, body io.Reader, size int64) error {
	return b.withRoom(ctx, key, body, func() error {
		if size == 0 {
			return b.createEmpty(ctx, key, body)
		}
		return b.write(ctx, key, body, size, func(temp *os.File, id string, to *os.File, name string) error {
			if moved, err := b.tree.renameNew(temp, id, to, name); moved || err != nil {
				return err
			}
			err := inFolder("link", to, name, func(at int, name string) error {
				return unix.Linkat(int(temp.Fd()), id, at, name, 0)
			})
			if err != nil {
				return err
			}
			return removeFile(temp, id)
		})
	})
}

// createEmpty makes an object without bytes in its place: there is no part of it
// that a reader could see.
func (b *Bank) createEmpty(ctx context.Context, key string, body io.Reader) error {
	if err := bank.CheckKey(key); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, bank.Exactly(ctx, body, 0)); err != nil {
		return fmt.Errorf("writing %s: %w", key, err)
	}
	return written(key, b.place(ctx, path(key), func(to *os.File, name string) (bool, error) {
		return b.empties.make(b.tree, to, name, b.tree.syncs(ctx))
	}))
}

// written gives the error of writing a key.
func written(key string, err error) error {
	switch {
	case errors.Is(err, errTaken):
		return karbor.Errorf(karbor.Conflict, "the object %s exists already", key)
	case err != nil:
		return fmt.Errorf("writing %s: %w", key, classify(err))
	}
	return nil
}

// move moves a file from the folder of temporary files to its name in a folder. If it
// fails, the temporary file is still there.
type move func(temp *os.File, id string, to *os.File, name string) error

// write writes the object to a temporary file, makes that durable, and moves it
// into place.
func (b *Bank) write(ctx context.Context, key string, body io.Reader, size int64, m move) error {
	if err := bank.CheckKey(key); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	temp, err := b.folders.open(tempFolder)
	if err != nil {
		return written(key, err)
	}
	id := karbor.NewID()
	err = b.fill(ctx, temp.file, id, body, size)
	if err == nil {
		err = b.place(ctx, path(key), func(to *os.File, name string) (bool, error) {
			return false, m(temp.file, id, to, name)
		})
	}
	if err != nil { // else it has been moved away
		_ = removeFile(temp.file, id) // if it stays, the next opening of the bank removes it
	}
	return written(key, errors.Join(err, b.folders.release(temp)))
}

// errTaken is the error of a Create whose key is taken.
var errTaken = errors.New("taken")

// fill makes a durable file with the object's bytes.
func (b *Bank) fill(ctx context.Context, temp *os.File, id string, body io.Reader, size int64) error {
	f, err := newFile(temp, id)
	if err != nil {
		return err
	}
	err = b.copy(ctx, f, body, size)
	if err == nil {
		err = b.tree.sync(f)
	}
	return errors.Join(err, f.Close())
}

func (b *Bank) copy(ctx context.Context, f *os.File, body io.Reader, size int64) error {
	if r, ok := body.(*bytes.Reader); ok && int64(r.Len()) == size {
		_, err := r.WriteTo(f) // it is in memory: no copy is needed
		return err
	}
	buf, ok := b.buffers.Get().(*[]byte)
	if !ok {
		return errors.New("the buffers hold something else")
	}
	defer b.buffers.Put(buf)
	_, err := io.CopyBuffer(&flushed{file: f}, bank.Exactly(ctx, body, size), *buf)
	return err
}

// place has an object put into its folder, and makes its name there durable, unless put
// has done that, or what follows does it. A folder that a Delete has removed meanwhile is made again.
func (b *Bank) place(ctx context.Context, path string, put func(to *os.File, name string) (synced bool, err error)) error {
	in, name := split(path)
	for range 100 {
		if err := ctx.Err(); err != nil {
			return err
		}
		to, err := b.folders.open(in)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		synced, err := put(to.file, name)
		if err == nil && !synced && b.tree.syncs(ctx) {
			err = b.folders.sync(to)
		}
		if err == nil {
			return b.folders.release(to)
		}
		if errors.Is(err, fs.ErrNotExist) {
			b.folders.discard(to)
		}
		err = errors.Join(err, b.folders.release(to))
		switch {
		case errors.Is(err, fs.ErrExist):
			return errTaken
		case errors.Is(err, syscall.EOPNOTSUPP) || errors.Is(err, syscall.EPERM):
			return fmt.Errorf("the file system of the bank refuses hard links: %w", err)
		case !errors.Is(err, fs.ErrNotExist):
			return err
		}
	}
	return karbor.Transientf("its folder is removed again and again")
}

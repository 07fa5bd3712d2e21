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

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
)

// Put implements bank.Bank.
func (b *Bank) Put(ctx context.Context, key string, body io.Reader, size int64) error {
	return b.write(ctx, key, body, size, b.root.Rename)
}

// Create implements bank.Bank. A hard link never replaces a file, so of racing
// Creates one wins.
func (b *Bank) Create(ctx context.Context, key string, body io.Reader, size int64) error {
	if size == 0 {
		return b.createEmpty(ctx, key, body)
	}
	return b.write(ctx, key, body, size, b.root.Link)
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
	return b.finish(key, b.place(ctx, "", path(key), func(_, to string) error {
		f, err := b.root.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		return errors.Join(f.Sync(), f.Close())
	}))
}

// finish makes the place of a key durable, unless putting the object there has
// failed with err.
func (b *Bank) finish(key string, err error) error {
	switch {
	case errors.Is(err, errTaken):
		return karbor.Errorf(karbor.Conflict, "the object %s exists already", key)
	case err != nil:
		return fmt.Errorf("writing %s: %w", key, classify(err))
	}
	return b.folders.sync(folderOf(path(key)))
}

// write writes the object to a temporary file, makes that durable, and moves it
// into place.
func (b *Bank) write(ctx context.Context, key string, body io.Reader, size int64, move func(from, to string) error) error {
	if err := bank.CheckKey(key); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	temp := tempFolder + "/" + karbor.NewID()
	err := b.fill(ctx, temp, body, size)
	if err == nil {
		err = b.place(ctx, temp, path(key), move)
	}
	// A rename has taken the temporary file away; in all other cases it is there.
	if removeErr := b.root.Remove(temp); err == nil && !errors.Is(removeErr, fs.ErrNotExist) {
		err = removeErr
	}
	return b.finish(key, err)
}

// errTaken is the error of a Create whose key is taken.
var errTaken = errors.New("taken")

// fill makes a durable file with the object's bytes.
func (b *Bank) fill(ctx context.Context, temp string, body io.Reader, size int64) error {
	f, err := b.root.OpenFile(temp, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	err = b.copy(ctx, f, body, size)
	if err == nil {
		err = f.Sync()
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
	_, err := io.CopyBuffer(struct{ io.Writer }{f}, bank.Exactly(ctx, body, size), *buf)
	return err
}

// place moves the temporary file to its path. A folder that a Delete has removed
// meanwhile is made again.
func (b *Bank) place(ctx context.Context, temp, to string, move func(from, to string) error) error {
	for range 100 {
		if err := b.folders.make(to); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		err := move(temp, to)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, fs.ErrExist):
			return errTaken
		case errors.Is(err, syscall.EOPNOTSUPP) || errors.Is(err, syscall.EPERM):
			return fmt.Errorf("the file system of the bank refuses hard links: %w", err)
		case !errors.Is(err, fs.ErrNotExist):
			return err
		}
		b.folders.forget(to)
	}
	return karbor.Transientf("its folder is removed again and again")
}

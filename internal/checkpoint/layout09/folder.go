package layout09

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
)

// Folder is a bank of Python Karbor's file system plug-in: a file for each key. It is a
// Source, and may be used concurrently.
type Folder struct{ root *os.Root }

// OpenFolder opens the folder of the bank's container: with the defaults that is
// "karbor" in the bank's path.
func OpenFolder(dir string) (*Folder, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("opening the bank's folder: %w", err)
	}
	return &Folder{root}, nil
}

// Close closes the folder.
func (f *Folder) Close() error { return f.root.Close() }

// Get implements Source.
func (f *Folder) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	if err := errors.Join(bank.CheckKey(key), bank.CheckOffset(offset), ctx.Err()); err != nil {
		return nil, err
	}
	// Without waiting, lest a named pipe in the folder stop us.
	file, err := f.root.OpenFile(key, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil, karbor.Errorf(karbor.NotFound, "there is no object %s", key)
	}
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", key, err)
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = karbor.Errorf(karbor.NotFound, "there is no object %s", key)
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	n := max(0, info.Size()-offset)
	if length >= 0 {
		n = min(n, length)
	}
	return &section{ctx, io.NewSectionReader(file, offset, n), file}, nil
}

// section reads a part of a file until its context ends.
type section struct {
	ctx context.Context
	*io.SectionReader
	file *os.File
}

// Read implements io.Reader.
func (s *section) Read(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	return s.SectionReader.Read(p)
}

// Close implements io.Closer.
func (s *section) Close() error { return s.file.Close() }

// errEnough ends a walk.
var errEnough = errors.New("enough")

// List implements Source.
func (f *Folder) List(ctx context.Context, prefix, marker string, limit int) ([]bank.Info, error) {
	if err := bank.CheckLimit(limit); err != nil {
		return nil, err
	}
	var out []bank.Info
	err := f.walk(ctx, "", prefix, marker, func(i bank.Info) error {
		if out = append(out, i); len(out) == limit {
			return errEnough
		}
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return nil, fmt.Errorf("listing the bank: %w", err)
	}
	return out, nil
}

// walk calls fn with the objects below a folder ("" or with a closing slash), in the
// order of their keys.
func (f *Folder) walk(ctx context.Context, dir, prefix, marker string, fn func(bank.Info) error) error {
	names, err := f.names(ctx, dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		key := dir + name
		switch {
		case strings.HasSuffix(name, "/"):
			inside := strings.HasPrefix(key, prefix) || strings.HasPrefix(prefix, key)
			over := marker > key && !strings.HasPrefix(marker, key)
			if !inside || over || bank.CheckKey(strings.TrimSuffix(key, "/")) != nil {
				continue
			}
			if err := f.walk(ctx, key, prefix, marker, fn); err != nil {
				return err
			}
		case strings.HasPrefix(key, prefix) && key > marker && bank.CheckKey(key) == nil:
			info, err := f.root.Lstat(key)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return err
			}
			if err := fn(bank.Info{Key: key, Size: info.Size(), ModTime: info.ModTime()}); err != nil {
				return err
			}
		}
	}
	return nil
}

// names gives the files and folders of a folder, these with a slash behind, in the
// order of keys.
func (f *Folder) names(ctx context.Context, dir string) ([]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	d, err := f.root.Open(cmp.Or(strings.TrimSuffix(dir, "/"), "."))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	entries, err := d.ReadDir(-1)
	if err = errors.Join(err, d.Close()); err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		switch {
		case e.IsDir():
			names = append(names, e.Name()+"/")
		case e.Type().IsRegular():
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	return names, nil
}

// Delete implements Source. It removes folders that become empty.
func (f *Folder) Delete(ctx context.Context, key string) error {
	if err := errors.Join(bank.CheckKey(key), ctx.Err()); err != nil {
		return err
	}
	err := f.root.Remove(key)
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR) {
		return fmt.Errorf("removing %s: %w", key, err)
	}
	for dir := path.Dir(key); dir != "."; dir = path.Dir(dir) {
		if f.root.Remove(dir) != nil {
			break // it is not empty, or not there
		}
	}
	return nil
}

var _ Source = (*Folder)(nil)

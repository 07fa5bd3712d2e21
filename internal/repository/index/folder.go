package index

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// LockName is the file in a folder that is locked.
const LockName = "lock"

// Lock keeps other processes off a folder of index caches until it is closed, or the process
// ends. A folder that another has locked is a karbor.Conflict; errors.ErrUnsupported says that
// this system has no such locks.
func Lock(path string) (io.Closer, error) {
	if !locks {
		return nil, errors.ErrUnsupported
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	locked, err := (&folder{root: root}).lock()
	if err := errors.Join(err, root.Close()); err != nil {
		return nil, fmt.Errorf("locking %s: %w", path, err)
	}
	return locked, nil
}

// folder is the cache's folder. All that changes it goes through here.
type folder struct {
	root *os.Root
	// hook is nil but in tests. It is called before each change; an error is given
	// instead of the change, of which a write does the first half all the same.
	hook func(operation, name string) error
}

func (f *folder) before(operation, name string) error {
	if f.hook == nil {
		return nil
	}
	return f.hook(operation, name)
}

// file is one that is written.
type file struct {
	*os.File
	folder *folder
	name   string
}

func (f *folder) create(name string) (*file, error) {
	if err := f.before("create", name); err != nil {
		return nil, err
	}
	o, err := f.root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	return &file{o, f, name}, nil
}

// WriteAt implements io.WriterAt.
func (f *file) WriteAt(b []byte, at int64) (int, error) {
	if err := f.folder.before("write", f.name); err != nil {
		n, _ := f.File.WriteAt(b[:len(b)/2], at)
		return n, err
	}
	return f.File.WriteAt(b, at)
}

// finish makes the file durable and closes it.
func (f *file) finish() error {
	err := f.folder.before("sync", f.name)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// rename gives a file another name, durably.
func (f *folder) rename(from, to string) error {
	if err := f.before("rename", from); err != nil {
		return err
	}
	if err := f.root.Rename(from, to); err != nil {
		return err
	}
	return f.sync()
}

// sync makes the names in the folder durable.
func (f *folder) sync() error {
	if err := f.before("sync", "."); err != nil {
		return err
	}
	d, err := f.root.Open(".")
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }() // it was only read
	return d.Sync()
}

// remove removes files; one that is not there is as good.
func (f *folder) remove(names ...string) error {
	var failed []error
	for _, name := range names {
		err := f.before("remove", name)
		if err == nil {
			err = f.root.Remove(name)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

// names lists the folder.
func (f *folder) names() ([]string, error) {
	d, err := f.root.Open(".")
	if err != nil {
		return nil, err
	}
	defer func() { _ = d.Close() }() // it was only read
	names, err := d.Readdirnames(-1)
	if err != nil {
		return nil, fmt.Errorf("listing the folder: %w", err)
	}
	return names, nil
}

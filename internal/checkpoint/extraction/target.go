package extraction

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/karbor/karbor"
)

// Target is where a stream is written to.
type Target struct {
	// Path is a file, a block device or a named pipe. A file is made beside its place,
	// with holes for zero bytes, and takes its place when it is whole.
	Path string
	// Force allows a file that is there to be replaced, and a device to be overwritten.
	Force bool
	// Out takes the stream if Path is "".
	Out io.Writer
	// NoDigest leaves out the digest of the stream, which costs as much as half of the rest. Each
	// byte is checked all the same.
	NoDigest bool
}

// open opens the target for a stream of a size.
func (t Target) open(size int64) (sink, error) {
	if t.Path == "" {
		return pipe{out: t.Out}, nil
	}
	path := t.Path
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return newFile(path, t.Force, size)
	case err != nil:
		return nil, fmt.Errorf("opening the target: %w", err)
	case info.Mode()&fs.ModeNamedPipe != 0 || info.Mode()&fs.ModeCharDevice != 0:
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return nil, fmt.Errorf("opening the target: %w", err)
		}
		return pipe{out: f, closer: f}, nil
	case info.IsDir():
		return nil, karbor.Errorf(karbor.Invalid, "the target %s is a folder", path)
	case !t.Force:
		return nil, karbor.Errorf(karbor.Conflict, "the target %s is there already: force is needed to overwrite it", path)
	case info.Mode()&fs.ModeDevice != 0:
		return openDevice(path, size)
	case !info.Mode().IsRegular():
		return nil, karbor.Errorf(karbor.Invalid, "the target %s is neither a file nor a device nor a pipe", path)
	}
	// Where a link leads to is replaced, and not the link.
	if path, err = filepath.EvalSymlinks(path); err != nil {
		return nil, fmt.Errorf("opening the target: %w", err)
	}
	return newFile(path, true, size)
}

// pipe is a target that takes bytes one after the other.
type pipe struct {
	out    io.Writer
	closer io.Closer
}

func (p pipe) write(b []byte, _ int64) error {
	_, err := p.out.Write(b)
	return err
}

func (p pipe) depth() int   { return 1 }
func (p pipe) holes() bool  { return false }
func (p pipe) abort() error { return p.finish() }
func (p pipe) finish() error {
	if p.closer == nil {
		return nil
	}
	return p.closer.Close()
}

// file is a regular file that is made beside its place.
type file struct {
	*disk
	path    string
	replace bool
}

func newFile(path string, replace bool, size int64) (sink, error) {
	made, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*.part")
	if err != nil {
		return nil, fmt.Errorf("making the target: %w", err)
	}
	f := &file{newDisk(made), path, replace}
	// Writes that make a file longer wait for each other.
	if err := f.Truncate(size); err != nil {
		return nil, errors.Join(fmt.Errorf("making the target: %w", err), f.abort())
	}
	return f, nil
}

func (f *file) holes() bool { return true }

// finish makes the file durable, and puts it in its place.
func (f *file) finish() error {
	err := errors.Join(f.Sync(), f.Close())
	if err == nil {
		err = f.place()
	}
	if err == nil {
		err = syncFolder(filepath.Dir(f.path))
	}
	if err != nil {
		return errors.Join(fmt.Errorf("finishing the target: %w", err), f.abort())
	}
	return nil
}

func (f *file) place() error {
	if f.replace {
		return os.Rename(f.Name(), f.path)
	}
	// A link never takes another's place.
	err := os.Link(f.Name(), f.path)
	if errors.Is(err, fs.ErrExist) {
		return karbor.Errorf(karbor.Conflict, "the target %s has been made by somebody else meanwhile", f.path)
	}
	if err == nil {
		return os.Remove(f.Name())
	}
	// Not every file system has links.
	if _, statErr := os.Lstat(f.path); !errors.Is(statErr, fs.ErrNotExist) {
		return err
	}
	return os.Rename(f.Name(), f.path)
}

func (f *file) abort() error {
	_ = f.Close() // it is thrown away
	if err := os.Remove(f.Name()); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	// Not every file system lets a folder be synced.
	_ = d.Sync()
	return d.Close()
}

// device is a block device. Zero bytes are written: nobody knows what is there.
type device struct{ *disk }

func openDevice(path string, size int64) (sink, error) {
	// Without O_CREATE, O_EXCL refuses a device that is mounted or otherwise in use.
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_EXCL, 0)
	if err != nil {
		return nil, fmt.Errorf("opening the target: %w", err)
	}
	room, err := f.Seek(0, io.SeekEnd)
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err == nil && room < size {
		err = karbor.Errorf(karbor.Invalid, "the device %s has %d bytes, and the stream %d", path, room, size)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return device{newDisk(f)}, nil
}

func (d device) holes() bool  { return false }
func (d device) abort() error { return d.Close() }
func (d device) finish() error {
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("finishing the target: %w", err)
	}
	return nil
}

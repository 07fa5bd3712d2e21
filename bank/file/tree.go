package file

import (
	"errors"
	"io/fs"
	"os"
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// tree is the bank's folder. Nothing that it opens lies outside, whatever
// symbolic links there are.
type tree struct {
	root *os.Root
	top  *os.File
	// walk says that the system can't resolve a path in one call, and linksOnly that it
	// can't rename without replacing.
	walk, linksOnly atomic.Bool
	// durable is the careful one unless who writes has looked.
	durable durability
	// sync makes a file, or a folder's entries, durable.
	sync func(*os.File) error
}

func openTree(path string) (*tree, error) {
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	top, err := root.Open(".")
	if err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return &tree{root: root, top: top, sync: (*os.File).Sync}, nil
}

func (t *tree) close() error { return errors.Join(t.top.Close(), t.root.Close()) }

// open opens what is there for reading. flags may add to that.
func (t *tree) open(name string, flags int) (*os.File, error) {
	noFollow := flags&unix.O_NOFOLLOW != 0
	if !t.walk.Load() {
		f, err := t.openAtOnce(name, flags)
		switch {
		case err == nil, errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENOTDIR), noFollow && errors.Is(err, unix.ELOOP):
			return f, err
		case errors.Is(err, errors.ErrUnsupported):
			t.walk.Store(true)
		}
		// What is wrong otherwise, the walk knows best.
	}
	if noFollow { // which os.Root does not know
		info, err := t.root.Lstat(name)
		if err != nil {
			return nil, err
		}
		if info.Mode()&fs.ModeSymlink != 0 {
			return nil, &fs.PathError{Op: "open", Path: name, Err: unix.ELOOP}
		}
	}
	return t.root.OpenFile(name, os.O_RDONLY|flags, 0)
}

// openFolder opens a folder; "." is the bank's own.
func (t *tree) openFolder(name string) (*os.File, error) { return t.open(name, unix.O_DIRECTORY) }

// inFolder calls a function of the system with an open folder and the name of an
// entry in it.
func inFolder(op string, folder *os.File, name string, call func(folder int, name string) error) error {
	for {
		err := call(int(folder.Fd()), name)
		runtime.KeepAlive(folder)
		switch {
		case err == nil:
			return nil
		case !errors.Is(err, unix.EINTR):
			return &fs.PathError{Op: op, Path: name, Err: err}
		}
	}
}

// newFile makes an empty file in a folder, unless there is something.
func newFile(folder *os.File, name string) (*os.File, error) {
	const flags = unix.O_CREAT | unix.O_EXCL | unix.O_WRONLY | unix.O_NOFOLLOW | unix.O_CLOEXEC
	var file *os.File
	err := inFolder("open", folder, name, func(at int, name string) error {
		fd, err := unix.Openat(at, name, flags, 0o600)
		if err == nil {
			file = os.NewFile(uintptr(fd), name)
		}
		return err
	})
	return file, err
}

func newFolder(folder *os.File, name string) error {
	return inFolder("mkdir", folder, name, func(at int, name string) error { return unix.Mkdirat(at, name, 0o700) })
}

func removeFile(folder *os.File, name string) error {
	return inFolder("unlink", folder, name, func(at int, name string) error { return unix.Unlinkat(at, name, 0) })
}

// removeFolder removes an empty folder.
func removeFolder(folder *os.File, name string) error {
	return inFolder("rmdir", folder, name, func(at int, name string) error {
		return unix.Unlinkat(at, name, unix.AT_REMOVEDIR)
	})
}

// describe gives the size and the time of change of a regular file; what is none
// does not exist.
func describe(folder *os.File, name string) (int64, time.Time, error) {
	var stat unix.Stat_t
	err := inFolder("stat", folder, name, func(at int, name string) error {
		err := unix.Fstatat(at, name, &stat, unix.AT_SYMLINK_NOFOLLOW)
		if err == nil && stat.Mode&unix.S_IFMT != unix.S_IFREG {
			err = unix.ENOENT
		}
		return err
	})
	return stat.Size, time.Unix(stat.Mtim.Unix()), err
}

package file

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// openAtOnce is open in one call of the system, where os.Root needs one for each
// part of the path. An error that wraps errors.ErrUnsupported says that the
// system has no such call, or that something in a container forbids it.
func (t *tree) openAtOnce(name string, flags int) (*os.File, error) {
	how := &unix.OpenHow{
		Flags:   uint64(unix.O_RDONLY | unix.O_CLOEXEC | flags),
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_MAGICLINKS,
	}
	const tries = 8 // it gives EAGAIN when a folder on the way is being moved
	for try := 1; ; try++ {
		fd, err := unix.Openat2(int(t.top.Fd()), name, how)
		switch {
		case err == nil:
			return os.NewFile(uintptr(fd), name), nil
		case errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM):
			return nil, &os.PathError{Op: "openat2", Path: name, Err: unix.ENOSYS}
		case !errors.Is(err, unix.EINTR) && !errors.Is(err, unix.EAGAIN) || try == tries:
			return nil, &os.PathError{Op: "openat2", Path: name, Err: err}
		}
	}
}

// renameNew moves a file from a folder to a name in another one, unless there is
// something by that name. It reports false if the system or the file system can't.
func (t *tree) renameNew(from *os.File, old string, to *os.File, name string) (bool, error) {
	if t.linksOnly.Load() {
		return false, nil
	}
	err := inFolder("rename", to, name, func(at int, name string) error {
		return unix.Renameat2(int(from.Fd()), old, at, name, unix.RENAME_NOREPLACE)
	})
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM) {
		t.linksOnly.Store(true)
		return false, nil
	}
	return err == nil, err
}

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

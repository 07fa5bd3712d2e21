package extraction

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// setDirect says whether writes go past the page cache, if the file system can do that.
func setDirect(f *os.File, direct bool) error {
	c, err := f.SyscallConn()
	if err != nil {
		return err
	}
	err = errControl(c.Control, func(fd uintptr) error {
		flags, err := unix.FcntlInt(fd, unix.F_GETFL, 0)
		if err != nil {
			return err
		}
		if flags &^= unix.O_DIRECT; direct {
			flags |= unix.O_DIRECT
		}
		_, err = unix.FcntlInt(fd, unix.F_SETFL, flags)
		return err
	})
	if err != nil {
		return fmt.Errorf("changing how %s is written: %w", f.Name(), err)
	}
	return nil
}

func errControl(control func(func(uintptr)) error, do func(uintptr) error) error {
	var inner error
	if err := control(func(fd uintptr) { inner = do(fd) }); err != nil {
		return err
	}
	return inner
}

// newBuffer gives memory that begins with a page, which writes past the page cache ask for; dropBuffer
// gives it back.
func newBuffer(size int) ([]byte, error) {
	return unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
}

func dropBuffer(b []byte) error { return unix.Munmap(b) }

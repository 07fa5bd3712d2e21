//go:build unix

package index

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/karbor/karbor"
)

// allocate gets memory that the garbage collector does not count: it would let the heap
// grow by as much again.
func allocate(n int64) ([]byte, error) {
	if n == 0 {
		return nil, nil
	}
	b, err := unix.Mmap(-1, 0, int(n), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return nil, fmt.Errorf("getting %d bytes of memory: %w", n, err)
	}
	return b, nil
}

// free gives back what allocate got.
func free(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	return unix.Munmap(b)
}

// locks says that lock keeps others off.
const locks = true

// lock keeps other processes off the folder until the file is closed or the process ends.
func (f *folder) lock() (*os.File, error) {
	o, err := f.root.OpenFile(LockName, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(o.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = karbor.Errorf(karbor.Conflict, "it is in use already")
	}
	if err != nil {
		return nil, errors.Join(err, o.Close())
	}
	return o, nil
}

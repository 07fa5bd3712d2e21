//go:build !unix

package index

import "os"

// allocate gets memory.
func allocate(n int64) ([]byte, error) { return make([]byte, n), nil }

// free gives back what allocate got: the garbage collector does.
func free([]byte) error { return nil }

// locks says that lock keeps others off.
const locks = false

// lock keeps no other process off here: see to it that there is only one.
func (f *folder) lock() (*os.File, error) {
	return f.root.OpenFile(LockName, os.O_RDWR|os.O_CREATE, 0o600)
}

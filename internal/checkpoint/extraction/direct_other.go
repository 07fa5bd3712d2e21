//go:build !linux

package extraction

import (
	"errors"
	"os"
)

// setDirect says that writes go through the page cache here.
func setDirect(_ *os.File, direct bool) error {
	if direct {
		return errors.ErrUnsupported
	}
	return nil
}

func newBuffer(size int) ([]byte, error) { return make([]byte, size), nil }
func dropBuffer([]byte) error            { return nil }

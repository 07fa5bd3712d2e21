//go:build !unix

package daemon

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Lock makes the state folder. Here it keeps no other process off: see to it that
// there is only one.
func Lock(dir string) (io.Closer, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the state folder: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("making the state folder: %w", err)
	}
	return f, nil
}

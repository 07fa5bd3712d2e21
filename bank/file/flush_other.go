//go:build !linux

package file

import "os"

// begin has no system call here.
func begin(*os.File, int64, int64) error { return nil }

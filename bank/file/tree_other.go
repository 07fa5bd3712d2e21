//go:build !linux

package file

import (
	"errors"
	"os"
)

// openAtOnce has no system call here.
func (*tree) openAtOnce(string, int) (*os.File, error) { return nil, errors.ErrUnsupported }

func (*tree) renameNew(*os.File, string, *os.File, string) (bool, error) { return false, nil }

func durabilityOf(*os.File) durability { return durability{} }

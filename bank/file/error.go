package file

import (
	"errors"
	"syscall"

	"github.com/karbor/karbor"
)

// classify gives an error of the file system its kind. What it does not know
// stays as it is: a fault that a retry does not cure.
func classify(err error) error {
	var no syscall.Errno
	if !errors.As(err, &no) {
		return err
	}
	switch no {
	case syscall.ENOSPC, syscall.EDQUOT:
		full := karbor.Errorf(karbor.OverLimit, "the bank is full")
		full.Cause = err
		return full
	case syscall.EPERM, syscall.EOPNOTSUPP, syscall.EMLINK:
		return err
	case syscall.EROFS, syscall.EACCES:
		refused := karbor.Errorf(karbor.Unavailable, "the bank refuses access")
		refused.Cause = err
		return refused
	case syscall.ESTALE, syscall.ETIMEDOUT, syscall.EAGAIN, syscall.EMFILE, syscall.ENFILE, syscall.EHOSTDOWN, syscall.ENOTCONN, syscall.EINTR:
		passing := karbor.Transientf("the bank does not answer now")
		passing.Cause = err
		return passing
	}
	return err
}

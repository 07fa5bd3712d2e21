package file

import (
	"errors"
	"io/fs"
	"strings"
	"syscall"
	"testing"

	"github.com/karbor/karbor"
)

func TestErrorsOfTheFileSystemGetTheirKinds(t *testing.T) {
	for _, test := range []struct {
		no        syscall.Errno
		kind      karbor.Kind
		transient bool
		says      string
	}{
		{syscall.ENOSPC, karbor.OverLimit, false, "full"}, {syscall.EDQUOT, karbor.OverLimit, false, "full"},
		{syscall.ESTALE, karbor.Unavailable, true, ""}, {syscall.EMFILE, karbor.Unavailable, true, ""},
		{syscall.EACCES, karbor.Unavailable, false, ""}, {syscall.EROFS, karbor.Unavailable, false, ""},
		{syscall.EIO, karbor.Internal, false, ""}, {syscall.EPERM, karbor.Internal, false, ""},
	} {
		err := classify(&fs.PathError{Op: "write", Path: "x", Err: test.no})
		if karbor.KindOf(err) != test.kind || karbor.IsTransient(err) != test.transient || !strings.Contains(karbor.Sentence(err), test.says) || !errors.Is(err, test.no) {
			t.Errorf("%v: %v of kind %v", test.no, err, karbor.KindOf(err))
		}
	}
	if err := classify(fs.ErrInvalid); err != fs.ErrInvalid { //nolint:errorlint // it must be the same
		t.Error(err)
	}
}

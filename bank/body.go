package bank

import (
	"context"
	"errors"
	"io"

	"github.com/karbor/karbor"
)

// MaxList is the most objects that one List gives.
const MaxList = 1000

// CheckLimit reports a limit of List that is not 1 to MaxList.
func CheckLimit(limit int) error {
	if limit < 1 || limit > MaxList {
		return karbor.Errorf(karbor.Invalid, "a list has 1 to %d objects, not %d", MaxList, limit)
	}
	return nil
}

// CheckOffset reports an offset of Get that is negative.
func CheckOffset(offset int64) error {
	if offset < 0 {
		return karbor.Errorf(karbor.Invalid, "an object can't be read from byte %d on", offset)
	}
	return nil
}

// Exactly gives the bytes of body, which must be size of them: with fewer or
// more, its last Read fails with karbor.Invalid. It gives the last bytes only
// when it knows that no more follow, so that a bank that sends them on to a
// server never finishes an object that is too long. It fails when ctx ends.
func Exactly(ctx context.Context, body io.Reader, size int64) io.Reader {
	return &exactReader{ctx: ctx, body: body, size: size, left: size}
}

type exactReader struct {
	ctx        context.Context
	body       io.Reader
	size, left int64
	err        error
}

func (r *exactReader) Read(p []byte) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	n, err := r.read(p)
	r.err = err
	return n, err
}

func (r *exactReader) read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, context.Cause(r.ctx)
	}
	if r.size < 0 {
		return 0, karbor.Errorf(karbor.Invalid, "an object can't have %d bytes", r.size)
	}
	if r.left == 0 { // an empty object
		return 0, r.end()
	}
	if int64(len(p)) > r.left {
		p = p[:r.left]
	}
	n, err := r.body.Read(p)
	r.left -= int64(n)
	switch {
	case err == io.EOF && r.left > 0:
		return 0, karbor.Errorf(karbor.Invalid, "an object of %d bytes ended after %d", r.size, r.size-r.left)
	case err != nil && err != io.EOF:
		return 0, err
	case err == nil && r.left == 0:
		if err := r.end(); !errors.Is(err, io.EOF) {
			return 0, err
		}
	}
	return n, nil
}

// end gives io.EOF if the body has no more bytes.
func (r *exactReader) end() error {
	var more [1]byte
	for range 100 {
		n, err := r.body.Read(more[:])
		if n > 0 {
			return karbor.Errorf(karbor.Invalid, "an object of %d bytes gave more", r.size)
		}
		if err != nil {
			return err
		}
	}
	return io.ErrNoProgress
}

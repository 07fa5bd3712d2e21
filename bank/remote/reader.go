// Package remote has what the banks have in common that are reached over HTTP.
package remote

import (
	"context"
	"fmt"
	"io"
	"math"
	"net/http"

	"github.com/karbor/karbor"
)

// Part is a part of an object: of the bytes from Offset on Length, or all if it is negative.
type Part struct{ Offset, Length int64 }

// NewPart gives a part. One that goes beyond every object goes to the end.
func NewPart(offset, length int64) Part {
	if length > math.MaxInt64-offset {
		length = -1
	}
	return Part{offset, length}
}

// Header gives the value of a Range header (RFC 9110, 14.2); "" for the whole object, which
// has none. An empty part has none either: it is not asked for.
func (p Part) Header() string {
	switch {
	case p.Length > 0:
		return fmt.Sprintf("bytes=%d-%d", p.Offset, p.Offset+p.Length-1)
	case p.Offset > 0:
		return fmt.Sprintf("bytes=%d-", p.Offset)
	}
	return ""
}

// Answer is what a store has answered to a request for a part of an object.
type Answer struct {
	// Key is the object's.
	Key string
	// Body has Size bytes.
	Body io.ReadCloser
	Size int64
	// Part was asked for; Whole says that the store gave the whole object all the same.
	Part  Part
	Whole bool
	// Explain gives an error of a call its kind and text; doing is what was being done.
	Explain func(ctx context.Context, doing string, err error) error
	// Again asks for another part of the same object; nil where the store can't tell one object
	// from the next under its key.
	Again func(ctx context.Context, p Part) (io.ReadCloser, error)
}

// Reader reads a part of an object. It implements wrap.Resumer.
type Reader struct {
	ctx context.Context
	Answer
	// left is how many bytes are to come.
	left int64
}

// NewReader reads an answer, until ctx ends. Where that fails, the body is closed.
func NewReader(ctx context.Context, a Answer) (*Reader, error) {
	r := &Reader{ctx: ctx, Answer: a, left: a.Size}
	if a.Size < 0 {
		_ = a.Body.Close() // nothing was read
		return nil, karbor.Errorf(karbor.Unavailable, "reading %s: the bank does not tell the size", a.Key)
	}
	if a.Whole && a.Part.Header() != "" {
		if err := r.skip(); err != nil {
			_ = a.Body.Close() // the other error says more
			return nil, err
		}
	}
	return r, nil
}

// skip makes the part of the whole object.
func (r *Reader) skip() error {
	n, err := io.CopyN(io.Discard, r.Body, min(r.Part.Offset, r.left))
	r.left -= n
	if r.Part.Length >= 0 {
		r.left = min(r.left, r.Part.Length)
	}
	return r.Explain(r.ctx, "reading "+r.Key, err)
}

// Read implements io.Reader. An object that ends too early is a transient error.
func (r *Reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	if r.left == 0 {
		return 0, io.EOF
	}
	n, err := r.Body.Read(p[:min(int64(len(p)), r.left)])
	r.left -= int64(n)
	switch {
	case err == io.EOF && r.left == 0:
		return n, nil
	case err == io.EOF:
		err = io.ErrUnexpectedEOF
	case err == nil:
		return n, nil
	}
	return n, r.Explain(r.ctx, "reading "+r.Key, err)
}

// Resume implements wrap.Resumer.
func (r *Reader) Resume(ctx context.Context, offset int64) (io.ReadCloser, error) {
	length := r.Part.Length
	if length >= 0 {
		length = max(0, length-offset)
	}
	if length == 0 {
		return http.NoBody, nil
	}
	if r.Again == nil {
		return nil, karbor.Errorf(karbor.Unavailable, "reading %s: the bank can't tell one object from the next", r.Key)
	}
	return r.Again(ctx, Part{r.Part.Offset + offset, length})
}

// Close implements io.Closer.
func (r *Reader) Close() error { return r.Body.Close() }

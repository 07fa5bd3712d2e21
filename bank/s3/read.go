package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"

	"github.com/minio/minio-go/v7"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
)

// Get implements bank.Bank.
func (b *Bank) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	if err := errors.Join(bank.CheckOffset(offset), bank.CheckKey(key)); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if !b.versioned {
		return b.open(ctx, key, "", "", offset, length)
	}
	// Another writer may replace the version that was the first.
	for range replacements {
		version, known := b.firsts.get(key)
		if !known {
			first, err := b.first(ctx, key)
			if err != nil {
				return nil, err
			}
			version = first.id
		}
		body, err := b.open(ctx, key, version, "", offset, length)
		if !is(err, karbor.NotFound) {
			return body, err
		}
		b.firsts.forget(key)
	}
	return nil, karbor.Transientf("reading %s: it is replaced again and again", key)
}

// replacements is how often a reader follows an object that is being replaced.
const replacements = 20

// open opens a version of an object, or the object if version is "". With an etag it
// has to be the object with that.
func (b *Bank) open(ctx context.Context, key, version, etag string, offset, length int64) (io.ReadCloser, error) {
	doing := "reading " + key
	opts := minio.GetObjectOptions{VersionID: version}
	if etag != "" {
		if err := opts.SetMatchETag(etag); err != nil {
			return nil, fmt.Errorf("%s: %w", doing, err)
		}
	}
	if length == 0 {
		_, err := b.store.StatObject(ctx, b.bucket, b.names.Name(key), opts)
		return http.NoBody, explain(ctx, doing, err)
	}
	if length > math.MaxInt64-offset {
		length = -1
	}
	ranged := offset > 0 || length > 0
	if ranged {
		opts.Set("Range", byteRange(offset, length))
	}
	asking, a := withAnswer(ctx)
	body, info, _, err := b.store.GetObject(asking, b.bucket, b.names.Name(key), opts)
	var said minio.ErrorResponse
	switch {
	case ranged && errors.As(err, &said) && said.StatusCode == http.StatusRequestedRangeNotSatisfiable:
		return http.NoBody, nil
	case etag != "" && is(explain(ctx, doing, err), karbor.Conflict):
		return nil, karbor.Errorf(karbor.Unavailable, "%s: it was replaced meanwhile", doing)
	case err != nil:
		return nil, explain(ctx, doing, err)
	}
	if info.Size < 0 {
		_ = body.Close()
		return nil, karbor.Errorf(karbor.Unavailable, "%s: the bank does not tell the size", doing)
	}
	r := &reader{ctx: ctx, bank: b, body: body, key: key, version: version, etag: info.ETag, offset: offset, length: length, left: info.Size}
	if ranged && !a.partial {
		if err := r.skip(offset, length); err != nil {
			_ = body.Close()
			return nil, err
		}
	}
	return r, nil
}

// byteRange gives the header of a range (RFC 9110, 14.2).
func byteRange(offset, length int64) string {
	if length < 0 {
		return fmt.Sprintf("bytes=%d-", offset)
	}
	return fmt.Sprintf("bytes=%d-%d", offset, offset+length-1)
}

// reader reads a part of an object. It implements wrap.Resumer.
type reader struct {
	ctx                context.Context
	bank               *Bank
	body               io.ReadCloser
	key, version, etag string
	offset, length     int64
	// left is how many bytes are to come.
	left int64
}

// skip makes a part of the whole object that a store gave for a range.
func (r *reader) skip(offset, length int64) error {
	n, err := io.CopyN(io.Discard, r.body, min(offset, r.left))
	r.left -= n
	if length >= 0 {
		r.left = min(r.left, length)
	}
	return explain(r.ctx, "reading "+r.key, err)
}

// Read implements io.Reader. An object that ends too early is a transient error.
func (r *reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	if r.left == 0 {
		return 0, io.EOF
	}
	n, err := r.body.Read(p[:min(int64(len(p)), r.left)])
	r.left -= int64(n)
	switch {
	case err == io.EOF && r.left == 0:
		return n, nil
	case err == io.EOF:
		err = io.ErrUnexpectedEOF
	case err == nil:
		return n, nil
	}
	return n, explain(r.ctx, "reading "+r.key, err)
}

// Resume implements wrap.Resumer.
func (r *reader) Resume(ctx context.Context, offset int64) (io.ReadCloser, error) {
	length := r.length
	if length >= 0 {
		length = max(0, length-offset)
	}
	if length == 0 {
		return http.NoBody, nil
	}
	if r.etag == "" && r.version == "" {
		return nil, karbor.Errorf(karbor.Unavailable, "reading %s: the bank can't tell one object from the next", r.key)
	}
	return r.bank.open(ctx, r.key, r.version, r.etag, r.offset+offset, length)
}

// Close implements io.Closer.
func (r *reader) Close() error { return r.body.Close() }

package swift

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"

	"github.com/gophercloud/gophercloud/v2"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/internal/openstack"
)

// Get implements bank.Bank.
func (b *Bank) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	if err := errors.Join(bank.CheckOffset(offset), ready(ctx, key)); err != nil {
		return nil, err
	}
	if length == 0 {
		_, err := b.Stat(ctx, key)
		return http.NoBody, err
	}
	return b.open(ctx, key, "", offset, length)
}

// open opens an object, which has to have the etag, if one is given.
func (b *Bank) open(ctx context.Context, key, etag string, offset, length int64) (io.ReadCloser, error) {
	doing := "reading " + key
	headers := map[string]string{"Accept": "*/*"}
	if length > math.MaxInt64-offset {
		length = -1
	}
	ranged := offset > 0 || length > 0
	switch {
	case length > 0:
		headers["Range"] = fmt.Sprintf("bytes=%d-%d", offset, offset+length-1)
	case ranged:
		headers["Range"] = fmt.Sprintf("bytes=%d-", offset)
	}
	if etag != "" {
		headers["If-Match"] = strconv.Quote(etag)
	}
	resp, err := b.client.Get(openstack.Transfer(ctx), b.url(key), nil, &gophercloud.RequestOpts{
		KeepResponseBody: true, MoreHeaders: headers, OkCodes: []int{http.StatusOK, http.StatusPartialContent, http.StatusNoContent},
	})
	switch {
	case gophercloud.ResponseCodeIs(err, http.StatusRequestedRangeNotSatisfiable):
		return http.NoBody, nil
	case etag != "" && gophercloud.ResponseCodeIs(err, http.StatusPreconditionFailed):
		return nil, karbor.Errorf(karbor.Unavailable, "%s: it was replaced meanwhile", doing)
	case err != nil:
		return nil, explain(ctx, doing, err)
	case resp.ContentLength < 0:
		return nil, errors.Join(karbor.Errorf(karbor.Unavailable, "%s: the bank does not tell the size", doing), resp.Body.Close())
	}
	r := &reader{
		ctx: ctx, bank: b, body: resp.Body, key: key, etag: strings.Trim(resp.Header.Get("Etag"), `"`),
		offset: offset, length: length, left: resp.ContentLength,
	}
	if ranged && resp.StatusCode != http.StatusPartialContent {
		if err := r.skip(); err != nil {
			return nil, errors.Join(err, resp.Body.Close())
		}
	}
	return r, nil
}

// reader reads a part of an object. It implements wrap.Resumer.
type reader struct {
	ctx            context.Context
	bank           *Bank
	body           io.ReadCloser
	key, etag      string
	offset, length int64
	// left is how many bytes are to come.
	left int64
}

// skip makes a part of the whole object that was given for a range.
func (r *reader) skip() error {
	n, err := io.CopyN(io.Discard, r.body, min(r.offset, r.left))
	r.left -= n
	if r.length >= 0 {
		r.left = min(r.left, r.length)
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
	if r.etag == "" {
		return nil, karbor.Errorf(karbor.Unavailable, "reading %s: the bank can't tell one object from the next", r.key)
	}
	return r.bank.open(ctx, r.key, r.etag, r.offset+offset, length)
}

// Close implements io.Closer.
func (r *reader) Close() error { return r.body.Close() }

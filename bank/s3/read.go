package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/minio/minio-go/v7"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/bank/remote"
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
	part := remote.NewPart(offset, length)
	header := part.Header()
	if header != "" {
		opts.Set("Range", header)
	}
	asking, a := withAnswer(ctx)
	body, info, _, err := b.store.GetObject(asking, b.bucket, b.names.Name(key), opts)
	var said minio.ErrorResponse
	switch {
	case header != "" && errors.As(err, &said) && said.StatusCode == http.StatusRequestedRangeNotSatisfiable:
		return http.NoBody, nil
	case etag != "" && is(explain(ctx, doing, err), karbor.Conflict):
		return nil, karbor.Errorf(karbor.Unavailable, "%s: it was replaced meanwhile", doing)
	case err != nil:
		return nil, explain(ctx, doing, err)
	}
	got := remote.Answer{Key: key, Body: body, Size: info.Size, Part: part, Whole: !a.partial, Explain: explain}
	if info.ETag != "" || version != "" {
		got.Again = func(ctx context.Context, p remote.Part) (io.ReadCloser, error) {
			return b.open(ctx, key, version, info.ETag, p.Offset, p.Length)
		}
	}
	return remote.NewReader(ctx, got)
}

package swift

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/gophercloud/gophercloud/v2"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/bank/remote"
	"github.com/karbor/karbor/internal/openstack"
)

// Get implements bank.Bank.
func (b *Bank) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	if err := errors.Join(bank.CheckOffset(offset), remote.Ready(ctx, key)); err != nil {
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
	part := remote.NewPart(offset, length)
	if header := part.Header(); header != "" {
		headers["Range"] = header
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
	}
	tag := strings.Trim(resp.Header.Get("Etag"), `"`)
	got := remote.Answer{
		Key: key, Body: resp.Body, Size: resp.ContentLength, Part: part, Whole: resp.StatusCode != http.StatusPartialContent, Explain: explain,
	}
	if tag != "" {
		got.Again = func(ctx context.Context, p remote.Part) (io.ReadCloser, error) {
			return b.open(ctx, key, tag, p.Offset, p.Length)
		}
	}
	return remote.NewReader(ctx, got)
}

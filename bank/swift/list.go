package swift

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gophercloud/gophercloud/v2"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
)

// List implements bank.Bank. Swift's listings lag: what was just written may be
// missing, and what has just gone may be there.
func (b *Bank) List(ctx context.Context, prefix, marker string, limit int) ([]bank.Info, error) {
	if err := bank.CheckLimit(limit); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if !bank.CanBegin(prefix) {
		return nil, nil
	}
	var infos []bank.Info
	begin, after := b.names.Begin(prefix), b.names.After(marker)
	for {
		asked := min(limit-len(infos), b.limits.list)
		page, err := b.page(ctx, begin, after, asked)
		if err != nil {
			return nil, explain(ctx, fmt.Sprintf("listing what begins with %q", prefix), err)
		}
		for _, e := range page {
			if e.Name <= after {
				return nil, karbor.Errorf(karbor.Unavailable, "listing what begins with %q: the bank's list is not in order", prefix)
			}
			after = e.Name
			key, ours := b.names.Key(e.Name)
			if !ours || key <= marker || !strings.HasPrefix(key, prefix) {
				continue
			}
			at, err := time.Parse("2006-01-02T15:04:05.999999", e.LastModified)
			if err != nil {
				return nil, karbor.Errorf(karbor.Unavailable, "listing what begins with %q: the bank's list has no times", prefix)
			}
			infos = append(infos, bank.Info{Key: key, Size: e.Bytes, ModTime: at})
		}
		if len(page) < asked || len(infos) == limit {
			return infos, nil
		}
	}
}

// listed is an object in a listing.
type listed struct {
	Name         string `json:"name"`
	Bytes        int64  `json:"bytes"`
	LastModified string `json:"last_modified"`
}

// page asks for one page of a listing.
func (b *Bank) page(ctx context.Context, begin, after string, limit int) ([]listed, error) {
	q := url.Values{"format": {"json"}, "prefix": {begin}, "marker": {after}, "limit": {strconv.Itoa(limit)}}
	var page []listed
	_, err := b.client.Get(ctx, b.containerURL()+"?"+q.Encode(), &page, &gophercloud.RequestOpts{
		OkCodes: []int{http.StatusOK, http.StatusNoContent},
	})
	if gophercloud.ResponseCodeIs(err, http.StatusNotFound) {
		return nil, karbor.Errorf(karbor.Unavailable, "the bank's container is not there")
	}
	return page, err
}

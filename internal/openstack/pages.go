package openstack

import (
	"context"

	"github.com/gophercloud/gophercloud/v2/pagination"

	"github.com/karbor/karbor"
)

const (
	// pageSize is how many things are asked for at once.
	pageSize = 500
	// maxPages bounds a walk through a list.
	maxPages = 2000
)

// Page asks the cloud for at most limit things after marker ("" for the first), in
// a fixed order, and tells whether the cloud has more.
type Page[T any] func(ctx context.Context, marker string, limit int) (things []T, more bool, err error)

// Collect walks through a list of the cloud from marker on and keeps what convert
// accepts, each once, up to limit things; 0 stands for all. id gives the id of a thing, by
// which the next page is asked for. A cloud whose pages shift while they are read lists
// some things twice; what convert refuses is not remembered, and may be asked of it again. The error is karbor.OverLimit for a list of more
// than a million things.
func Collect[T, R any](ctx context.Context, marker string, limit int, page Page[T], id func(T) string, convert func(T) (R, bool)) ([]R, error) {
	out, seen := []R{}, map[string]bool{}
	for range maxPages {
		ask := pageSize
		if limit > 0 {
			ask = min(pageSize, limit-len(out))
		}
		things, more, err := page(ctx, marker, ask)
		if err != nil {
			return nil, err
		}
		for _, t := range things {
			if seen[id(t)] {
				continue
			}
			r, ok := convert(t)
			if !ok {
				continue
			}
			seen[id(t)] = id(t) != ""
			out = append(out, r)
			if len(out) == limit {
				return out, nil
			}
		}
		if !more || len(things) == 0 {
			return out, nil
		}
		marker = id(things[len(things)-1])
	}
	return nil, karbor.Errorf(karbor.OverLimit, "the list is too long")
}

// FirstPage asks for the page that a pager starts with, and tells whether the cloud
// has more. The page is nil if it is empty. Marker and limit are in the pager's
// options; the cloud's own link to the next page is not followed, as behind a proxy
// it often leads nowhere.
func FirstPage(ctx context.Context, pager pagination.Pager) (page pagination.Page, more bool, err error) {
	err = pager.EachPage(ctx, func(_ context.Context, p pagination.Page) (bool, error) {
		next, err := p.NextPageURL()
		page, more = p, next != ""
		return false, err
	})
	return page, more, err
}

package openstack

import (
	"context"
	"errors"

	"github.com/gophercloud/gophercloud/v2/pagination"

	"github.com/karbor/karbor"
)

// bounds are what a list may have: pages, things and bytes as a whole, and bytes in one page.
type bounds struct {
	pages, things int
	list, page    int64
}

// honest is more than any list of an honest cloud has.
var honest = bounds{pages: maxPages, things: 100_000, list: 128 << 20, page: 16 << 20}

// errEndless is the error of a list that has more.
var errEndless = karbor.Errorf(karbor.OverLimit, "the list is too long")

// listKey is that of the listed in the context of a list's requests.
type listKey struct{}

// listed is what is left of a list that is read page by page, in bytes, and the most of a page. The
// pages come one after the other.
type listed struct{ left, page int64 }

// AllPages gives all things of a list, which extract takes out of each of its pages: the function that the
// client's package has for it. It stands for the pager's own method of this name, which follows a cloud's links for
// ever and keeps what it gets, though the cloud may be hostile. It is for lists that come in pages: those that
// gophercloud takes for a single page are none to a pager that goes on. The error is karbor.OverLimit, and lasting, for a list of
// more than 2000 pages, 100,000 things or 128 MiB, or a page of more than 16 MiB; others are the client's own.
func AllPages[T any](ctx context.Context, pager pagination.Pager, extract func(pagination.Page) ([]T, error)) ([]T, error) {
	return allPages(ctx, pager, extract, honest)
}

func allPages[T any](ctx context.Context, pager pagination.Pager, extract func(pagination.Page) ([]T, error), most bounds) ([]T, error) {
	var all []T
	pages := 0
	err := pager.EachPage(context.WithValue(ctx, listKey{}, &listed{most.list, most.page}), func(_ context.Context, p pagination.Page) (bool, error) {
		if pages++; pages > most.pages {
			return false, errEndless
		}
		some, err := extract(p)
		if err != nil {
			return false, err
		}
		if len(all)+len(some) > most.things {
			return false, errEndless
		}
		all = append(all, some...)
		return true, nil
	})
	if errors.Is(err, errTooLong) {
		err = errEndless
	}
	if err != nil {
		return nil, err
	}
	return all, nil
}

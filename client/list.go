package client

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"strconv"

	"github.com/karbor/karbor"
)

// ListOptions are what every list takes. The zero value lists all that is the
// caller's, newest first.
type ListOptions struct {
	// Limit is the most items that the iterator gives; 0 means all. It is not
	// the size of a page, which the client chooses.
	Limit int
	// Marker is the id of the item after which the list begins.
	Marker string
	// Sort is the order, such as "name:asc,created_at:desc"; empty for the
	// service's own.
	Sort string
	// AllProjects lists those of every project; for administrators.
	AllProjects bool
	// Project lists those of one project, by its id; for administrators.
	Project string
	// Filters are by member, such as "status"; empty values are left out.
	Filters map[string]string
}

// maxPage is the largest page that the service gives.
const maxPage = 1000

func (o ListOptions) query() url.Values {
	q := url.Values{}
	for k, v := range o.Filters {
		if v != "" {
			q.Set(k, v)
		}
	}
	if o.Limit > 0 {
		q.Set("limit", strconv.Itoa(min(o.Limit, maxPage)))
	}
	if o.Marker != "" {
		q.Set("marker", o.Marker)
	}
	if o.Sort != "" {
		q.Set("sort", o.Sort)
	}
	if o.Project != "" {
		q.Set("project_id", o.Project)
	}
	if o.AllProjects || o.Project != "" {
		q.Set("all_tenants", "1")
	}
	return q
}

// list iterates over a collection, page after page. After an error it stops.
func list[T any](ctx context.Context, c *Client, r call, collection string, o ListOptions) iter.Seq2[T, error] {
	r.method = http.MethodGet
	return func(yield func(T, error) bool) {
		given := 0
		for r.query = o.query(); r.query != nil; {
			items, next, err := page[T](ctx, c, r, collection)
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, item := range items {
				if !yield(item, nil) {
					return
				}
				if given++; o.Limit > 0 && given == o.Limit {
					return
				}
			}
			if len(items) == 0 {
				return
			}
			r.query = next
		}
	}
}

// page gets one page and the query of the next one, nil after the last.
func page[T any](ctx context.Context, c *Client, r call, collection string) ([]T, url.Values, error) {
	var answer map[string]json.RawMessage
	if err := c.do(ctx, r, &answer); err != nil {
		return nil, nil, err
	}
	var items []T
	raw, ok := answer[collection]
	if !ok {
		return nil, nil, fmt.Errorf("%s: the service's answer has no %q", r.what, collection)
	}
	if err := json.Unmarshal(raw, &items); err != nil {
		return nil, nil, fmt.Errorf("%s: the service's answer can't be read: %w", r.what, err)
	}
	var links []struct {
		Rel  string `json:"rel"`
		Href string `json:"href"`
	}
	if raw, ok := answer[collection+"_links"]; ok {
		if err := json.Unmarshal(raw, &links); err != nil {
			return nil, nil, fmt.Errorf("%s: the links to the next page can't be read: %w", r.what, err)
		}
	}
	for _, l := range links {
		if l.Rel != "next" {
			continue
		}
		// Only the link's query is taken: the token must not go to wherever a
		// link points to.
		u, err := url.Parse(l.Href)
		if err != nil || u.Query().Encode() == r.query.Encode() {
			return nil, nil, karbor.Errorf(karbor.Internal, "%s: the link to the next page is no use: %q", r.what, l.Href)
		}
		return items, u.Query(), nil
	}
	return items, nil, nil
}

// show gets one item, which lies under key.
func show[T any](ctx context.Context, c *Client, r call, key string) (T, error) {
	r.method = http.MethodGet
	return one[T](ctx, c, r, key)
}

// one runs a call whose answer is an item under key.
func one[T any](ctx context.Context, c *Client, r call, key string) (T, error) {
	var item T
	var answer map[string]json.RawMessage
	if err := c.do(ctx, r, &answer); err != nil {
		return item, err
	}
	raw, ok := answer[key]
	if !ok {
		return item, fmt.Errorf("%s: the service's answer has no %q", r.what, key)
	}
	return item, decode(r, raw, &item)
}

// Timestamp is a time as the service writes it: ISO 8601, UTC, with or without
// a zone. It is kept as it came.
type Timestamp string

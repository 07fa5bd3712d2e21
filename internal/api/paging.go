package api

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
)

// Link is an entry of <collection>_links.
type Link struct {
	Rel  string `json:"rel"`
	Href string `json:"href"`
}

// Page reads which part of a list the caller asks for, and in which order: limit, marker, offset, sort, sort_key and sort_dir. sortKeys are those
// that the list knows. Every fault is karbor.Invalid.
func (r *Request) Page(sortKeys ...string) (store.Page, error) {
	p := store.Page{Limit: store.MaxLimit, Marker: r.query.Get("marker")}
	if r.query.Has("limit") {
		n, err := wholeNumber(r.query, "limit")
		if err != nil {
			return store.Page{}, err
		}
		if n < 1 {
			return store.Page{}, karbor.Errorf(karbor.Invalid, "Invalid limit: %s must be at least 1.", quote(r.query.Get("limit")))
		}
		p.Limit = min(n, store.MaxLimit)
	}
	if r.query.Has("offset") {
		n, err := wholeNumber(r.query, "offset")
		if err != nil {
			return store.Page{}, err
		}
		if n < 0 {
			return store.Page{}, karbor.Errorf(karbor.Invalid, "Invalid offset: %s must be at least 0.", quote(r.query.Get("offset")))
		}
		p.Offset = n
	}
	var err error
	p.Sort, err = r.sort(sortKeys)
	return p, err
}

// wholeNumber reads a number; one too large for an int32 becomes the largest.
func wholeNumber(q url.Values, name string) (int, error) {
	text := strings.TrimSpace(q.Get(name))
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil && !isDigits(text) {
		return 0, karbor.Errorf(karbor.Invalid, "Invalid %s: %s is not a whole number.", name, quote(q.Get(name)))
	}
	return int(n), nil
}

func (r *Request) sort(known []string) ([]store.Sort, error) {
	text := r.query.Get("sort")
	key, dir := r.query.Get("sort_key"), r.query.Get("sort_dir")
	if text != "" && (key != "" || dir != "") {
		return nil, karbor.Errorf(karbor.Invalid, "The sort_key and sort_dir parameters can't be used together with sort.")
	}
	if text == "" && key == "" && dir == "" {
		return nil, nil
	}
	if text == "" {
		if key == "" {
			key = "created_at"
		}
		text = key
		if dir != "" {
			text += ":" + dir
		}
	}
	var out []store.Sort
	for part := range strings.SplitSeq(text, ",") {
		s, err := parseSort(part, known)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

func parseSort(part string, known []string) (store.Sort, error) {
	key, dir, named := strings.Cut(part, ":")
	key, dir = strings.TrimSpace(key), strings.ToLower(strings.TrimSpace(dir))
	if !slices.Contains(known, key) {
		return store.Sort{}, karbor.Errorf(karbor.Invalid, "Invalid sort key %s; known are %s.", quote(key), strings.Join(known, ", "))
	}
	if named && dir != "asc" && dir != "desc" {
		return store.Sort{}, karbor.Errorf(karbor.Invalid, "Invalid sort direction %s: it must be asc or desc.", quote(dir))
	}
	return store.Sort{Key: key, Desc: dir != "asc"}, nil
}

// List is the answer of a list: the items under the collection's name and, for a
// full page, a link to the next one. id gives an item's id.
func List[T any](r *Request, collection string, p store.Page, items []T, id func(T) string) map[string]any {
	if items == nil {
		items = []T{}
	}
	out := map[string]any{collection: items}
	if n := len(items); n > 0 && n >= p.Limit {
		out[collection+"_links"] = []Link{{Rel: "next", Href: r.next(p, id(items[n-1]))}}
	}
	return out
}

// next is the address of the page behind marker.
func (r *Request) next(p store.Page, marker string) string {
	q := url.Values{}
	for k, v := range r.query {
		q[k] = slices.Clone(v)
	}
	q.Del("offset")
	q.Set("limit", strconv.Itoa(p.Limit))
	q.Set("marker", marker)
	return r.base + r.http.URL.EscapedPath() + "?" + q.Encode()
}

// Window cuts a page out of a list that is in memory whole and in its order. An
// unknown marker is karbor.Invalid.
func Window[T any](p store.Page, items []T, id func(T) string) ([]T, error) {
	if p.Marker != "" {
		at := slices.IndexFunc(items, func(v T) bool { return id(v) == p.Marker })
		if at < 0 {
			return nil, karbor.Errorf(karbor.Invalid, "Invalid marker: there is no item %s.", quote(p.Marker))
		}
		items = items[at+1:]
	}
	items = items[min(p.Offset, len(items)):]
	return items[:min(p.Limit, len(items))], nil
}

// base is the part of the service's own address before /v1: the public URL if one
// is configured, else what the request came to.
func (a *API) base(r *http.Request) string {
	if a.publicURL != "" {
		return a.publicURL
	}
	o := originOf(r.Context())
	return o.scheme + "://" + o.host + o.prefix
}

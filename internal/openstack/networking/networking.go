// Package networking reads and removes what Neutron has, of any kind, with the members that the
// caller knows: the typed requests of the client library leave some of them out. A kind is named as
// in URLs, such as "security-groups". Errors are the client's own, for openstack.Explain.
package networking

import (
	"context"
	"encoding/json"
	"maps"
	"net/url"
	"strconv"
	"strings"

	"github.com/gophercloud/gophercloud/v2"

	"github.com/karbor/karbor/internal/openstack"
)

// around gives the member of an answer that is around a list of a kind.
func around(kind string) string { return strings.ReplaceAll(kind, "-", "_") }

// List reads all that a query finds, in the order of the ids.
func List[T any](ctx context.Context, client *gophercloud.ServiceClient, kind string, query url.Values) ([]T, error) {
	return Walk(ctx, client, kind, query, func(t T) (T, bool) { return t, true })
}

// entry is a thing of a list, with the id by which the next page is asked for.
type entry[T any] struct {
	id    string
	thing T
}

// Walk reads all that a query finds, in the order of the ids, a page at a time, and keeps what
// convert accepts. A page may be shorter than was asked for, as the cloud has a cap of its own; a
// link says that there is more. It is not followed, as behind a proxy it often leads nowhere.
func Walk[T, R any](ctx context.Context, client *gophercloud.ServiceClient, kind string, query url.Values, convert func(T) (R, bool)) ([]R, error) {
	page := func(ctx context.Context, marker string, limit int) ([]entry[T], bool, error) {
		v := url.Values{"limit": {strconv.Itoa(limit)}, "sort_key": {"id"}, "sort_dir": {"asc"}}
		if marker != "" {
			v.Set("marker", marker)
		}
		maps.Copy(v, query)
		return read[T](ctx, client, kind, v)
	}
	return openstack.Collect(ctx, "", 0, page, func(e entry[T]) string { return e.id },
		func(e entry[T]) (R, bool) { return convert(e.thing) })
}

// read reads one page, and tells whether there is more.
func read[T any](ctx context.Context, client *gophercloud.ServiceClient, kind string, query url.Values) (found []entry[T], more bool, err error) {
	var envelope map[string]json.RawMessage
	if _, err := client.Get(ctx, client.ServiceURL(kind)+"?"+query.Encode(), &envelope, nil); err != nil {
		return nil, false, err
	}
	var things []T
	if err := json.Unmarshal(envelope[around(kind)], &things); err != nil {
		return nil, false, err
	}
	var ids []struct{ ID string }
	if err := json.Unmarshal(envelope[around(kind)], &ids); err != nil {
		return nil, false, err
	}
	found = make([]entry[T], len(things))
	for i := range things {
		found[i] = entry[T]{ids[i].ID, things[i]}
	}
	var links []struct{ Rel string }
	if text := envelope[around(kind)+"_links"]; len(text) > 0 {
		err = json.Unmarshal(text, &links)
	}
	for _, l := range links {
		more = more || l.Rel == "next"
	}
	return found, more, err
}

// Show reads one thing into out.
func Show(ctx context.Context, client *gophercloud.ServiceClient, kind, id string, out any) error {
	var envelope map[string]json.RawMessage
	if _, err := client.Get(ctx, client.ServiceURL(kind, id), &envelope, nil); err != nil {
		return err
	}
	return json.Unmarshal(envelope[strings.TrimSuffix(around(kind), "s")], out)
}

// Delete deletes a thing. One that is not there is no error.
func Delete(ctx context.Context, client *gophercloud.ServiceClient, kind, id string) error {
	_, err := client.Delete(ctx, client.ServiceURL(kind, id), nil)
	if openstack.IsNotFound(err) {
		return nil
	}
	return err
}

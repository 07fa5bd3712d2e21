// Package lookup finds what a command line names: a thing by its id or name, and what
// the words are that may stand at a place.
package lookup

import (
	"context"
	"iter"
	"strings"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/client"
	"github.com/karbor/karbor/internal/cli/exit"
)

// lister lists things of a kind, as the resources of package client do.
type lister[T any] func(context.Context, client.ListOptions) iter.Seq2[T, error]

// unique finds the one item of that name. None is NotFound; several are a
// usage error that lists their ids.
func unique[T any](what, name string, items iter.Seq2[T, error], of func(T) (id, name string)) (T, error) {
	var found T
	var ids []string
	for item, err := range items {
		if err != nil {
			return found, err
		}
		if id, n := of(item); n == name {
			found = item
			ids = append(ids, id)
		}
	}
	switch len(ids) {
	case 0:
		return found, karbor.Errorf(karbor.NotFound, "there is no %s with the name or id %q", what, name)
	case 1:
		return found, nil
	}
	return found, exit.Usagef("%d %ss have the name %q: give one of their ids: %s", len(ids), what, name, strings.Join(ids, ", "))
}

// named finds the one item of that name in what list gives. If there is none, the
// error names one of a similar name.
func named[T any](ctx context.Context, what, name string, list lister[T], of func(T) (id, name string)) (T, error) {
	found, err := unique(what, name, list(ctx, client.ListOptions{Filters: map[string]string{"name": name}}), of)
	if karbor.KindOf(err) != karbor.NotFound || exit.IsUsage(err) {
		return found, err
	}
	var others []string
	for item, listErr := range list(ctx, client.ListOptions{Limit: manyNames}) {
		if listErr != nil {
			break
		}
		_, n := of(item)
		others = append(others, n)
	}
	if near := Nearest(name, others); near != "" {
		return found, karbor.Errorf(karbor.NotFound, "%w; did you mean %q?", err, near)
	}
	return found, karbor.Errorf(karbor.NotFound, "%w; see: karbor %s list", err, strings.ReplaceAll(what, " ", ""))
}

// manyNames is among how many names a similar one is looked for.
const manyNames = 200

// find gets a thing by its id, or else by its name.
func find[T any](ctx context.Context, what, ref string, show func(context.Context, string) (T, error), list lister[T],
	of func(T) (id, name string),
) (T, error) {
	if karbor.IsUUID(ref) {
		item, err := show(ctx, ref)
		if karbor.KindOf(err) != karbor.NotFound {
			return item, err
		}
		// A UUID may be a name, too; but the first error says more.
		if named, nameErr := named(ctx, what, ref, list, of); nameErr == nil {
			return named, nil
		}
		return item, err
	}
	return named(ctx, what, ref, list, of)
}

// MustBeID refuses what can't be the id of a thing that has no name.
func MustBeID(what, ref string) error {
	if karbor.IsUUID(ref) {
		return nil
	}
	return karbor.Errorf(karbor.NotFound, "there is no %s with the id %q, which is not a UUID", what, ref)
}

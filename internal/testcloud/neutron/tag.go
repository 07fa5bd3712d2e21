package neutron

import (
	"net/http"
	"slices"

	"github.com/karbor/karbor/internal/testcloud/fabric"
)

func (t *table[T]) tagRoutes(path string) {
	show := func(r *fabric.Request, tags []string) error {
		return r.JSON(http.StatusOK, object{"tags": tags})
	}
	t.n.Handle("GET "+path, func(r *fabric.Request) error {
		doc, err := t.find(r.Identity, r.PathValue("id"))
		if err != nil {
			return err
		}
		return show(r, t.std(&doc).Tags)
	})
	t.n.Handle("PUT "+path, func(r *fabric.Request) error {
		var body struct{ Tags []string }
		if err := r.Decode(&body); err != nil {
			return err
		}
		tags := slices.Compact(slices.Sorted(slices.Values(body.Tags)))
		if tags == nil {
			tags = []string{}
		}
		if err := t.retag(r, func([]string) ([]string, error) { return tags, nil }); err != nil {
			return err
		}
		return show(r, tags)
	})
	t.n.Handle("DELETE "+path, func(r *fabric.Request) error {
		if err := t.retag(r, func([]string) ([]string, error) { return []string{}, nil }); err != nil {
			return err
		}
		return r.Empty(http.StatusNoContent)
	})
	t.oneTagRoutes(path + "/{tag}")
}

// oneTagRoutes are those for a single tag.
func (t *table[T]) oneTagRoutes(path string) {
	t.n.Handle("GET "+path, func(r *fabric.Request) error {
		doc, err := t.find(r.Identity, r.PathValue("id"))
		if err != nil {
			return err
		}
		if !slices.Contains(t.std(&doc).Tags, r.PathValue("tag")) {
			return noTag(r.PathValue("tag"))
		}
		return r.Empty(http.StatusNoContent)
	})
	t.n.Handle("PUT "+path, func(r *fabric.Request) error {
		tag := r.PathValue("tag")
		err := t.retag(r, func(old []string) ([]string, error) {
			if slices.Contains(old, tag) {
				return old, nil
			}
			return append(old, tag), nil
		})
		if err != nil {
			return err
		}
		return r.JSON(http.StatusCreated, nil)
	})
	t.n.Handle("DELETE "+path, func(r *fabric.Request) error {
		tag := r.PathValue("tag")
		err := t.retag(r, func(old []string) ([]string, error) {
			at := slices.Index(old, tag)
			if at < 0 {
				return nil, noTag(tag)
			}
			return slices.Delete(old, at, at+1), nil
		})
		if err != nil {
			return err
		}
		return r.Empty(http.StatusNoContent)
	})
}

func noTag(tag string) error {
	return fabric.Typed(http.StatusNotFound, "TagNotFound", "Tag %s could not be found.", tag)
}

// retag changes the tags of the resource in the path.
func (t *table[T]) retag(r *fabric.Request, change func(old []string) ([]string, error)) error {
	return t.n.fab.Atomic(func() error {
		doc, err := t.own(r.Identity, r.PathValue("id"), "update")
		if err != nil {
			return err
		}
		tags, err := change(t.std(&doc).Tags)
		if err != nil {
			return err
		}
		t.std(&doc).Tags = tags
		t.keep(doc)
		return nil
	})
}

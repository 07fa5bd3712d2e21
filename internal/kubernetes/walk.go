package kubernetes

import (
	"context"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
)

// The bounds of one walk through lists of a cluster, over all its namespaces: a hostile
// cluster is not to take this process's memory or time.
const (
	// pageSize is how many things are asked for at once.
	pageSize = 100
	// maxPages is how many answers are read.
	maxPages = 400
	// maxThings is how many things are kept.
	maxThings = 20_000
	// maxWalk is how many bytes are read.
	maxWalk = 64 << 20
	// longestWalk is how long it may take.
	longestWalk = 2 * time.Minute
)

// walk is what is left of the bounds of a walk. One goroutine uses it.
type walk struct {
	pages, things int
	bytes         int64
}

// walkKey is the key of a context's walk.
type walkKey struct{}

// walk begins a walk, which ends with the context.
func (k *Cluster) walk(ctx context.Context) (context.Context, *walk, context.CancelFunc) {
	w := &walk{pages: maxPages, things: maxThings, bytes: maxWalk}
	ctx, cancel := context.WithTimeout(ctx, k.walks)
	return context.WithValue(ctx, walkKey{}, w), w, cancel
}

// through gives each thing of a list to visit, which says whether it is kept. ended says
// that the list was read to its end, within the bounds.
func (w *walk) through(ctx context.Context, list dynamic.ResourceInterface, selector string, visit func(*unstructured.Unstructured) bool) (ended bool, err error) {
	options := metav1.ListOptions{Limit: pageSize, LabelSelector: selector}
	for w.pages > 0 {
		w.pages--
		page, err := list.List(quiet(ctx), options)
		if err != nil {
			return false, err
		}
		for i := range page.Items {
			if !visit(&page.Items[i]) {
				continue
			}
			if w.things--; w.things < 0 {
				return false, nil
			}
		}
		if options.Continue = page.GetContinue(); options.Continue == "" {
			return true, nil
		}
	}
	return false, nil
}

// slim copies the members of a thing that are named, and no others: what is kept of a
// list must not hold on to the rest of its page.
func slim(o *unstructured.Unstructured, paths ...[]string) *unstructured.Unstructured {
	out := &unstructured.Unstructured{Object: map[string]any{}}
	for _, path := range paths {
		if value, there, err := unstructured.NestedFieldCopy(o.Object, path...); err == nil && there {
			_ = unstructured.SetNestedField(out.Object, value, path...)
		}
	}
	return out
}

package transfer

import (
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
)

func TestPlacesInTheQueueAreThoseInWhichStreamsAreGranted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		places := New(Bounds{Shared: 1, Most: 1})
		var granted []string
		ready := make(chan func(), 10)
		come := func(project, operation, key string) {
			go func() {
				leave, err := places.Enter(t.Context(), project, Stream{Operation: operation, Key: karbor.NodeKey(key)})
				if err != nil {
					t.Error(err)
				}
				granted = append(granted, key)
				ready <- leave
			}()
			synctest.Wait()
		}
		come("a", "a1", "first")
		come("a", "a1", "x")
		come("a", "a2", "y")
		come("b", "b1", "z") // its project moves nothing: it is before the others
		if diff := cmp.Diff(map[karbor.NodeKey]int{"x": 1}, places.Waiting("a1")); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff(map[karbor.NodeKey]int{"y": 2}, places.Waiting("a2")); diff != "" {
			t.Error(diff)
		}
		if got := places.Waiting("c"); got != nil {
			t.Errorf("of nobody: %v", got)
		}
		for range 4 {
			(<-ready)()
			synctest.Wait()
		}
		// When its place was given back, all projects moved the same: the oldest was next.
		if diff := cmp.Diff([]string{"first", "x", "y", "z"}, granted); diff != "" {
			t.Error(diff)
		}
	})
}

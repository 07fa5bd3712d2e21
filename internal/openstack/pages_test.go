package openstack

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestCollectRemembersOnlyWhatItKeeps has a thing come by a second time, which was refused the first time: of a long list
// with little to keep, the ids of all the rest are not held.
func TestCollectRemembersOnlyWhatItKeeps(t *testing.T) {
	pages := [][]string{{"a", "b"}, {"b", "a", "c"}}
	page := func(context.Context, string, int) ([]string, bool, error) {
		now := pages[0]
		pages = pages[1:]
		return now, len(pages) > 0, nil
	}
	asked := map[string]int{}
	all, err := Collect(t.Context(), "", 0, page, func(s string) string { return s }, func(s string) (string, bool) {
		asked[s]++
		return s, s != "b" || asked[s] == 2
	})
	if d := cmp.Diff([]string{"a", "b", "c"}, all); d != "" || err != nil || asked["a"] != 1 {
		t.Error(d, err, asked)
	}
}

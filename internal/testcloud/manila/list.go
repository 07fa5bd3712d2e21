package manila

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/karbor/karbor/internal/testcloud/fabric"
)

// filters are the members of a query that narrow a list.
var filters = []string{"name", "status", "share_id", "size", "snapshot_id", "share_network_id", "share_type_id", "is_public", "description"}

// page filters, orders and cuts a list, which comes oldest first, and answers.
func page(r *fabric.Request, plural string, items []map[string]any, detail bool) error {
	q := r.URL.Query()
	var metadata map[string]string
	if given := q.Get("metadata"); given != "" {
		// Clients send Python's notation.
		if err := json.Unmarshal([]byte(strings.ReplaceAll(given, "'", `"`)), &metadata); err != nil {
			return fabric.BadRequest("Invalid value for metadata filter.")
		}
	}
	items = slices.DeleteFunc(items, func(item map[string]any) bool {
		for _, name := range filters {
			if q.Has(name) && fmt.Sprint(item[name]) != q.Get(name) {
				return true
			}
		}
		have, _ := item["metadata"].(map[string]string)
		for k, v := range metadata {
			if have[k] != v {
				return true
			}
		}
		return false
	})
	slices.Reverse(items) // newest first, as the default order is
	if key := q.Get("sort_key"); key != "" {
		slices.SortStableFunc(items, func(a, b map[string]any) int {
			n := strings.Compare(fmt.Sprint(a[key]), fmt.Sprint(b[key]))
			if cmp.Or(q.Get("sort_dir"), "desc") == "desc" {
				n = -n
			}
			return n
		})
	}
	offset, err := r.Int("offset", 0)
	if err != nil {
		return err
	}
	limit, err := r.Int("limit", 1000)
	if err != nil {
		return err
	}
	items = items[min(offset, len(items)):]
	items = items[:min(limit, len(items))]
	shown := make([]any, 0, len(items))
	for _, item := range items {
		if !detail {
			item = map[string]any{"id": item["id"], "name": item["name"], "links": item["links"]}
		}
		shown = append(shown, item)
	}
	return r.JSON(http.StatusOK, map[string]any{plural: shown})
}

// inList tells whether things of a project are in the list that is asked for.
func inList(r *fabric.Request, project string) bool {
	return project == r.ProjectID || r.Admin() && r.Flag("all_tenants")
}

func (m *Manila) listShares(r *fabric.Request, detail bool) error {
	// A public share is in everybody's list that asks for such.
	found := m.shares.List(func(s share) bool { return inList(r, s.Project) || s.Public && r.Flag("is_public") })
	items := make([]map[string]any, 0, len(found))
	for _, s := range found {
		items = append(items, m.showShare(r, s))
	}
	if q := r.URL.Query(); r.Flag("is_public") {
		q.Del("is_public")
		r.URL.RawQuery = q.Encode()
	}
	return page(r, "shares", items, detail)
}

func (m *Manila) listSnapshots(r *fabric.Request, detail bool) error {
	found := m.snapshots.List(func(s snapshot) bool { return inList(r, s.Project) })
	items := make([]map[string]any, 0, len(found))
	for _, s := range found {
		items = append(items, showSnapshot(r, s))
	}
	return page(r, "snapshots", items, detail)
}

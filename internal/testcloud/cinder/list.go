package cinder

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/karbor/karbor/internal/testcloud/fabric"
)

// maxPage is the largest page.
const maxPage = 1000

// control are the members of a query that are no filters.
var control = []string{"limit", "marker", "offset", "sort", "sort_key", "sort_dir", "all_tenants", "with_count", "project_id", "tenant_id"}

// inList tells whether things of a project are in the list that is asked for.
func (c *Cinder) inList(r *fabric.Request, project string) bool {
	if !r.Admin() || !r.Flag("all_tenants") {
		return project == r.ProjectID
	}
	q := r.URL.Query()
	return cmp.Or(q.Get("project_id"), q.Get("tenant_id"), project) == project
}

// page filters, orders and cuts a list, which comes oldest first with all
// members of each item, and answers with what trim leaves of the items.
func (c *Cinder) page(r *fabric.Request, plural string, items []map[string]any, trim func(map[string]any) map[string]any) error {
	q := r.URL.Query()
	filters, err := readFilters(q)
	if err != nil {
		return err
	}
	items = slices.DeleteFunc(items, func(item map[string]any) bool { return !filters(item) })
	slices.Reverse(items) // newest first, as the default order is
	if err := order(items, q); err != nil {
		return err
	}
	total := len(items)
	if marker := q.Get("marker"); marker != "" {
		at := slices.IndexFunc(items, func(item map[string]any) bool { return item["id"] == marker })
		if at < 0 {
			return fabric.NotFound("%s %s could not be found.", strings.ToUpper(plural[:1])+strings.TrimSuffix(plural[1:], "s"), marker)
		}
		items = items[at+1:]
	}
	offset, err := r.Int("offset", 0)
	if err != nil {
		return err
	}
	items = items[min(offset, len(items)):]
	limit, err := r.Int("limit", maxPage)
	if err != nil {
		return err
	}
	limit = min(limit, maxPage)
	body := map[string]any{}
	if len(items) >= limit && limit > 0 {
		items = items[:limit]
		next := r.URL.Query()
		next.Set("marker", fmt.Sprint(items[limit-1]["id"]))
		next.Del("offset")
		if q.Has("limit") || len(items) < total {
			body[plural+"_links"] = []any{map[string]string{"rel": "next", "href": r.Base() + r.URL.Path + "?" + next.Encode()}}
		}
	} else if limit == 0 {
		items = nil
	}
	shown := make([]any, 0, len(items))
	for _, item := range items {
		shown = append(shown, trim(item))
	}
	body[plural] = shown
	if r.Flag("with_count") && r.Version.AtLeast(3, 45) {
		body["count"] = total
	}
	return r.JSON(http.StatusOK, body)
}

// readFilters gives what tells whether an item passes the query's filters.
// Names that no item has are no filters, as in the real service.
func readFilters(q url.Values) (func(map[string]any) bool, error) {
	var metadata map[string]string
	if given := q.Get("metadata"); given != "" {
		// Clients send Python's notation.
		if err := json.Unmarshal([]byte(strings.ReplaceAll(given, "'", `"`)), &metadata); err != nil {
			return nil, fabric.BadRequest("Invalid filter metadata: %s", given)
		}
	}
	return func(item map[string]any) bool {
		for name, values := range q {
			if slices.Contains(control, name) || name == "metadata" {
				continue
			}
			if !passes(item, name, values[0]) {
				return false
			}
		}
		if metadata != nil {
			have, _ := item["metadata"].(map[string]string)
			for k, v := range metadata {
				if got, ok := have[k]; !ok || got != v {
					return false
				}
			}
		}
		return true
	}, nil
}

func passes(item map[string]any, name, want string) bool {
	part, like := strings.CutSuffix(name, "~")
	if part == "display_name" {
		part = "name"
	}
	value, known := item[part]
	if !known {
		return true
	}
	text := ""
	if value != nil {
		text = fmt.Sprint(value)
	}
	if like {
		return strings.Contains(text, want)
	}
	return strings.EqualFold(text, want) && (part == "bootable" || part == "multiattach" || text == want)
}

// order sorts by "sort=key:dir,…" or by sort_key and sort_dir.
func order(items []map[string]any, q url.Values) error {
	sort := q.Get("sort")
	if sort == "" && q.Get("sort_key") != "" {
		sort = q.Get("sort_key") + ":" + cmp.Or(q.Get("sort_dir"), "desc")
	}
	if sort == "" {
		return nil
	}
	type key struct {
		name string
		desc bool
	}
	var keys []key
	for part := range strings.SplitSeq(sort, ",") {
		name, dir, _ := strings.Cut(strings.TrimSpace(part), ":")
		if name == "display_name" {
			name = "name"
		}
		if !slices.Contains([]string{"id", "name", "status", "size", "created_at", "updated_at", "volume_type", "bootable", "volume_id", "availability_zone", "host", "description"}, name) {
			return fabric.BadRequest("Invalid input received: Sort key %s is invalid.", name)
		}
		if dir != "" && dir != "asc" && dir != "desc" {
			return fabric.BadRequest("Invalid input received: Unknown sort direction, must be one of: asc, desc.")
		}
		keys = append(keys, key{name, dir != "asc"})
	}
	slices.SortStableFunc(items, func(a, b map[string]any) int {
		for _, k := range keys {
			n := compare(a[k.name], b[k.name])
			if k.desc {
				n = -n
			}
			if n != 0 {
				return n
			}
		}
		return 0
	})
	return nil
}

// compare orders numbers as such, and all else as text.
func compare(a, b any) int {
	if x, ok := a.(int); ok {
		if y, ok := b.(int); ok {
			return cmp.Compare(x, y)
		}
	}
	return strings.Compare(fmt.Sprint(a), fmt.Sprint(b))
}

// brief leaves only id, name and links.
func brief(item map[string]any) map[string]any {
	return map[string]any{"id": item["id"], "name": item["name"], "links": item["links"]}
}

func whole(item map[string]any) map[string]any { return item }

func (c *Cinder) listVolumes(r *fabric.Request, detail bool) error {
	found := c.volumes.List(func(v volume) bool { return c.inList(r, v.Project) })
	items := make([]map[string]any, 0, len(found))
	for _, v := range found {
		items = append(items, c.showVolume(r, v))
	}
	trim := brief
	if detail {
		trim = whole
	}
	return c.page(r, "volumes", items, trim)
}

func (c *Cinder) listSnapshots(r *fabric.Request, detail bool) error {
	found := c.snapshots.List(func(s snapshot) bool { return c.inList(r, s.Project) })
	items := make([]map[string]any, 0, len(found))
	for _, s := range found {
		items = append(items, showSnapshot(s, detail))
	}
	return c.page(r, "snapshots", items, whole)
}

func (c *Cinder) listBackups(r *fabric.Request, detail bool) error {
	found := c.backups.List(func(b backup) bool { return c.inList(r, b.Project) })
	items := make([]map[string]any, 0, len(found))
	for _, b := range found {
		items = append(items, c.showBackup(r, b))
	}
	trim := brief
	if detail {
		trim = whole
	}
	return c.page(r, "backups", items, trim)
}

func (c *Cinder) summary(r *fabric.Request) error {
	count, total := 0, 0
	for _, v := range c.volumes.List(func(v volume) bool { return c.inList(r, v.Project) }) {
		count, total = count+1, total+v.SizeGiB
	}
	return r.JSON(http.StatusOK, map[string]any{"volume-summary": map[string]any{
		"total_count": count, "total_size": total, "metadata": map[string]any{}}})
}

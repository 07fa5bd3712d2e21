package neutron

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/karbor/karbor/internal/testcloud/fabric"
)

// pageWords are the query's names that are no filters.
var pageWords = []string{"fields", "limit", "marker", "sort_key", "sort_dir", "page_reverse", "verbose"}

// tagWords are the filters by tags.
var tagWords = []string{"tags", "tags-any", "not-tags", "not-tags-any"}

func (t *table[T]) handleList(r *fabric.Request) error {
	if t.path == groupKind.path {
		if err := t.n.fab.Atomic(func() error { t.n.ensureDefaultGroup(r.ProjectID); return nil }); err != nil {
			return err
		}
	}
	query := r.URL.Query()
	if err := t.checkFilters(query); err != nil {
		return err
	}
	var shown []object
	for _, doc := range t.docs.List(func(doc T) bool { return t.visible(r.Identity, doc) }) {
		if o := t.show(r.Identity, doc); matches(o, query) {
			shown = append(shown, o)
		}
	}
	sortBy(shown, query["sort_key"], query["sort_dir"])
	limit, err := r.Int("limit", 0)
	if err != nil {
		return err
	}
	page, err := t.page(shown, query.Get("marker"), limit)
	if err != nil {
		return err
	}
	body := object{}
	if limit > 0 && len(page) > 0 {
		body[t.many()+"_links"] = t.links(r, page, query, len(page) == limit)
	}
	for i := range page {
		page[i] = onlyFields(page[i], query["fields"])
	}
	body[t.many()] = page
	return r.JSON(http.StatusOK, body)
}

func (t *table[T]) checkFilters(query url.Values) error {
	var unknown []string
	for name := range query {
		if !t.known[name] && !slices.Contains(pageWords, name) && !slices.Contains(tagWords, name) {
			unknown = append(unknown, "'"+name+"'")
		}
	}
	if len(unknown) > 0 {
		slices.Sort(unknown)
		return fabric.BadRequest("[%s] is invalid attribute for filtering", strings.Join(unknown, ", "))
	}
	return nil
}

func (t *table[T]) page(list []object, marker string, limit int) ([]object, error) {
	if marker != "" {
		at := slices.IndexFunc(list, func(o object) bool { return o["id"] == marker })
		if at < 0 {
			return nil, t.notFound(marker)
		}
		list = list[at+1:]
	}
	if limit > 0 && len(list) > limit {
		list = list[:limit]
	}
	if list == nil {
		list = []object{}
	}
	return list, nil
}

func (t *table[T]) links(r *fabric.Request, page []object, query url.Values, more bool) []object {
	link := func(rel string, marker any, reverse bool) object {
		q := maps.Clone(query)
		q.Set("marker", fmt.Sprint(marker))
		if reverse {
			q.Set("page_reverse", "True")
		}
		return object{"rel": rel, "href": r.Base() + root + "/v2.0/" + t.path + "?" + q.Encode()}
	}
	var links []object
	if more {
		links = append(links, link("next", page[len(page)-1]["id"], false))
	}
	return append(links, link("previous", page[0]["id"], true))
}

// matches tells whether a resource passes all filters of the query. A filter
// that is given more than once passes if one of its values does.
func matches(o object, query url.Values) bool {
	for name, values := range query {
		switch {
		case slices.Contains(pageWords, name):
		case slices.Contains(tagWords, name):
			if !tagged(o, name, strings.Split(strings.Join(values, ","), ",")) {
				return false
			}
		case name == "fixed_ips":
			if !slices.ContainsFunc(values, func(v string) bool { return hasFixedIP(o, v) }) {
				return false
			}
		case !slices.ContainsFunc(values, func(v string) bool { return valueIs(o[name], v) }):
			return false
		}
	}
	return true
}

func valueIs(got any, want string) bool {
	switch got := got.(type) {
	case nil:
		return want == "" || want == "None"
	case bool:
		return strings.EqualFold(strconv.FormatBool(got), want) || want == "1" && got || want == "0" && !got
	case []any:
		return slices.ContainsFunc(got, func(v any) bool { return valueIs(v, want) })
	default:
		return fmt.Sprint(got) == want
	}
}

// hasFixedIP is the filter fixed_ips=ip_address=10.0.0.3 or …=subnet_id=ID.
func hasFixedIP(o object, filter string) bool {
	name, want, ok := strings.Cut(filter, "=")
	ips, _ := o["fixed_ips"].([]any)
	return ok && slices.ContainsFunc(ips, func(ip any) bool {
		fixed, _ := ip.(object)
		if name == "ip_address_substr" {
			address, _ := fixed["ip_address"].(string)
			return strings.Contains(address, want)
		}
		return fixed[name] == want
	})
}

func tagged(o object, how string, want []string) bool {
	var have []string
	tags, _ := o["tags"].([]any)
	for _, tag := range tags {
		have = append(have, fmt.Sprint(tag))
	}
	all, some := true, false
	for _, tag := range want {
		there := slices.Contains(have, tag)
		all, some = all && there, some || there
	}
	switch how {
	case "tags":
		return all
	case "tags-any":
		return some
	case "not-tags":
		return !all
	default:
		return !some
	}
}

func sortBy(list []object, keys, dirs []string) {
	slices.SortStableFunc(list, func(a, b object) int {
		for i, key := range keys {
			c := cmp.Compare(fmt.Sprint(a[key]), fmt.Sprint(b[key]))
			if i < len(dirs) && dirs[i] == "desc" {
				c = -c
			}
			if c != 0 {
				return c
			}
		}
		return 0
	})
}

// onlyFields leaves the members that the query asks for; all, if none.
func onlyFields(o object, fields []string) object {
	if len(fields) == 0 {
		return o
	}
	some := object{}
	for _, name := range fields {
		if v, ok := o[name]; ok {
			some[name] = v
		}
	}
	return some
}

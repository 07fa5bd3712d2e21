package glance

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/karbor/karbor/internal/testcloud/fabric"
)

// The sizes of a page.
const (
	defaultLimit = 25
	maxLimit     = 1000
)

// pointer reads the one-level JSON pointer of a patch.
func pointer(path string) (string, error) {
	name, ok := strings.CutPrefix(path, "/")
	if !ok || name == "" || strings.Contains(name, "/") {
		return "", fabric.BadRequest("Invalid JSON pointer for this resource: '%s'", path)
	}
	return strings.NewReplacer("~1", "/", "~0", "~").Replace(name), nil
}

func (g *Glance) list(r *fabric.Request) error {
	q := r.URL.Query()
	marker := q.Get("marker")
	// The marker may be an image that this list passes over: it tells a place in the order.
	found := g.images.List(func(i image) bool {
		return i.ID == marker && seen(i, r.Identity, q) || listed(i, r.Identity, q) && matches(i, q)
	})
	slices.Reverse(found) // newest first, as the default order is
	if err := sortImages(found, q); err != nil {
		return err
	}
	if marker != "" {
		at := slices.IndexFunc(found, func(i image) bool { return i.ID == marker })
		if at < 0 {
			return fabric.BadRequest("No image found with ID %s", marker)
		}
		found = found[at+1:]
	}
	limit, err := r.Int("limit", defaultLimit)
	if err != nil {
		return err
	}
	limit = min(limit, maxLimit)
	body := map[string]any{"schema": "/v2/schemas/images"}
	if limit > 0 && len(found) >= limit {
		found = found[:limit]
		next := r.URL.Query()
		next.Set("marker", found[limit-1].ID)
		body["next"] = "/v2/images?" + next.Encode()
	} else if limit == 0 {
		found = nil
	}
	q.Del("marker")
	body["first"] = "/v2/images"
	if len(q) > 0 {
		body["first"] = "/v2/images?" + q.Encode()
	}
	images := []any{}
	for _, i := range found {
		images = append(images, show(i))
	}
	body["images"] = images
	return r.JSON(http.StatusOK, body)
}

// listed tells whether an image may be in the identity's lists.
func listed(i image, who fabric.Identity, q url.Values) bool {
	hidden, _ := strconv.ParseBool(q.Get("os_hidden"))
	return i.Hidden == hidden && seen(i, who, q)
}

// seen is listed for hidden images and others alike.
func seen(i image, who fabric.Identity, q url.Values) bool {
	if who.Sees(i.Owner) {
		return true
	}
	switch i.Visibility {
	case public:
		return true
	case community:
		return q.Get("visibility") == community
	case shared:
		wanted := cmp.Or(q.Get("member_status"), "accepted")
		status, member := i.Members[who.ProjectID]
		return member && (wanted == "all" || status == wanted)
	}
	return false
}

// matches tells whether an image passes the query's filters.
func matches(i image, q url.Values) bool {
	shown := show(i)
	for name, values := range q {
		for _, want := range values {
			switch name {
			case "limit", "marker", "sort", "sort_key", "sort_dir", "member_status", "os_hidden":
			case "tag":
				if !slices.Contains(i.Tags, want) {
					return false
				}
			case "size_min", "size_max":
				n, _ := strconv.ParseInt(want, 10, 64)
				if i.Size == nil || name == "size_min" && *i.Size < n || name == "size_max" && *i.Size > n {
					return false
				}
			case "visibility":
				if want != "all" && want != i.Visibility {
					return false
				}
			case "protected":
				if b, err := strconv.ParseBool(want); err != nil || b != i.Protected {
					return false
				}
			default:
				if !oneOf(shown[name], want) {
					return false
				}
			}
		}
	}
	return true
}

// oneOf compares with one value, or with several in "in:a,b".
func oneOf(is any, want string) bool {
	text, ok := is.(string)
	if list, several := strings.CutPrefix(want, "in:"); several {
		return ok && slices.Contains(strings.Split(list, ","), text)
	}
	return ok && text == strings.TrimPrefix(want, "eq:")
}

// sortKeys compare images by the members that can be sorted by.
var sortKeys = map[string]func(a, b image) int{
	"name":             func(a, b image) int { return cmp.Compare(a.Name, b.Name) },
	"status":           func(a, b image) int { return cmp.Compare(a.Status, b.Status) },
	"container_format": func(a, b image) int { return cmp.Compare(a.ContainerFormat, b.ContainerFormat) },
	"disk_format":      func(a, b image) int { return cmp.Compare(a.DiskFormat, b.DiskFormat) },
	"size":             func(a, b image) int { return cmp.Compare(bytesOf(a), bytesOf(b)) },
	"id":               func(a, b image) int { return cmp.Compare(a.ID, b.ID) },
	"created_at":       func(a, b image) int { return a.CreatedAt.Compare(b.CreatedAt) },
	"updated_at":       func(a, b image) int { return a.UpdatedAt.Compare(b.UpdatedAt) },
}

func bytesOf(i image) int64 {
	if i.Size == nil {
		return 0
	}
	return *i.Size
}

// sortImages orders by "sort=name:asc,id:desc" or by sort_key and sort_dir.
func sortImages(images []image, q url.Values) error {
	sort := q.Get("sort")
	if sort == "" {
		dirs := q["sort_dir"]
		var parts []string
		for n, key := range q["sort_key"] {
			dir := "desc"
			if len(dirs) > 0 {
				dir = dirs[min(n, len(dirs)-1)]
			}
			parts = append(parts, key+":"+dir)
		}
		sort = strings.Join(parts, ",")
	}
	if sort == "" {
		return nil
	}
	var orders []func(a, b image) int
	for part := range strings.SplitSeq(sort, ",") {
		key, dir, _ := strings.Cut(strings.TrimSpace(part), ":")
		compare, ok := sortKeys[key]
		if !ok {
			return fabric.BadRequest("Invalid sort key: %s. It must be one of the following: name, status, container_format, disk_format, size, id, created_at, updated_at.", key)
		}
		switch dir {
		case "asc":
			orders = append(orders, compare)
		case "", "desc":
			orders = append(orders, func(a, b image) int { return compare(b, a) })
		default:
			return fabric.BadRequest("Invalid sort direction: %s. It must be one of the following: asc, desc.", dir)
		}
	}
	slices.SortStableFunc(images, func(a, b image) int {
		for _, order := range orders {
			if c := order(a, b); c != 0 {
				return c
			}
		}
		return 0
	})
	return nil
}

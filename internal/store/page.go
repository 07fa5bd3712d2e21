package store

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"

	"github.com/karbor/karbor"
)

// MaxLimit is the most items of one page, and how many a page has that names no
// limit.
const MaxLimit = 1000

// Page says which part of a list is wanted, and in which order.
type Page struct {
	// Limit is the most items; 0 and more than MaxLimit stand for MaxLimit.
	Limit int
	// Offset is how many items are left out, behind the marker.
	Offset int
	// Marker is the id of the last item seen: the page begins behind it.
	Marker string
	// Sort is the order; none stands for the newest first. Items that it leaves
	// equal are in the order of their ids, in the direction of the last key. A key
	// that comes again counts for nothing.
	Sort []Sort
}

// Sort is one key of an order.
type Sort struct {
	Key  string
	Desc bool
}

// listing describes how a table is listed.
type listing struct {
	// what names one item in errors: "plan".
	what    string
	table   string
	columns string
	// keys gives the column of each sort key. None of them is ever NULL.
	keys map[string]string
	// indexed are those columns that have an index for one project, beside id and
	// created_at; for all projects, id, created_at and project_id have one. By other
	// keys the rows are sorted: an index costs more than such a list, which is rare.
	indexed []string
	// ofProvider says that both are within a provider.
	ofProvider bool
}

// conditions are those of a WHERE, all of which hold.
type conditions struct {
	texts []string
	args  []any
	// fixed are the columns that have one value.
	fixed []string
}

func (c *conditions) add(text string, args ...any) {
	c.texts = append(c.texts, text)
	c.args = append(c.args, args...)
}

// equal asks for a value, if there is one.
func (c *conditions) equal(column, value string) {
	if value != "" {
		c.add(column+" = ?", value)
		c.fixed = append(c.fixed, column)
	}
}

// part asks for a part of a text, whatever its case, if there is one.
func (c *conditions) part(column, value string) {
	if value != "" {
		escaped := strings.NewReplacer("!", "!!", "%", "!%", "_", "!_").Replace(value)
		c.add("LOWER("+column+") LIKE LOWER(?) ESCAPE '!'", "%"+escaped+"%")
	}
}

func (c *conditions) String() string {
	if len(c.texts) == 0 {
		return "1 = 1"
	}
	return strings.Join(c.texts, " AND ")
}

func (c *conditions) clone() conditions {
	return conditions{texts: slices.Clone(c.texts), args: slices.Clone(c.args), fixed: slices.Clone(c.fixed)}
}

// list gives a page. scope says whose rows are seen at all, deleted ones among
// them: a marker may be deleted while its list is read. filter narrows it down.
func list[T any](ctx context.Context, s *Store, l listing, scope, filter conditions, p Page, scan func(*sql.Rows) (T, error)) ([]T, error) {
	order, err := l.order(p.Sort)
	if err != nil {
		return nil, err
	}
	if p.Limit < 0 || p.Offset < 0 {
		return nil, karbor.Errorf(karbor.Invalid, "limit and offset must not be negative")
	}
	if p.Limit == 0 || p.Limit > MaxLimit {
		p.Limit = MaxLimit
	}
	// The default order is worth a prepared statement; the other ones are too
	// many, and a caller chooses them.
	var q queryer = unprepared{s.reader}
	if len(p.Sort) == 0 {
		q = s.reader
	}
	// With other filters the database may know a better index.
	index := ""
	if len(filter.texts) == 1 {
		index = s.db.Using(l.index(scope, order))
	}
	where := scope.clone()
	where.texts = append(where.texts, filter.texts...)
	where.args = append(where.args, filter.args...)
	where.fixed = append(where.fixed, filter.fixed...)
	order = where.open(order)
	if p.Marker != "" {
		values, err := l.marker(ctx, q, scope, order, p.Marker)
		if err != nil {
			return nil, err
		}
		text, args := behind(order, values, s.db.RowValues())
		where.add(text, args...)
	}
	found, err := all(ctx, q, scan, l.page(index, where, order), append(where.args, p.Limit, p.Offset)...)
	if err != nil {
		return nil, failed("listing "+l.what+"s", err)
	}
	return found, nil
}

// open leaves the keys out of an order that have one value.
func (c *conditions) open(order []Sort) []Sort {
	return slices.DeleteFunc(slices.Clone(order), func(o Sort) bool { return slices.Contains(c.fixed, o.Key) })
}

// page gives the text of the SELECT of a page. index, if any, is what database.Using
// gives.
func (l *listing) page(index string, where conditions, order []Sort) string {
	return "SELECT " + l.columns + " FROM " + l.table + index + " WHERE " + where.String() +
		" ORDER BY " + orderBy(order) + " LIMIT ? OFFSET ?"
}

// index names the index that has the rows of a scope in an order of one key; "" if
// there is none.
func (l *listing) index(scope conditions, order []Sort) string {
	order = scope.open(order)
	if len(order) > 2 || l.ofProvider && !slices.Contains(scope.fixed, "provider_id") {
		return ""
	}
	name, key := l.table+"_of_all", order[0].Key
	if l.ofProvider {
		name = l.table + "_of_provider"
	}
	indexed := []string{"project_id"}
	if slices.Contains(scope.fixed, "project_id") {
		if key == "id" {
			return name + "_by_project_id"
		}
		name, indexed = l.table+"_of_project", l.indexed
	}
	switch {
	case key == "created_at":
		return name
	case key == "id" || slices.Contains(indexed, key):
		return name + "_by_" + key
	}
	return ""
}

// order gives the SQL of an order that leaves no two items equal.
func (l *listing) order(sort []Sort) ([]Sort, error) {
	if len(sort) == 0 {
		return []Sort{{Key: "created_at", Desc: true}, {Key: "id", Desc: true}}, nil
	}
	var order []Sort
	for _, s := range sort {
		text := l.keys[s.Key]
		if text == "" {
			return nil, karbor.Errorf(karbor.Invalid, "%ss can't be sorted by %q", l.what, s.Key)
		}
		if !slices.ContainsFunc(order, func(o Sort) bool { return o.Key == text }) {
			order = append(order, Sort{Key: text, Desc: s.Desc})
		}
		if s.Key == "id" {
			return order, nil
		}
	}
	return append(order, Sort{Key: "id", Desc: order[len(order)-1].Desc}), nil
}

// marker gives the values of the order's keys of the item that was seen last.
func (l *listing) marker(ctx context.Context, q queryer, scope conditions, order []Sort, id string) ([]any, error) {
	keys := make([]string, len(order))
	for i, o := range order {
		keys[i] = o.Key
	}
	scan := func(rows *sql.Rows) ([]any, error) {
		values := make([]any, len(keys))
		into := make([]any, len(keys))
		for i := range values {
			into[i] = &values[i]
		}
		err := rows.Scan(into...)
		return values, err
	}
	where := scope.clone()
	where.add("id = ?", id)
	query := "SELECT " + strings.Join(keys, ", ") + " FROM " + l.table + " WHERE " + where.String()
	values, err := one(ctx, q, scan, query, where.args...)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, karbor.Errorf(karbor.Invalid, "the marker %q is no known %s", id, l.what)
	}
	return values, failed("looking up the marker "+id, err)
}

// behind asks for the items that come after the values in the order, in words that
// let a database begin at the right place of an index. Where all keys have one
// direction and the database has rowValues, these are (a, b) > (?, ?); else, for
// keys a, b and c, they are a > ? OR a = ? AND (b > ? OR b = ? AND c > ?).
func behind(order []Sort, values []any, rowValues bool) (string, []any) {
	comparison := " > "
	if order[0].Desc {
		comparison = " < "
	}
	if len(order) == 1 {
		return order[0].Key + comparison + "?", values
	}
	mixed := slices.ContainsFunc(order, func(o Sort) bool { return o.Desc != order[0].Desc })
	if rowValues && !mixed {
		keys := make([]string, len(order))
		for i, o := range order {
			keys[i] = o.Key
		}
		places := strings.Repeat(", ?", len(order))[2:]
		return "(" + strings.Join(keys, ", ") + ")" + comparison + "(" + places + ")", values
	}
	rest, args := behind(order[1:], values[1:], rowValues)
	return "(" + order[0].Key + comparison + "? OR " + order[0].Key + " = ? AND (" + rest + "))",
		append([]any{values[0], values[0]}, args...)
}

func orderBy(order []Sort) string {
	keys := make([]string, len(order))
	for i, o := range order {
		keys[i] = o.Key
		if o.Desc {
			keys[i] += " DESC"
		}
	}
	return strings.Join(keys, ", ")
}

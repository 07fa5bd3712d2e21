package rows

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

// Listing describes how a table is listed.
type Listing struct {
	// What names one item in errors: "plan".
	What    string
	Table   string
	Columns string
	// Keys gives the column of each sort key. None of them is ever NULL.
	Keys map[string]string
	// Indexed are those columns that have an index for one project, beside id and
	// created_at; for all projects, id, created_at and project_id have one. By other
	// keys the rows are sorted: an index costs more than such a list, which is rare.
	Indexed []string
	// OfProvider says that both are within a provider.
	OfProvider bool
}

// Conditions are those of a WHERE, all of which hold.
type Conditions struct {
	texts []string
	// Args are the values for the places in the texts.
	Args []any
	// fixed are the columns that have one value.
	fixed []string
}

// Add asks for what an SQL text says, with values for its places.
func (c *Conditions) Add(text string, args ...any) {
	c.texts = append(c.texts, text)
	c.Args = append(c.Args, args...)
}

// Equal asks for a value, if there is one.
func (c *Conditions) Equal(column, value string) {
	if value != "" {
		c.Add(column+" = ?", value)
		c.fixed = append(c.fixed, column)
	}
}

// Part asks for a part of a text, whatever its case, if there is one.
func (c *Conditions) Part(column, value string) {
	if value != "" {
		escaped := strings.NewReplacer("!", "!!", "%", "!%", "_", "!_").Replace(value)
		c.Add("LOWER("+column+") LIKE LOWER(?) ESCAPE '!'", "%"+escaped+"%")
	}
}

// Join adds the conditions of another.
func (c *Conditions) Join(other Conditions) {
	c.texts = append(c.texts, other.texts...)
	c.Args = append(c.Args, other.Args...)
	c.fixed = append(c.fixed, other.fixed...)
}

// String gives the text of a WHERE.
func (c *Conditions) String() string {
	if len(c.texts) == 0 {
		return "1 = 1"
	}
	return strings.Join(c.texts, " AND ")
}

func (c *Conditions) clone() Conditions {
	return Conditions{texts: slices.Clone(c.texts), Args: slices.Clone(c.Args), fixed: slices.Clone(c.fixed)}
}

// Query is the SELECT of a page.
type Query struct {
	Text string
	Args []any
	// Index is the one that is made for lists of its scope and order; "" if there is none.
	Index string
	// Order is what tells items of the list apart: the keys of the order that have more
	// than one value.
	Order []Sort
}

// List gives a page. scope says whose rows are seen at all, deleted ones among
// them: a marker may be deleted while its list is read. filter narrows it down.
func List[T any](ctx context.Context, d *DB, l Listing, scope, filter Conditions, p Page, scan func(*sql.Rows) (T, error)) ([]T, error) {
	order, err := l.Order(p.Sort)
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
	q := d.Once()
	if len(p.Sort) == 0 {
		q = d
	}
	query := l.Select(d, scope, filter, order, nil)
	if p.Marker != "" {
		values, err := l.marker(ctx, q, scope, query.Order, p.Marker)
		if err != nil {
			return nil, err
		}
		query = l.Select(d, scope, filter, order, values)
	}
	found, err := All(ctx, q, scan, query.Text, append(query.Args, p.Limit, p.Offset)...)
	if err != nil {
		return nil, Failed("listing "+l.What+"s", err)
	}
	return found, nil
}

// Select gives the SELECT of a page in an order that Order gives. What is left is to give
// it the values of its limit and its offset. after, if any, are the values of the keys of
// Query.Order of the item that was seen last.
func (l *Listing) Select(d *DB, scope, filter Conditions, order []Sort, after []any) Query {
	q := Query{Index: l.index(scope, order)}
	// With other filters the database may know a better index.
	using := ""
	if len(filter.texts) == 1 {
		using = d.db.Using(q.Index)
	}
	where := scope.clone()
	where.Join(filter)
	q.Order = where.open(order)
	if after != nil {
		text, args := behind(q.Order, after, d.db.RowValues())
		where.Add(text, args...)
	}
	q.Text, q.Args = l.page(using, where, q.Order), where.Args
	return q
}

// open leaves the keys out of an order that have one value.
func (c *Conditions) open(order []Sort) []Sort {
	return slices.DeleteFunc(slices.Clone(order), func(o Sort) bool { return slices.Contains(c.fixed, o.Key) })
}

// page gives the text of the SELECT of a page. index, if any, is what database.Using
// gives.
func (l *Listing) page(index string, where Conditions, order []Sort) string {
	return "SELECT " + l.Columns + " FROM " + l.Table + index + " WHERE " + where.String() +
		" ORDER BY " + orderBy(order) + " LIMIT ? OFFSET ?"
}

// index names the index that has the rows of a scope in an order of one key; "" if
// there is none.
func (l *Listing) index(scope Conditions, order []Sort) string {
	order = scope.open(order)
	if len(order) > 2 || l.OfProvider && !slices.Contains(scope.fixed, "provider_id") {
		return ""
	}
	name, key := l.Table+"_of_all", order[0].Key
	if l.OfProvider {
		name = l.Table + "_of_provider"
	}
	indexed := []string{"project_id"}
	if slices.Contains(scope.fixed, "project_id") {
		if key == "id" {
			return name + "_by_project_id"
		}
		name, indexed = l.Table+"_of_project", l.Indexed
	}
	switch {
	case key == "created_at":
		return name
	case key == "id" || slices.Contains(indexed, key):
		return name + "_by_" + key
	}
	return ""
}

// Order gives an order, in columns, that leaves no two items equal.
func (l *Listing) Order(sort []Sort) ([]Sort, error) {
	if len(sort) == 0 {
		return []Sort{{Key: "created_at", Desc: true}, {Key: "id", Desc: true}}, nil
	}
	var order []Sort
	for _, s := range sort {
		text := l.Keys[s.Key]
		if text == "" {
			return nil, karbor.Errorf(karbor.Invalid, "%ss can't be sorted by %q", l.What, s.Key)
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
func (l *Listing) marker(ctx context.Context, q Queryer, scope Conditions, order []Sort, id string) ([]any, error) {
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
	where.Add("id = ?", id)
	query := "SELECT " + strings.Join(keys, ", ") + " FROM " + l.Table + " WHERE " + where.String()
	values, err := One(ctx, q, scan, query, where.Args...)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, karbor.Errorf(karbor.Invalid, "the marker %q is no known %s", id, l.What)
	}
	return values, Failed("looking up the marker "+id, err)
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
		places := Repeated("?", len(order))
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

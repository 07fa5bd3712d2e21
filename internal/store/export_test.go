package store

import (
	"context"
	"fmt"
	"strings"
)

// LimitPages lets the database file not grow beyond a number of pages, as a full
// disk does.
func (s *Store) LimitPages(ctx context.Context, pages int) error {
	return s.inTransaction(ctx, func(t *transaction) error {
		_, err := one(ctx, t, scanInt, fmt.Sprintf("PRAGMA max_page_count = %d", pages))
		return err
	})
}

// TestTx is a transaction as tests run it.
type TestTx struct{ t *transaction }

// Int gives the number that a SELECT finds.
func (t TestTx) Int(ctx context.Context, query string, args ...any) (int64, error) {
	return one(ctx, t.t, scanInt, query, args...)
}

// Exec runs a statement.
func (t TestTx) Exec(ctx context.Context, query string, args ...any) error {
	return t.t.exec(ctx, query, args...)
}

// InTransaction runs a function of a test in a transaction.
func (s *Store) InTransaction(ctx context.Context, f func(t TestTx) error) error {
	return s.write(ctx, "testing", func(t *transaction) error { return f(TestTx{t}) })
}

// Insert runs an INSERT that may meet a row of the same key, and then a second
// statement.
func (s *Store) Insert(ctx context.Context, query string, args []any, then string) (inserted bool, err error) {
	err = s.write(ctx, "testing", func(t *transaction) error {
		var err error
		if inserted, err = t.insert(ctx, query, args...); err != nil {
			return err
		}
		return t.exec(ctx, then)
	})
	return inserted, err
}

var allListings = []*listing{
	&plans, &checkpoints, &restores, &operationLogs, &triggers, &scheduledOperations, &verifications, &copies, &drills,
}

// ListedTables names the tables that are read in pages.
func ListedTables() []string {
	var names []string
	for _, l := range allListings {
		names = append(names, l.table)
	}
	return names
}

// PageQuery is the SELECT of a page, as the database is sent it.
type PageQuery struct {
	// Table, Key and Project say which list it is: by which key, and whether of one
	// project.
	Table, Key  string
	Project     bool
	Name, Query string
	// Index is the one that is made for it; "" if there is none.
	Index string
	Args  []any
}

// PageQueries gives the SELECTs of all lists: by each key, up and down, of one
// project and of all, the first page and one behind a marker.
func (s *Store) PageQueries(limit int) []PageQuery {
	var found []PageQuery
	for _, l := range allListings {
		for key := range l.keys {
			for i := range 8 {
				desc, project, first := i&1 == 0, i&2 == 0, i&4 == 0
				var where conditions
				what := fmt.Sprintf("%s by %s, desc %t, one project %t, first %t", l.table, key, desc, project, first)
				if project {
					where.equal("project_id", "project1")
				}
				if l.ofProvider {
					where.equal("provider_id", "provider")
				}
				scope := where.clone()
				where.add("deleted = 0")
				order, err := l.order([]Sort{{Key: key, Desc: desc}})
				if err != nil {
					continue
				}
				index := l.index(scope, order)
				order = where.open(order)
				if !first {
					values := make([]any, len(order))
					for i, o := range order {
						values[i] = middle(o.Key)
					}
					text, args := behind(order, values, s.db.RowValues())
					where.add(text, args...)
				}
				found = append(found, PageQuery{
					Table: l.table, Key: key, Project: project,
					Name: what, Index: index, Args: append(where.args, limit, 0),
					Query: s.db.Statement(l.page(s.db.Using(index), where, order)),
				})
			}
		}
	}
	return found
}

// FilterQueries gives the SELECTs, in the default order, of the lists of a project that
// are filtered by what has an index.
func (s *Store) FilterQueries() []PageQuery {
	var found []PageQuery
	for _, f := range []struct {
		listing       *listing
		column, index string
	}{
		{&checkpoints, "plan_id", "checkpoints_of_plan"},
		{&operationLogs, "plan_id", "operation_logs_of_plan"},
		{&operationLogs, "checkpoint_id", "operation_logs_of_checkpoint"},
	} {
		var where conditions
		where.equal("project_id", "project1")
		if f.listing.ofProvider {
			where.equal("provider_id", "provider")
		}
		where.add("deleted = 0")
		where.equal(f.column, f.column+"3")
		order, err := f.listing.order(nil)
		if err != nil {
			continue
		}
		found = append(found, PageQuery{
			Table: f.listing.table, Name: f.listing.table + " filtered by " + f.column, Index: f.index,
			Query: s.db.Statement(f.listing.page("", where, order)), Args: append(where.args, MaxLimit, 0),
		})
	}
	return found
}

// middle gives a value of a column amid those that the tests fill in.
func middle(column string) any {
	switch {
	case column == "enabled":
		return 1
	case strings.HasSuffix(column, "_at") || strings.HasSuffix(column, "_order"):
		return 3000
	case column == "project_id":
		return "project1"
	case column == "provider_id":
		return "provider"
	case column == "id":
		return "8"
	}
	return column + "3"
}

package store

import (
	"context"
	"fmt"
	"strings"

	"github.com/karbor/karbor/internal/store/checkpoints"
	"github.com/karbor/karbor/internal/store/copies"
	"github.com/karbor/karbor/internal/store/drills"
	"github.com/karbor/karbor/internal/store/operations"
	"github.com/karbor/karbor/internal/store/plans"
	"github.com/karbor/karbor/internal/store/restores"
	"github.com/karbor/karbor/internal/store/rows"
	"github.com/karbor/karbor/internal/store/schedules"
)

// LimitPages lets the database file not grow beyond a number of pages, as a full
// disk does.
func (s *Store) LimitPages(ctx context.Context, pages int) error {
	return s.db.Transaction(ctx, func(t *rows.Tx) error {
		_, err := rows.One(ctx, t, rows.Int, fmt.Sprintf("PRAGMA max_page_count = %d", pages))
		return err
	})
}

// TestTx is a transaction as tests run it.
type TestTx struct{ t *rows.Tx }

// Int gives the number that a SELECT finds.
func (t TestTx) Int(ctx context.Context, query string, args ...any) (int64, error) {
	return rows.One(ctx, t.t, rows.Int, query, args...)
}

// Exec runs a statement.
func (t TestTx) Exec(ctx context.Context, query string, args ...any) error {
	return t.t.Exec(ctx, query, args...)
}

// Require runs a SELECT that must find a row.
func (t TestTx) Require(ctx context.Context, missing error, query string, args ...any) error {
	return t.t.Require(ctx, missing, query, args...)
}

// InTransactionOf is InTransaction for one that changes what a project uses.
func (s *Store) InTransactionOf(ctx context.Context, projectID string, f func(t TestTx) error) error {
	return s.db.WriteOf(ctx, projectID, "testing", func(t *rows.Tx) error { return f(TestTx{t}) })
}

// InTransaction runs a function of a test in a transaction.
func (s *Store) InTransaction(ctx context.Context, f func(t TestTx) error) error {
	return s.db.Write(ctx, "testing", func(t *rows.Tx) error { return f(TestTx{t}) })
}

// Insert runs an INSERT that may meet a row of the same key, and then a second
// statement.
func (s *Store) Insert(ctx context.Context, query string, args []any, then string) (inserted bool, err error) {
	err = s.db.Write(ctx, "testing", func(t *rows.Tx) error {
		var err error
		if inserted, err = t.Insert(ctx, query, args...); err != nil {
			return err
		}
		return t.Exec(ctx, then)
	})
	return inserted, err
}

var allListings = []*rows.Listing{
	&plans.Listing, &checkpoints.Listing, &restores.Listing, &operations.Logs, &schedules.TriggerListing, &schedules.OperationListing,
	&restores.Verifications, &copies.Listing, &drills.Listing,
}

// ListedTables names the tables that are read in pages.
func ListedTables() []string {
	var names []string
	for _, l := range allListings {
		names = append(names, l.Table)
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
		for key := range l.Keys {
			for i := range 8 {
				desc, project, first := i&1 == 0, i&2 == 0, i&4 == 0
				var scope, filter rows.Conditions
				what := fmt.Sprintf("%s by %s, desc %t, one project %t, first %t", l.Table, key, desc, project, first)
				if project {
					scope.Equal("project_id", "project1")
				}
				if l.OfProvider {
					scope.Equal("provider_id", "provider")
				}
				filter.Add("deleted = 0")
				order, err := l.Order([]Sort{{Key: key, Desc: desc}})
				if err != nil {
					continue
				}
				query := l.Select(s.db, scope, filter, order, nil)
				if !first {
					values := make([]any, len(query.Order))
					for i, o := range query.Order {
						values[i] = middle(o.Key)
					}
					query = l.Select(s.db, scope, filter, order, values)
				}
				found = append(found, PageQuery{
					Table: l.Table, Key: key, Project: project,
					Name: what, Index: query.Index, Args: append(query.Args, limit, 0),
					Query: s.database.Statement(query.Text),
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
		listing       *rows.Listing
		column, index string
	}{
		{&checkpoints.Listing, "plan_id", "checkpoints_of_plan"},
		{&operations.Logs, "plan_id", "operation_logs_of_plan"},
		{&operations.Logs, "checkpoint_id", "operation_logs_of_checkpoint"},
	} {
		var scope, filter rows.Conditions
		scope.Equal("project_id", "project1")
		if f.listing.OfProvider {
			scope.Equal("provider_id", "provider")
		}
		filter.Add("deleted = 0")
		filter.Equal(f.column, f.column+"3")
		order, err := f.listing.Order(nil)
		if err != nil {
			continue
		}
		query := f.listing.Select(s.db, scope, filter, order, nil)
		found = append(found, PageQuery{
			Table: f.listing.Table, Name: f.listing.Table + " filtered by " + f.column, Index: f.index,
			Query: s.database.Statement(query.Text), Args: append(query.Args, MaxLimit, 0),
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

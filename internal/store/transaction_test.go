package store_test

import (
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/internal/store/rows"
)

const (
	makeRow  = "INSERT INTO application_credentials (project_id, user_id, id, sealed, created_at) VALUES (?, ?, '', '', 0)"
	readRow  = "SELECT created_at FROM application_credentials WHERE project_id = 'p' AND user_id = ?"
	setRow   = "UPDATE application_credentials SET created_at = ? WHERE project_id = 'p' AND user_id = ?"
	addToRow = "UPDATE application_credentials SET created_at = created_at + 1 WHERE project_id = 'p' AND user_id = ?"
	countAll = "SELECT COUNT(*) FROM application_credentials WHERE project_id = ?"
)

// transactionTests are what every database's transactions keep.
var transactionTests = []struct {
	name string
	run  func(*testing.T, *store.Store)
}{
	{"what is read and then written is never lost", testReadThenWrite},
	{"what is counted and then added to never exceeds its limit", testCountThenAdd},
	{"a number that a function keeps in the program is the kept one's", testFunctionRunsAnew},
	{"of many rows of one key one is kept", testUniqueWinner},
	{"a transaction that goes on after a fault is not kept", testGoesOnAfterFault},
	{"a transaction without the row that it requires is not kept", testRequiredRow},
	{"those of one project are run once", testInTurn},
}

func TestTransactionsOnSQLite(t *testing.T) {
	for _, test := range transactionTests {
		t.Run(test.name, func(t *testing.T) { test.run(t, open(t)) })
	}
}

func newRow(t *testing.T, s *store.Store, user string) {
	t.Helper()
	err := s.InTransaction(t.Context(), func(tx store.TestTx) error { return tx.Exec(t.Context(), makeRow, "p", user) })
	if err != nil {
		t.Fatal(err)
	}
}

func number(t *testing.T, s *store.Store, query string, args ...any) int64 {
	t.Helper()
	var n int64
	err := s.InTransaction(t.Context(), func(tx store.TestTx) (err error) {
		n, err = tx.Int(t.Context(), query, args...)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func testReadThenWrite(t *testing.T, s *store.Store) {
	newRow(t, s, "u")
	const workers, each = 12, 5
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for range each {
				err := s.InTransaction(t.Context(), func(tx store.TestTx) error {
					n, err := tx.Int(t.Context(), readRow, "u")
					if err != nil {
						return err
					}
					return tx.Exec(t.Context(), setRow, n+1, "u")
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if n := number(t, s, readRow, "u"); n != workers*each {
		t.Errorf("%d of %d were kept", n, workers*each)
	}
}

func testCountThenAdd(t *testing.T, s *store.Store) {
	const limit, tries = 3, 24
	full := karbor.Errorf(karbor.OverLimit, "full")
	var made, refused atomic.Int32
	var wg sync.WaitGroup
	for i := range tries {
		wg.Go(func() {
			err := s.InTransaction(t.Context(), func(tx store.TestTx) error {
				n, err := tx.Int(t.Context(), countAll, "q")
				if err != nil {
					return err
				}
				if n >= limit {
					return full
				}
				return tx.Exec(t.Context(), makeRow, "q", string(rune('a'+i)))
			})
			switch {
			case err == nil:
				made.Add(1)
			case errors.Is(err, full):
				refused.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := number(t, s, countAll, "q"); made.Load() != limit || n != limit || refused.Load() != tries-limit {
		t.Errorf("%d made, %d refused, %d kept", made.Load(), refused.Load(), n)
	}
}

func testFunctionRunsAnew(t *testing.T, s *store.Store) {
	newRow(t, s, "u")
	seen := make([]bool, 21)
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			var mine int64
			err := s.InTransaction(t.Context(), func(tx store.TestTx) error {
				if err := tx.Exec(t.Context(), addToRow, "u"); err != nil {
					return err
				}
				var err error
				mine, err = tx.Int(t.Context(), readRow, "u")
				return err
			})
			mu.Lock()
			defer mu.Unlock()
			if err != nil || mine > 20 || seen[mine] {
				t.Errorf("got %d, %v", mine, err)
				return
			}
			seen[mine] = true
		})
	}
	wg.Wait()
}

func testUniqueWinner(t *testing.T, s *store.Store) {
	newRow(t, s, "u")
	var winners atomic.Int32
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			inserted, err := s.Insert(t.Context(), makeRow, []any{"p", "winner"}, strings.Replace(addToRow, "?", "'u'", 1))
			if err != nil {
				t.Error(err)
			}
			if inserted {
				winners.Add(1)
			}
		})
	}
	wg.Wait()
	if n := winners.Load(); n != 1 {
		t.Errorf("%d have won", n)
	}
	if n := number(t, s, readRow, "u"); n != 16 {
		t.Errorf("after the INSERT %d of 16 went on", n)
	}
}

func testGoesOnAfterFault(t *testing.T, s *store.Store) {
	newRow(t, s, "u")
	err := s.InTransaction(t.Context(), func(tx store.TestTx) error {
		if err := tx.Exec(t.Context(), addToRow, "u"); err != nil {
			return err
		}
		_ = tx.Exec(t.Context(), makeRow, "p", "u") // which is there
		return nil
	})
	if err == nil {
		t.Error("it was kept")
	}
	if n := number(t, s, readRow, "u"); n != 0 {
		t.Errorf("%d of it were kept", n)
	}
}

func testRequiredRow(t *testing.T, s *store.Store) {
	newRow(t, s, "u")
	missing := errors.New("it is not there")
	for _, test := range []struct {
		user string
		want error
		n    int64
	}{{"other", missing, 0}, {"u", nil, 1}} {
		err := s.InTransaction(t.Context(), func(tx store.TestTx) error {
			if err := tx.Exec(t.Context(), addToRow, "u"); err != nil {
				return err
			}
			return tx.Require(t.Context(), missing, readRow+rows.ForUpdate, test.user)
		})
		if !errors.Is(err, test.want) || (err == nil) != (test.want == nil) {
			t.Errorf("with the row of %s required the error is %v", test.user, err)
		}
		if n := number(t, s, readRow, "u"); n != test.n {
			t.Errorf("with the row of %s required %d was kept, want %d", test.user, n, test.n)
		}
	}
}

func testInTurn(t *testing.T, s *store.Store) {
	newRow(t, s, "u")
	const workers, each = 8, 5
	var runs atomic.Int64
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for range each {
				err := s.InTransactionOf(t.Context(), "p", func(tx store.TestTx) error {
					runs.Add(1)
					n, err := tx.Int(t.Context(), readRow, "u")
					if err != nil {
						return err
					}
					return tx.Exec(t.Context(), setRow, n+1, "u")
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if n := number(t, s, readRow, "u"); n != workers*each || runs.Load() != n {
		t.Errorf("%d were kept of %d, which were run %d times", n, workers*each, runs.Load())
	}
}

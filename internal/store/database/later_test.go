package database

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
)

var errThere = errors.New("it is there already")

func TestLaterStatementIsKeptAndItsFailureExplained(t *testing.T) {
	db, err := Open(filepath.Join(t.TempDir(), "db"), Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	add := func(tx *Tx) error {
		return tx.Later(t.Context(), func(err error) error {
			if IsDuplicate(err) {
				return errThere
			}
			return err
		}, "INSERT INTO t (a) VALUES (?)", 1)
	}
	err = db.Transaction(t.Context(), func(tx *Tx) error {
		return errors.Join(tx.Later(t.Context(), nil, "CREATE TABLE t (a BIGINT PRIMARY KEY)"), add(tx))
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Transaction(t.Context(), add); !errors.Is(err, errThere) {
		t.Errorf("a second row of the same key: %v", err)
	}
	rows, err := db.Query(t.Context(), "SELECT a FROM t")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	n := 0
	for rows.Next() {
		n++
	}
	if n != 1 || rows.Err() != nil {
		t.Errorf("there are %d rows, error %v", n, rows.Err())
	}
}

// batching is a dialect whose statements fail from one on.
type batching struct {
	sqliteDialect
	good int
	sent *[]string
}

func (b batching) pipeline(_ context.Context, _ any, list []queued) (int, error) {
	for i, q := range list {
		if i == b.good {
			return i, errors.New("no")
		}
		*b.sent = append(*b.sent, q.text)
	}
	return len(list), nil
}

func TestStatementsThatWaitAreSentBeforeTheNextThatDoesNot(t *testing.T) {
	db, err := Open(filepath.Join(t.TempDir(), "db"), Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if err := db.Transaction(t.Context(), func(tx *Tx) error {
		_, err := tx.Exec(t.Context(), "CREATE TABLE t (a BIGINT PRIMARY KEY)")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	for _, good := range []int{2, 1} {
		var sent []string
		db.writes.dialect = batching{good: good, sent: &sent}
		err := db.Transaction(t.Context(), func(tx *Tx) error {
			first := tx.Later(t.Context(), nil, "first")
			second := tx.Later(t.Context(), func(error) error { return errThere }, "second")
			if first != nil || second != nil || len(sent) > 0 {
				t.Errorf("they were sent at once: %v, %v, %v", first, second, sent)
			}
			_, err := tx.Exec(t.Context(), "UPDATE t SET a = 1")
			return err
		})
		if want := good == 2; (err == nil) != want || !want && !errors.Is(err, errThere) || len(sent) != good {
			t.Errorf("of two statements %d went well: %v, error %v", good, sent, err)
		}
	}
}

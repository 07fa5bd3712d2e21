package database

import (
	"cmp"
	"context"
	"database/sql/driver"
	"errors"
)

// pipeliner is a dialect whose connections take several statements at once, where each
// by itself costs the way to the server and back.
type pipeliner interface {
	// pipeline runs statements of the database's own words, in order, on a connection of
	// the driver. It gives the number of those that went well.
	pipeline(ctx context.Context, conn any, list []queued) (int, error)
}

// queued is a statement that waits to be sent.
type queued struct {
	text    string
	args    []any
	explain func(error) error
	// found says that it is a SELECT which must find a row.
	found bool
}

// errNoRow is the failure of a SELECT that must find a row.
var errNoRow = errors.New("a row that must be there is not")

// mostQueued bounds the statements that wait.
const mostQueued = 64

// Later runs a statement of which nothing but its failure matters: at once, or where that
// saves the way to a server, together with others before the next statement that is not
// Later, or before COMMIT. Its failure is then that of the later call. explain may turn
// it into another error; nil leaves it as it is.
func (t *Tx) Later(ctx context.Context, explain func(error) error, query string, args ...any) error {
	if _, ok := t.dialect.(pipeliner); !ok {
		_, err := t.Exec(ctx, query, args...)
		return explained(explain, err)
	}
	if err := t.ready(ctx); err != nil {
		return err
	}
	return t.wait(ctx, queued{explain: explain}, query, args)
}

// Require is Later for a SELECT of which nothing matters but that it finds a row: if it finds
// none, the transaction fails with missing.
func (t *Tx) Require(ctx context.Context, missing error, query string, args ...any) error {
	explain := func(err error) error {
		if errors.Is(err, errNoRow) {
			return missing
		}
		return err
	}
	if _, ok := t.dialect.(pipeliner); ok {
		if err := t.ready(ctx); err != nil {
			return err
		}
		return t.wait(ctx, queued{explain: explain, found: true}, query, args)
	}
	rows, err := t.Query(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	if rows.Next() {
		return rows.Err()
	}
	return t.fail(cmp.Or(rows.Err(), missing))
}

// ready reports what speaks against another statement.
func (t *Tx) ready(ctx context.Context) error {
	if t.failed != nil {
		return t.failed
	}
	if err := ctx.Err(); err != nil {
		return t.fail(err)
	}
	return nil
}

// wait has a statement wait to be sent.
func (t *Tx) wait(ctx context.Context, q queued, query string, args []any) error {
	observed(ctx, query)
	q.text, q.args = t.words(query), make([]any, len(args))
	for i, arg := range args {
		// What a document looks like now counts, not later.
		value, err := valueOf(arg)
		if err != nil {
			return t.fail(err)
		}
		q.args[i] = value
	}
	t.queue = append(t.queue, q)
	if len(t.queue) < mostQueued {
		return nil
	}
	return t.flush(ctx)
}

func valueOf(arg any) (any, error) {
	if v, ok := arg.(driver.Valuer); ok {
		return v.Value()
	}
	return arg, nil
}

func explained(explain func(error) error, err error) error {
	if err == nil || explain == nil {
		return err
	}
	return explain(err)
}

// words gives a statement in the database's own words, which each connection remembers.
func (t *Tx) words(portable string) string {
	text, ok := t.writer.words[portable]
	if !ok {
		text = t.dialect.locking(portable)
		t.writer.words[portable] = text
	}
	return text
}

// flush sends what waits.
func (t *Tx) flush(ctx context.Context) error {
	d, ok := t.dialect.(pipeliner)
	if !ok || len(t.queue) == 0 {
		return nil
	}
	list := t.queue
	t.queue = nil
	done := 0
	var failure error
	err := t.writer.conn.Raw(func(conn any) error {
		done, failure = d.pipeline(ctx, conn, list)
		return nil // whether the connection is still good, its next use shows
	})
	if failure == nil {
		failure = err
	}
	if failure != nil && done < len(list) {
		failure = explained(list[done].explain, failure)
	}
	return t.fail(failure)
}

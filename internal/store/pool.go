package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"sync"
)

// queryer runs a SELECT.
type queryer interface {
	query(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// reader is the set of connections that read. Its statements are prepared once.
type reader struct {
	db         *sql.DB
	mu         sync.RWMutex
	statements map[string]*sql.Stmt
}

func newReader(db *sql.DB) *reader { return &reader{db: db, statements: map[string]*sql.Stmt{}} }

func (r *reader) close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var errs []error
	for _, s := range r.statements {
		errs = append(errs, s.Close())
	}
	clear(r.statements)
	return errors.Join(append(errs, r.db.Close())...)
}

// query implements queryer. The texts are constants of this package, or put
// together from a few of them, so that there are not many to keep.
func (r *reader) query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	stmt, err := r.prepared(ctx, query)
	if err != nil {
		return nil, err
	}
	return stmt.QueryContext(ctx, args...)
}

func (r *reader) prepared(ctx context.Context, query string) (*sql.Stmt, error) {
	r.mu.RLock()
	stmt := r.statements[query]
	r.mu.RUnlock()
	if stmt != nil {
		return stmt, nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if stmt := r.statements[query]; stmt != nil {
		return stmt, nil
	}
	stmt, err := r.db.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	r.statements[query] = stmt
	return stmt, nil
}

// unprepared runs SELECTs whose texts are too many to be kept prepared.
type unprepared struct{ *reader }

func (u unprepared) query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return u.db.QueryContext(ctx, query, args...)
}

// writer is the one connection that writes. It says BEGIN and COMMIT itself, as
// database/sql would prepare every statement of each transaction anew.
type writer struct {
	db *sql.DB
	// turn holds a token while nobody writes.
	turn       chan struct{}
	conn       *sql.Conn
	statements map[string]*sql.Stmt
}

func newWriter(db *sql.DB) *writer {
	w := &writer{db: db, turn: make(chan struct{}, 1)}
	w.turn <- struct{}{}
	return w
}

// close waits for the transaction that runs; later ones fail, as the database is
// closed.
func (w *writer) close() error {
	<-w.turn
	defer func() { w.turn <- struct{}{} }()
	err := w.drop(nil)
	return errors.Join(err, w.db.Close())
}

// drop gives the connection up. It goes back to the pool if bad is nil, and is
// closed otherwise.
func (w *writer) drop(bad error) error {
	if w.conn == nil {
		return nil
	}
	var errs []error
	for _, s := range w.statements {
		errs = append(errs, s.Close())
	}
	if bad != nil {
		// The answer is the very error that marks the connection as unusable.
		_ = w.conn.Raw(func(any) error { return driver.ErrBadConn })
	} else {
		errs = append(errs, w.conn.Close())
	}
	w.conn, w.statements = nil, nil
	return errors.Join(errs...)
}

// transaction is a running write transaction.
type transaction struct{ w *writer }

// do runs f in a transaction, when it is its turn.
func (w *writer) do(ctx context.Context, f func(t *transaction) error) error {
	select {
	case <-w.turn:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { w.turn <- struct{}{} }()
	if w.conn == nil {
		conn, err := w.db.Conn(ctx)
		if err != nil {
			return err
		}
		w.conn, w.statements = conn, map[string]*sql.Stmt{}
	}
	t := &transaction{w: w}
	if err := t.exec(ctx, begin); err != nil {
		return err
	}
	done := false
	defer func() {
		if !done {
			w.rollback(ctx)
		}
	}()
	if err := f(t); err != nil {
		return err
	}
	if err := t.exec(ctx, "COMMIT"); err != nil {
		return err
	}
	done = true
	return nil
}

// rollback undoes the transaction, also when its context has ended. If it can't,
// which is also so when the database has undone it by itself, it closes the
// connection: that undoes it in any case.
func (w *writer) rollback(ctx context.Context) {
	t := &transaction{w: w}
	if err := t.exec(context.WithoutCancel(ctx), "ROLLBACK"); err != nil {
		_ = w.drop(err)
	}
}

func (t *transaction) prepared(ctx context.Context, query string) (*sql.Stmt, error) {
	if stmt := t.w.statements[query]; stmt != nil {
		return stmt, nil
	}
	stmt, err := t.w.conn.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	t.w.statements[query] = stmt
	return stmt, nil
}

// query implements queryer.
func (t *transaction) query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	stmt, err := t.prepared(ctx, query)
	if err != nil {
		return nil, err
	}
	return stmt.QueryContext(ctx, args...)
}

// exec runs a statement.
func (t *transaction) exec(ctx context.Context, query string, args ...any) error {
	stmt, err := t.prepared(ctx, query)
	if err != nil {
		return err
	}
	_, err = stmt.ExecContext(ctx, args...)
	return err
}

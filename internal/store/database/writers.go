package database

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/karbor/karbor"
)

// writers are the connections that run transactions: one on SQLite, several on a
// server. They say BEGIN and COMMIT themselves, as database/sql would prepare every
// statement of each transaction anew.
type writers struct {
	db      *sql.DB
	dialect dialect
	begin   string
	// repeats says that the database undoes transactions for each other's sake,
	// and loses connections.
	repeats bool
	size    int
	// free holds the connections that no transaction uses.
	free chan *writer
	// losses counts the connections that were lost. All that are older are
	// suspect: they went to the same server.
	losses atomic.Int64
}

// writer is one connection, made when it is first needed, with its statements.
type writer struct {
	conn     *sql.Conn
	prepared map[string]*sql.Stmt
	// words are the database's own, by the portable text.
	words  map[string]string
	losses int64
}

func newWriters(db *sql.DB, d dialect, begin string, size int) *writers {
	w := &writers{db: db, dialect: d, begin: begin, repeats: begin != beginImmediate, size: size, free: make(chan *writer, size)}
	for range size {
		w.free <- &writer{}
	}
	return w
}

// close waits for the transactions that run; later ones fail, as the database is
// closed.
func (w *writers) close() error {
	var errs []error
	for range w.size {
		c := <-w.free
		errs = append(errs, c.drop(nil))
	}
	errs = append(errs, unlessLost(w.db.Close()))
	for range w.size {
		w.free <- &writer{}
	}
	return errors.Join(errs...)
}

// drop gives the connection up. It goes back to the pool if bad is nil, and is
// closed otherwise.
func (c *writer) drop(bad error) error {
	if c.conn == nil {
		return nil
	}
	for _, s := range c.prepared {
		_ = s.Close() // ends with its connection in any case
	}
	var err error
	if bad != nil {
		// The answer is the very error that marks the connection as unusable.
		_ = c.conn.Raw(func(any) error { return driver.ErrBadConn })
	} else {
		err = unlessLost(c.conn.Close())
	}
	c.conn, c.prepared, c.words = nil, nil, nil
	return err
}

const (
	// tries bounds how often a transaction is run, patience for how long new
	// tries begin.
	tries    = 20
	patience = 15 * time.Second
	// firstPause grows twofold from try to try, up to lastPause; each is cut by
	// chance, so that those who met once do not meet again.
	firstPause = 4 * time.Millisecond
	lastPause  = 500 * time.Millisecond
)

// do runs f in a transaction, again as long as the database undoes it for another's
// sake or loses the connection before COMMIT was sent.
func (w *writers) do(ctx context.Context, f func(t *Tx) error) error {
	if !w.repeats {
		return w.once(ctx, f)
	}
	late := time.NewTimer(patience)
	defer late.Stop()
	for try := 1; ; try++ {
		err := w.once(ctx, f)
		if err == nil || try == tries || ctx.Err() != nil || !repeatable(err) {
			return err
		}
		select {
		case <-late.C:
			return err
		default:
		}
		if pause(ctx, try) != nil {
			return err
		}
	}
}

// ErrUncertain is in the chain of the error of a transaction of which it is not
// known whether it was kept.
var ErrUncertain = errors.New("the connection was lost at COMMIT")

// repeatable reports whether a transaction that ended with err surely left nothing,
// and may succeed when it is run again.
func repeatable(err error) bool {
	f := understood(err)
	return (f.again || f.lost) && !errors.Is(err, ErrUncertain)
}

// once runs f in one transaction, when a connection is free.
func (w *writers) once(ctx context.Context, f func(t *Tx) error) error {
	var c *writer
	select {
	case c = <-w.free:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { w.free <- c }()
	if c.conn != nil && c.losses != w.losses.Load() {
		_ = c.drop(driver.ErrBadConn)
	}
	if c.conn == nil {
		losses := w.losses.Load()
		conn, err := w.db.Conn(ctx)
		if err != nil {
			return err
		}
		c.conn, c.prepared, c.words, c.losses = conn, map[string]*sql.Stmt{}, map[string]string{}, losses
	}
	err := w.run(ctx, c, f)
	if w.repeats && err != nil && understood(err).lost {
		w.losses.Add(1)
	}
	return err
}

// run runs f in one transaction of a connection.
func (w *writers) run(ctx context.Context, c *writer, f func(t *Tx) error) error {
	t := &Tx{dialect: w.dialect, writer: c}
	if err := w.say(ctx, t, w.begin); err != nil {
		w.rollback(ctx, t)
		return err
	}
	done := false
	defer func() {
		if !done {
			w.rollback(ctx, t)
		}
	}()
	if err := f(t); err != nil {
		return err
	}
	if err := t.flush(ctx); err != nil {
		return err
	}
	if t.failed != nil {
		return fmt.Errorf("the transaction went on after a statement had failed: %w", t.failed)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := w.commit(ctx, t); err != nil {
		if w.repeats && understood(err).again {
			return err
		}
		if w.repeats {
			return &karbor.Error{Kind: karbor.Unavailable, Message: uncertain, Transient: true, Cause: errors.Join(ErrUncertain, err)}
		}
		return err
	}
	done = true
	return nil
}

// commitTime bounds the wait for the answer to COMMIT.
const commitTime = 30 * time.Second

// commit ends a transaction so that it is kept. Who asked for it may go away meanwhile: to break COMMIT
// off would only mean not to know whether it was carried out.
func (w *writers) commit(ctx context.Context, t *Tx) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTime)
	defer cancel()
	return w.say(ctx, t, "COMMIT")
}

// say begins or ends a transaction. Not every server prepares these.
func (w *writers) say(ctx context.Context, t *Tx, text string) error {
	if w.repeats {
		_, err := t.writer.conn.ExecContext(ctx, text)
		return err
	}
	_, err := t.Exec(ctx, text)
	return err
}

// rollbackTime bounds the undoing of a transaction.
const rollbackTime = 10 * time.Second

// rollback undoes the transaction, also when its context has ended. If it can't,
// which is also so when the database has undone it by itself, it closes the
// connection: that undoes it in any case.
func (w *writers) rollback(ctx context.Context, t *Tx) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTime)
	defer cancel()
	if err := w.say(ctx, t, "ROLLBACK"); err != nil {
		_ = t.writer.drop(err)
	}
}

// pause waits before the next try.
func pause(ctx context.Context, try int) error {
	longest := min(firstPause<<min(try, 16), lastPause)
	t := time.NewTimer(rand.N(longest) + time.Millisecond)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

package database

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"testing"
)

// answering is a server of which a test says what it answers to COMMIT.
type answering struct {
	commit func(ctx context.Context) error
}

func (a answering) Connect(context.Context) (driver.Conn, error) { return a, nil }
func (a answering) Driver() driver.Driver                        { return nil }
func (answering) Close() error                                   { return nil }
func (answering) Begin() (driver.Tx, error)                      { return nil, errors.ErrUnsupported }
func (answering) Prepare(string) (driver.Stmt, error)            { return nil, errors.ErrUnsupported }

func (a answering) ExecContext(ctx context.Context, query string, _ []driver.NamedValue) (driver.Result, error) {
	if query == "COMMIT" {
		return driver.ResultNoRows, a.commit(ctx)
	}
	return driver.ResultNoRows, nil
}

func TestCommitIsNotBrokenOffWhenWhoAskedGoesAway(t *testing.T) {
	for name, test := range map[string]struct {
		// leaves says when who asked goes away.
		before, at      bool
		answer          error
		kept, uncertain bool
	}{
		"nobody goes":                            {kept: true},
		"before COMMIT":                          {before: true},
		"while COMMIT runs":                      {at: true, kept: true},
		"the connection is lost":                 {answer: io.EOF, uncertain: true},
		"the connection is lost, too":            {at: true, answer: io.EOF, uncertain: true},
		"the answer takes longer than is waited": {answer: context.DeadlineExceeded, uncertain: true},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, leave := context.WithCancel(t.Context())
			defer leave()
			commits := 0
			server := answering{commit: func(ctx context.Context) error {
				commits++
				if test.at {
					leave()
				}
				if _, bounded := ctx.Deadline(); !bounded {
					t.Error("COMMIT is waited for without end")
				}
				return errors.Join(ctx.Err(), test.answer)
			}}
			w := newWriters(sql.OpenDB(server), sqliteDialect{}, "BEGIN", 1)
			err := w.do(ctx, func(*Tx) error {
				if test.before {
					leave()
				}
				return nil
			})
			if (err == nil) != test.kept || errors.Is(err, ErrUncertain) != test.uncertain || commits > 1 || test.before && commits > 0 {
				t.Errorf("COMMIT was said %d times, and it ends with %v", commits, err)
			}
			if err := w.close(); err != nil {
				t.Error(err)
			}
		})
	}
}

package database

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/karbor/karbor"
)

// dialect is what differs between databases. The statements that callers write
// are in the part of SQL that all of them share, with ? for arguments, Upsert and
// ForUpdate.
type dialect interface {
	// statement turns a portable statement into the database's own.
	statement(portable string) string
	// locking is statement for within a transaction that writes.
	locking(portable string) string
	// migration turns the portable text of a migration into the database's own.
	migration(portable string) string
	// rowValues says that (a, b) > (?, ?) is looked up in an index of a and b.
	rowValues() bool
	// brief gives the context for a statement that takes a moment: a look-up, or one
	// of a transaction.
	brief(ctx context.Context) context.Context
}

// sent is the brief of servers: a connection that hangs must not keep a caller.
type sent struct{}

func (sent) brief(ctx context.Context) context.Context { return ctx }

// fault is what an error of a database means.
type fault struct {
	// sentence is what a tenant may read; with it the error is
	// karbor.Unavailable and transient.
	sentence string
	// again says that the whole transaction was undone by the database, and may
	// succeed if it is run again.
	again bool
	// lost says that the connection is gone.
	lost bool
	// duplicate says that a row of the same key is there.
	duplicate bool
	// cancelled says that the statement was ended by its context.
	cancelled bool
}

const (
	diskFull   = "the database's disk is full"
	busy       = "the database is busy"
	silent     = "the database does not answer"
	uncertain  = "the database's connection was lost while it saved; whether it did is not known"
	readOnly   = "the database does not take changes now"
	noCapacity = "the database has no connection to spare"
)

// understood gives what an error means, whichever database it comes from.
func understood(err error) fault {
	for _, read := range []func(error) fault{sqliteFault, postgresFault, mysqlFault} {
		if f := read(err); f != (fault{}) {
			return f
		}
	}
	return connectionFault(err)
}

// connectionFault reads the errors that are the network's, not the database's.
func connectionFault(err error) fault {
	var network net.Error
	if errors.Is(err, driver.ErrBadConn) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, net.ErrClosed) {
		return fault{sentence: silent, lost: true}
	}
	if errors.As(err, &network) && !errors.Is(err, context.DeadlineExceeded) {
		return fault{sentence: silent, lost: true}
	}
	return fault{}
}

// Classified gives an error of a database its kind. Others stay as they are.
func Classified(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*karbor.Error](err); ok {
		return err
	}
	// A context that ended, and not the database, is what went wrong.
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	f := understood(err)
	switch {
	case f.cancelled:
		return fmt.Errorf("%w: %w", context.Canceled, err)
	case f.sentence != "":
		return &karbor.Error{Kind: karbor.Unavailable, Message: f.sentence, Transient: true, Cause: err}
	}
	return err
}

// IsDuplicate reports whether err says that a row of the same key is there. The
// transaction must be given up: not every database lets it go on.
func IsDuplicate(err error) bool { return err != nil && understood(err).duplicate }

// ForUpdate keeps, behind a SELECT, others from changing its rows until the
// transaction ends.
const ForUpdate = " FOR UPDATE"

const (
	conflictHead = " ON CONFLICT ("
	conflictBody = ") DO UPDATE SET "
)

// Upsert is the tail of an INSERT that, if the row of the key is there, sets its
// columns instead. key lists all columns of the table's primary key or of its only
// unique index.
func Upsert(key string, columns ...string) string {
	set := make([]string, len(columns))
	for i, c := range columns {
		set[i] = c + " = excluded." + c
	}
	return conflictHead + key + conflictBody + strings.Join(set, ", ")
}

// outsideQuotes rewrites what is between quoted texts and comments.
func outsideQuotes(text string, rewrite func(string) string) string {
	var b strings.Builder
	for text != "" {
		start, end := quoted(text)
		b.WriteString(rewrite(text[:start]))
		b.WriteString(text[start:end])
		text = text[end:]
	}
	return b.String()
}

// quoted gives the first part of a text that is quoted or a comment.
func quoted(text string) (start, end int) {
	start = strings.IndexAny(text, `'"-`)
	for start >= 0 && text[start] == '-' && !strings.HasPrefix(text[start:], "--") {
		next := strings.IndexAny(text[start+1:], `'"-`)
		if next < 0 {
			return len(text), len(text)
		}
		start += 1 + next
	}
	if start < 0 {
		return len(text), len(text)
	}
	closing := text[start : start+1]
	if closing == "-" {
		closing = "\n"
	}
	length := strings.Index(text[start+1:], closing)
	if length < 0 {
		return start, len(text)
	}
	return start, start + length + 2
}

// Package replays keeps requests that carried an Idempotency-Key, and what they were
// answered.
package replays

import (
	"context"
	"database/sql"
	"time"

	"github.com/karbor/karbor/internal/store/rows"
)

// Store keeps replays in the tables of a database. Its methods may be called
// concurrently, and each is one transaction.
type Store struct{ db *rows.DB }

// New gives the replays of a database.
func New(db *rows.DB) Store { return Store{db: db} }

// For is how long a request with an Idempotency-Key is remembered.
const For = 24 * time.Hour

// Replay is a request that carried an Idempotency-Key.
type Replay struct {
	// Scope says whose key it is, and for what; at most 64 bytes.
	Scope string
	// Body is a digest of what was sent; at most 64 bytes.
	Body string
	// Owner names the installation whose process has the request.
	Owner string
	// Done says that something was kept on behalf of the request.
	Done bool
	// Answer is what the request was answered; nil as long as it was not.
	Answer []byte
}

const replayColumns = "scope, body, owner, done, answer"

// ClaimReplay keeps a request, unless one of its scope is there that is younger than
// ReplayFor: then it gives that one, and false.
func (s *Store) ClaimReplay(ctx context.Context, r Replay) (Replay, bool, error) {
	var found Replay
	mine := false
	err := s.db.Write(ctx, "remembering a request", func(t *rows.Tx) error {
		now := s.db.Now()
		// What is too old goes with whoever comes next.
		if err := t.Exec(ctx, "DELETE FROM replays WHERE created_at <= ?", rows.Micros(now.Add(-For))); err != nil {
			return err
		}
		var err error
		mine, err = t.Insert(ctx, "INSERT INTO replays (scope, body, owner, done, created_at) VALUES (?, ?, ?, 0, ?)",
			r.Scope, r.Body, r.Owner, rows.Micros(now))
		if err != nil {
			return err
		}
		found, err = rows.One(ctx, t, scanReplay, "SELECT "+replayColumns+" FROM replays WHERE scope = ?", r.Scope)
		return err
	})
	return found, mine && err == nil, err
}

// AnswerReplay keeps the answer of a request.
func (s *Store) AnswerReplay(ctx context.Context, scope string, answer []byte) error {
	return s.db.Write(ctx, "remembering an answer", func(t *rows.Tx) error {
		return t.Exec(ctx, "UPDATE replays SET done = 1, answer = ? WHERE scope = ?", rows.Document(string(answer)), scope)
	})
}

// DropReplay forgets a request that has no answer: it failed, and may be sent again. One that is marked,
// as something was kept with it, is forgotten only if marked says so.
func (s *Store) DropReplay(ctx context.Context, scope string, marked bool) error {
	query := "DELETE FROM replays WHERE scope = ? AND answer IS NULL"
	if !marked {
		query += " AND done = 0"
	}
	return s.db.Write(ctx, "forgetting a request", func(t *rows.Tx) error { return t.Exec(ctx, query, scope) })
}

func scanReplay(row *sql.Rows) (Replay, error) {
	var r Replay
	var answer *string
	err := row.Scan(&r.Scope, &r.Body, &r.Owner, &r.Done, rows.Document(&answer))
	if answer != nil {
		r.Answer = []byte(*answer)
	}
	return r, err
}

type replayKey struct{}

// With gives a context whose transactions mark the request of a scope as done:
// what they keep is so kept together with the mark.
func With(ctx context.Context, scope string) context.Context {
	return context.WithValue(ctx, replayKey{}, scope)
}

// Mark marks the request that ctx belongs to, if it carried a key.
func Mark(ctx context.Context, t *rows.Tx) error {
	scope, _ := ctx.Value(replayKey{}).(string)
	if scope == "" {
		return nil
	}
	return t.Later(ctx, "UPDATE replays SET done = 1 WHERE scope = ?", scope)
}

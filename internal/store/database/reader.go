package database

import (
	"context"
	"database/sql"
	"sync"
)

// statements are those of a pool, each prepared once, by their portable text.
type statements struct {
	db        *sql.DB
	translate func(string) string
	mu        sync.RWMutex
	prepared  map[string]*sql.Stmt
}

func newStatements(db *sql.DB, translate func(string) string) *statements {
	return &statements{db: db, translate: translate, prepared: map[string]*sql.Stmt{}}
}

// get gives the statement of a text. The texts are constants of the program, or put
// together from a few of them, so that there are not many to keep.
func (s *statements) get(ctx context.Context, text string) (*sql.Stmt, error) {
	observed(ctx, text)
	s.mu.RLock()
	stmt := s.prepared[text]
	s.mu.RUnlock()
	if stmt != nil {
		return stmt, nil
	}
	made, err := s.db.PrepareContext(ctx, s.translate(text))
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if stmt := s.prepared[text]; stmt != nil {
		return stmt, made.Close()
	}
	s.prepared[text] = made
	return made, nil
}

func (s *statements) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, stmt := range s.prepared {
		_ = stmt.Close() // ends with its connections in any case
	}
	clear(s.prepared)
	return unlessLost(s.db.Close())
}

// unlessLost leaves out what a connection says at its end that was lost before.
func unlessLost(err error) error {
	if err == nil || understood(err).lost {
		return nil
	}
	return err
}

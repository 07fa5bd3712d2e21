package store

import (
	"context"
	"fmt"
)

// LimitPages lets the database file not grow beyond a number of pages, as a full
// disk does.
func (s *Store) LimitPages(ctx context.Context, pages int) error {
	<-s.writer.turn
	defer func() { s.writer.turn <- struct{}{} }()
	if s.writer.conn == nil {
		return nil // the limit went with its connection
	}
	_, err := s.writer.conn.ExecContext(ctx, fmt.Sprintf("PRAGMA max_page_count = %d", pages))
	return err
}

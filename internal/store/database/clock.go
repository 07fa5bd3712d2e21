package database

import (
	"context"
	"fmt"
	"time"
)

// clocks are the statements that give a server's time, in microseconds since 1970.
var clocks = map[string]string{
	PostgreSQL: "SELECT CAST(EXTRACT(EPOCH FROM CURRENT_TIMESTAMP) * 1000000 AS BIGINT)",
	MySQL:      "SELECT CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS SIGNED)",
}

// Time gives the time by the server's clock. ok is false for a file, which has none.
func (db *DB) Time(ctx context.Context) (at time.Time, ok bool, err error) {
	text, ok := clocks[db.location.scheme]
	if !ok {
		return time.Time{}, false, nil
	}
	rows, err := db.Query(ctx, text)
	if err != nil {
		return time.Time{}, true, fmt.Errorf("asking the database for the time: %w", err)
	}
	defer rows.Close()
	var micros int64
	if rows.Next() {
		err = rows.Scan(&micros)
	}
	if err == nil {
		err = rows.Err()
	}
	return time.UnixMicro(micros).UTC(), true, err
}

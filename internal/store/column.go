package store

import (
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"time"
)

// micros gives a time as it lies in a column.
func micros(t time.Time) int64 { return t.UnixMicro() }

// microsOrNull is micros for a column that may be NULL: the zero time is.
func microsOrNull(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMicro()
}

// timeColumn reads a column of microseconds into a time; NULL is the zero time.
type timeColumn struct{ t *time.Time }

// Scan implements sql.Scanner.
func (c timeColumn) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		*c.t = time.Time{}
	case int64:
		*c.t = time.UnixMicro(v).UTC()
	default:
		return fmt.Errorf("a time is kept as %T", src)
	}
	return nil
}

// document writes a value as JSON, or reads JSON into what v points to.
type document struct{ v any }

// Value implements driver.Valuer.
func (d document) Value() (driver.Value, error) {
	text, err := json.Marshal(d.v)
	if err != nil {
		return nil, err
	}
	return string(text), nil
}

// Scan implements sql.Scanner. NULL leaves the value alone.
func (d document) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		return nil
	case string:
		if v == "null" || quickly(v, d.v) {
			return nil
		}
		return json.Unmarshal([]byte(v), d.v)
	case []byte:
		return d.Scan(string(v))
	default:
		return fmt.Errorf("a document is kept as %T", src)
	}
}

// truth gives a Boolean as it lies in a column.
func truth(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

func scanInt(rows *sql.Rows) (int64, error) {
	var n int64
	err := rows.Scan(&n)
	return n, err
}

func scanText(rows *sql.Rows) (string, error) {
	var s string
	err := rows.Scan(&s)
	return s, err
}

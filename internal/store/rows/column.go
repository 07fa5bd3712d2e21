package rows

import (
	"crypto/rand"
	"database/sql"
	"database/sql/driver"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/karbor/karbor"
)

// Micros gives a time as it lies in a column.
func Micros(t time.Time) int64 { return t.UnixMicro() }

// MicrosOrNull is Micros for a column that may be NULL: the zero time is.
func MicrosOrNull(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMicro()
}

// Time reads a column of microseconds into a time; NULL is the zero time.
func Time(t *time.Time) sql.Scanner { return timeColumn{t} }

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

// Column is what writes a value into its column, and reads it from there.
type Column interface {
	driver.Valuer
	sql.Scanner
}

// Document writes a value as JSON, or reads JSON into what v points to; NULL leaves that
// alone.
func Document(v any) Column { return document{v} }

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

// Truth gives a Boolean as it lies in a column.
func Truth(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// Int reads a row of one number.
func Int(rows *sql.Rows) (int64, error) {
	var n int64
	err := rows.Scan(&n)
	return n, err
}

// Text reads a row of one text.
func Text(rows *sql.Rows) (string, error) {
	var s string
	err := rows.Scan(&s)
	return s, err
}

// Repeated gives a text n times, with commas between.
func Repeated(text string, n int) string { return strings.Repeat(text+", ", n-1) + text }

// Graph writes a graph as its text, or reads it. No graph is JSON's null.
func Graph(g **karbor.Graph) Column { return graphColumn{g} }

type graphColumn struct{ g **karbor.Graph }

// Value implements driver.Valuer.
func (c graphColumn) Value() (driver.Value, error) {
	if *c.g == nil {
		return "null", nil
	}
	text, err := (*c.g).MarshalText()
	return string(text), err
}

// Scan implements sql.Scanner.
func (c graphColumn) Scan(src any) error {
	text, ok := src.(string)
	if bytes, is := src.([]byte); is {
		text, ok = string(bytes), true
	}
	if !ok {
		return errors.New("a graph is not kept as text")
	}
	if text == "null" {
		*c.g = nil
		return nil
	}
	*c.g = &karbor.Graph{}
	return (*c.g).UnmarshalText([]byte(text))
}

// Sealed gives a sealed text as it lies in its column: NULL for none.
func Sealed(delegation []byte) any {
	if delegation == nil {
		return nil
	}
	return base64.StdEncoding.EncodeToString(delegation)
}

// RandomInteger makes an id for a table whose ids are integers. Databases count
// them up in ways that differ; a random one is the same in all.
func RandomInteger() int64 {
	var b [8]byte
	// Never fails: see the documentation of crypto/rand.Read.
	_, _ = rand.Read(b[:])
	return int64(binary.BigEndian.Uint64(b[:]) >> 1)
}

// Optional gives a document as it lies in its column: NULL for the zero value.
func Optional(v interface{ IsZero() bool }) any {
	if v.IsZero() {
		return nil
	}
	return document{v}
}

// Date reads a row of one time; NULL is the zero time.
func Date(rows *sql.Rows) (time.Time, error) {
	var t time.Time
	err := rows.Scan(Time(&t))
	return t, err
}

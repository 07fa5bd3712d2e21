package bank

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/karbor/karbor"
)

// maxDocument bounds what GetJSON reads into memory. The resource graph of a
// project with 10,000 resources takes about 2 MiB.
const maxDocument = 64 << 20

// DecodeError is the error of a document that could be read but not understood.
type DecodeError struct {
	Key string
	Err error
}

// Error implements error.
func (e *DecodeError) Error() string {
	return fmt.Sprintf("decoding the document %s: %v", e.Key, e.Err)
}

// Unwrap gives the cause.
func (e *DecodeError) Unwrap() error { return e.Err }

// CreateJSON writes v as a JSON document (as encoding/json writes it, with no
// newline). One that is there with the same bytes is no error, so that a step that
// runs again does no harm; one with other bytes is karbor.Conflict.
func CreateJSON(ctx context.Context, b Bank, key string, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encoding the document %s: %w", key, err)
	}
	err = b.Create(ctx, key, bytes.NewReader(text), int64(len(text)))
	if karbor.KindOf(err) == karbor.Conflict {
		old, getErr := read(ctx, b, key, int64(len(text))+1)
		if getErr != nil {
			return getErr
		}
		if bytes.Equal(old, text) {
			return nil
		}
	}
	if err != nil {
		return fmt.Errorf("writing the document %s: %w", key, err)
	}
	return nil
}

// GetJSON reads the JSON document under key into v. One that is not exactly one
// JSON value that fits v is a *DecodeError.
func GetJSON(ctx context.Context, b Bank, key string, v any) error {
	text, err := read(ctx, b, key, maxDocument)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, v); err != nil {
		return &DecodeError{Key: key, Err: err}
	}
	return nil
}

// read gives the first limit bytes of an object.
func read(ctx context.Context, b Bank, key string, limit int64) ([]byte, error) {
	body, err := b.Get(ctx, key, 0, limit)
	if err != nil {
		return nil, fmt.Errorf("reading the document %s: %w", key, err)
	}
	text, err := io.ReadAll(body)
	if closeErr := body.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return nil, fmt.Errorf("reading the document %s: %w", key, err)
	}
	return text, nil
}

package session

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/internal/repository/format"
)

// maxDocument bounds a record and an epoch, in bytes.
const maxDocument = 64 << 20

// CreateDocument writes v, which is an object in JSON, as a checked document of the protocol. See
// bank.CreateJSON.
func CreateDocument(ctx context.Context, b bank.Bank, key string, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encoding the document %s: %w", key, err)
	}
	return bank.CreateJSON(ctx, b, key, json.RawMessage(format.AddDigest(key, text)))
}

// ReadDocument reads a checked document of the protocol into v. One that is not whole, or that does
// not fit v, is a *format.DamageError.
func ReadDocument(ctx context.Context, b bank.Bank, key string, v any) error {
	body, err := b.Get(ctx, key, 0, maxDocument+1)
	if err != nil {
		return fmt.Errorf("reading the document %s: %w", key, err)
	}
	text, err := io.ReadAll(body)
	if err := errors.Join(err, body.Close()); err != nil {
		return fmt.Errorf("reading the document %s: %w", key, err)
	}
	if len(text) > maxDocument {
		return &format.DamageError{What: "document", Why: fmt.Sprintf("%s has more than %d bytes", key, maxDocument)}
	}
	if err := format.CheckDigest(key, text); err != nil {
		return err
	}
	if err := json.Unmarshal(text, v); err != nil {
		return &format.DamageError{What: "document", Why: fmt.Sprintf("%s does not fit: %v", key, err)}
	}
	return nil
}

// Package record keeps what the hooks of an operation tell of a resource: how far it is, what
// was made of it, and what they note for themselves, so that another run, in another process,
// goes on from there.
package record

import (
	"context"
	"fmt"
	"log/slog"
	"slices"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
)

// Record is the row of one resource of one operation.
type Record struct {
	store     *store.Store
	operation string
	key       karbor.NodeKey
}

// Of gives the record of a resource of an operation.
func Of(db *store.Store, operation string, key karbor.NodeKey) Record {
	return Record{db, operation, key}
}

// Key names the resource.
func (r Record) Key() karbor.NodeKey { return r.key }

// Update changes the row.
func (r Record) Update(ctx context.Context, change func(*store.ResourceRecord)) error {
	err := r.store.UpdateResource(ctx, r.operation, r.key, func(row *store.ResourceRecord) error {
		change(row)
		return nil
	})
	if err != nil {
		return fmt.Errorf("recording the state of %s: %w", r.key, err)
	}
	return nil
}

// NotKept gives the function that records what a restore could not bring back.
func (r Record) NotKept(ctx context.Context, log *slog.Logger) func(string) {
	return func(sentence string) {
		err := r.Update(ctx, func(row *store.ResourceRecord) {
			if !slices.Contains(row.NotKept, sentence) {
				row.NotKept = append(row.NotKept, sentence)
			}
		})
		if err != nil {
			log.WarnContext(ctx, "what a restore could not bring back is not recorded", "operation", r.operation,
				"resource", r.key, "sentence", sentence, "error", err)
		}
	}
}

// Mapped gives the function that records what took the place of what in a restore.
func (r Record) Mapped(ctx context.Context, log *slog.Logger) func(string) {
	return func(sentence string) {
		err := r.Update(ctx, func(row *store.ResourceRecord) {
			if !slices.Contains(row.Mapped, sentence) {
				row.Mapped = append(row.Mapped, sentence)
			}
		})
		if err != nil {
			log.WarnContext(ctx, "what a restore has mapped is not recorded", "operation", r.operation,
				"resource", r.key, "sentence", sentence, "error", err)
		}
	}
}

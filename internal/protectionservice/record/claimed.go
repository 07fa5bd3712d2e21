package record

import (
	"context"

	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/protection"
)

// claimed are documents that only the newest attempt of a step writes: a process that was
// taken for dead, and comes back, keeps nothing in the bank that another goes on with.
type claimed struct {
	protection.Documents
	store *store.Store
}

// Sealed implements protection.Sealable.
func (c claimed) Sealed() bool { return protection.Sealed(c.Documents) }

// CreateJSON implements protection.Documents.
func (c claimed) CreateJSON(ctx context.Context, key string, v any) error {
	if err := c.store.Claimed(ctx); err != nil {
		return err
	}
	return c.Documents.CreateJSON(ctx, key, v)
}

// Documents gives the documents of a step, which only its newest attempt writes.
func Documents(d protection.Documents, db *store.Store) protection.Documents { return claimed{d, db} }

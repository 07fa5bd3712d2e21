package record

import (
	"context"
	"fmt"

	"github.com/karbor/karbor/protection"
)

// Ledger gives the ledger of what the hooks of the resource hold in the cloud for a while.
func (r Record) Ledger() protection.Ledger { return ledger{r} }

// ledger is protection.Ledger in the store.
type ledger struct{ Record }

// Hold implements protection.Ledger.
func (l ledger) Hold(ctx context.Context, h protection.Holding) error {
	if err := l.store.Hold(ctx, l.operation, l.key, h); err != nil {
		return fmt.Errorf("noting that the %s %s is held for %s: %w", h.Kind, h.ID, l.key, err)
	}
	return nil
}

// Release implements protection.Ledger.
func (l ledger) Release(ctx context.Context, kind protection.HoldingKind, id string) error {
	if err := l.store.Release(ctx, l.operation, kind, id); err != nil {
		return fmt.Errorf("noting that the %s %s is no more held for %s: %w", kind, id, l.key, err)
	}
	return nil
}

package checkpoint

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/internal/repository/format"
)

const (
	// maxLeaseLife is how long after it was written a lease may say that it lives. One that can't
	// be understood counts as living for so long.
	maxLeaseLife = 24 * time.Hour
	// maxLease bounds a lease that is read, in bytes.
	maxLease = 64 << 10
)

// writeRenewal writes a renewal. See bank.CreateJSON.
func writeRenewal(ctx context.Context, b bank.Bank, key string, doc leaseDocument) error {
	text, err := json.Marshal(doc)
	if err != nil {
		return fmt.Errorf("encoding the lease %s: %w", key, err)
	}
	return bank.CreateJSON(ctx, b, key, json.RawMessage(format.AddDigest(key, text)))
}

// readRenewal reads a renewal. One that is damaged may be of somebody who is at work: it counts as
// that of a lease that lives on until its owner has renewed it, or for as long as any may.
func readRenewal(ctx context.Context, b bank.Bank, key string) (leaseDocument, error) {
	body, err := b.Get(ctx, key, 0, maxLease)
	if err != nil {
		return leaseDocument{}, fmt.Errorf("reading the lease %s: %w", key, err)
	}
	text, err := io.ReadAll(body)
	if err := errors.Join(err, body.Close()); err != nil {
		return leaseDocument{}, fmt.Errorf("reading the lease %s: %w", key, err)
	}
	var doc leaseDocument
	// Leases had no digest at first.
	whole := !format.HasDigest(text) || format.CheckDigest(key, text) == nil
	if whole && json.Unmarshal(text, &doc) == nil && doc.Layout == layout && !doc.ExpiresAt.After(doc.RenewedAt.Add(maxLeaseLife)) {
		return doc, nil
	}
	i, err := b.Stat(ctx, key)
	if err != nil {
		return leaseDocument{}, fmt.Errorf("reading the lease %s: %w", key, err)
	}
	return leaseDocument{RenewedAt: i.ModTime, ExpiresAt: i.ModTime.Add(maxLeaseLife)}, nil
}

package copies

import (
	"context"
	"fmt"
	"strings"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/provider"
	"github.com/karbor/karbor/internal/store"
)

// mostReasons is how many failed copies an operation log tells of.
const mostReasons = 10

// End gives how a request ends whose lanes are over.
func (c *Copier) End(ctx context.Context, op store.Operation) (store.Outcome, error) {
	items, err := c.store.Copied(ctx, op.ID)
	if err != nil {
		return store.Outcome{}, err
	}
	o := store.Outcome{CopyStatus: karbor.CopyFinished, LogStatus: karbor.LogSuccess}
	var reasons []string
	for _, item := range items {
		if item.EndedAt.IsZero() {
			item.Reason = fmt.Sprintf("the provider's file has no copy target %q any more", item.Bank)
			if err := c.store.EndCopied(ctx, op, item.Position, store.CopiedOutcome{Reason: item.Reason}); err != nil {
				return store.Outcome{}, err
			}
			item.Status = karbor.CopyError
		}
		if item.Status != karbor.CopyError {
			continue
		}
		o.CopyStatus, o.LogStatus = karbor.CopyError, karbor.LogError
		reasons = append(reasons, fmt.Sprintf("checkpoint %s to %s: %s", item.CheckpointID, item.Bank, item.Reason))
	}
	if more := len(reasons) - mostReasons; more > 0 {
		reasons = append(reasons[:mostReasons], fmt.Sprintf("and %d more", more))
	}
	o.ErrorInfo = strings.Join(reasons, "; ")
	return o, nil
}

// Fail gives how a request ends that was cancelled, or that nobody can carry out: what was not
// copied by then is in error, and removed. The provider is nil where there is none any more.
func (c *Copier) Fail(ctx context.Context, op store.Operation, from *provider.Provider, reason string) (store.Outcome, error) {
	o := store.Outcome{CopyStatus: karbor.CopyError, LogStatus: karbor.LogError, ErrorInfo: reason}
	items, err := c.store.Copied(ctx, op.ID)
	if err != nil {
		return o, err
	}
	for _, item := range items {
		if !item.EndedAt.IsZero() {
			continue
		}
		if err := c.failOne(ctx, op, from, item, reason); err != nil {
			return o, err
		}
	}
	return o, nil
}

// failOne ends one copy of a request that has failed.
func (c *Copier) failOne(ctx context.Context, op store.Operation, from *provider.Provider, item store.Copied, reason string) error {
	// Of what has not begun nothing is in a bank.
	if from != nil && item.Status != karbor.CopyWaiting {
		if to, err := from.At(item.Bank); err == nil {
			return lane{Copier: c, op: op, to: to}.fail(ctx, item, reason)
		}
	}
	return c.store.EndCopied(ctx, op, item.Position, store.CopiedOutcome{Reason: reason})
}

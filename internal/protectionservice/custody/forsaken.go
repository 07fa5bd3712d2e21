package custody

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/provider"
	"github.com/karbor/karbor/internal/store"
)

// forsakenKey names a checkpoint in a place.
type forsakenKey struct {
	place *provider.Provider
	id    string
}

// Run ends, until ctx ends, checkpoints that nobody works on: a database that was
// lost or brought back from a copy has left them behind. One is ended when it is found
// twice, so that nothing is disturbed that ends or begins at that moment.
func (k *Keeper) Run(ctx context.Context) {
	ticker := time.NewTicker(k.upkeep.Interval)
	defer ticker.Stop()
	seen := map[forsakenKey]bool{}
	for {
		found := map[forsakenKey]bool{}
		for _, p := range k.places() {
			if state := k.bankOf(p); !state.leased || !state.filled {
				continue // keep sees to it first
			}
			if err := k.buryIn(ctx, p, seen, found); err != nil && ctx.Err() == nil {
				k.log.WarnContext(ctx, "it can't be looked for checkpoints that nobody works on; it is tried again",
					"provider", p.Place(), "error", err)
			}
		}
		seen = found
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// buryIn ends the forsaken checkpoints of one place that were seen before, and puts the
// others into found.
func (k *Keeper) buryIn(ctx context.Context, p *provider.Provider, seen, found map[forsakenKey]bool) error {
	// First the claims: an operation is there before its claim.
	owners, err := p.Checkpoints().Owners(ctx)
	if err != nil {
		return err
	}
	stuck, err := k.store.WorkedOn(ctx, p.ID, p.Target)
	if err != nil {
		return err
	}
	busy, err := k.store.BusyCheckpoints(ctx, p.ID)
	if err != nil {
		return err
	}
	var errs []error
	each := func(project, id string, bury func() error) {
		key := forsakenKey{p, id}
		switch {
		case busy[id] != "" || found[key]:
		case !seen[key]:
			found[key] = true
		default:
			if err := bury(); err != nil {
				errs = append(errs, fmt.Errorf("checkpoint %s of project %s: %w", id, project, err))
			}
		}
	}
	for _, o := range owners {
		for _, claim := range o.Claims {
			each(claim.ProjectID, claim.ID, func() error { return k.buryClaim(ctx, p, claim.ProjectID, claim.ID) })
		}
	}
	for _, cp := range stuck {
		each(cp.ProjectID, cp.ID, func() error { return k.correct(ctx, p, cp) })
	}
	return errors.Join(errs...)
}

// buryClaim ends a checkpoint that is claimed in the bank. One that another service with
// a living lease works on is left alone.
func (k *Keeper) buryClaim(ctx context.Context, p *provider.Provider, project, id string) error {
	cp, err := p.Checkpoints().Get(ctx, project, id)
	switch {
	case err != nil && karbor.KindOf(err) == karbor.NotFound:
		return nil
	case err != nil:
		return err
	case cp.ProviderID != p.ID:
		return nil
	case cp.Status != karbor.CheckpointProtecting && cp.Status != karbor.CheckpointDeleting:
		return p.Checkpoints().Settle(ctx, project, id)
	}
	err = k.bury(ctx, p, located(p, cp))
	if err != nil && karbor.KindOf(err) == karbor.Conflict {
		return nil
	}
	return err
}

// correct brings the catalogue's entry of a checkpoint that nobody works on to what the
// bank says, which is the truth.
func (k *Keeper) correct(ctx context.Context, p *provider.Provider, known store.WorkedOn) error {
	cp, err := p.Checkpoints().Get(ctx, known.ProjectID, known.ID)
	switch {
	case err != nil && karbor.KindOf(err) != karbor.NotFound:
		return err
	case err != nil && known.Status == karbor.CheckpointDeleting:
		k.log.WarnContext(ctx, "a checkpoint is deleting in the catalogue and gone from its bank", "provider", p.Place(), "checkpoint", known.ID)
		return k.store.PutCheckpoint(ctx, karbor.Checkpoint{
			ID: known.ID, ProjectID: known.ProjectID, ProviderID: p.ID, Status: karbor.CheckpointDeleted,
		})
	case err != nil:
		k.log.WarnContext(ctx, "a checkpoint is protecting in the catalogue and not in its bank", "provider", p.Place(), "checkpoint", known.ID)
		return k.store.SetCheckpointStatus(ctx, known.ProjectID, p.ID, known.ID, karbor.CheckpointError)
	case cp.Status == karbor.CheckpointProtecting || cp.Status == karbor.CheckpointDeleting:
		return k.buryClaim(ctx, p, known.ProjectID, known.ID)
	}
	k.log.WarnContext(ctx, "the catalogue's entry of a checkpoint is brought to what its bank says", "provider", p.Place(),
		"checkpoint", known.ID, "was", known.Status, "is", cp.Status)
	return k.store.PutCheckpoint(ctx, located(p, cp))
}

package custody

import (
	"context"
	"errors"
	"fmt"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/checkpoint"
	"github.com/karbor/karbor/internal/provider"
)

// fill fills the catalogue of a provider from its bank, which is the truth, unless
// that was done before, to the end: so a service with a new database lists, restores
// and deletes what the bank holds. It may be broken off and done again. No operation
// of the provider is accepted meanwhile.
func (k *Keeper) fill(ctx context.Context, p *provider.Provider) error {
	filled, err := k.store.CatalogueFilled(ctx, p.ID, p.Target)
	if err != nil || filled {
		return err
	}
	// What was accepted before a crash knows better how its checkpoint is.
	busy, err := k.store.BusyCheckpoints(ctx, p.ID)
	if err != nil {
		return err
	}
	found, broken := 0, 0
	drills := recovery{keeper: k, place: p}
	damaged := k.damaged(ctx, p)
	var closed []unopened
	err = p.Checkpoints().Scan(ctx, func(cp karbor.Checkpoint) error {
		if cp.ProviderID != p.ID || busy[cp.ID] != "" {
			return nil // of another provider in the same bank, or one that is worked on
		}
		found++
		if err := k.adopt(ctx, p, located(p, cp)); err != nil {
			return err
		}
		drills.of(ctx, cp)
		return ctx.Err()
	}, func(cp karbor.Checkpoint, err error) {
		if _, sealed := errors.AsType[*checkpoint.ClosedError](err); !sealed {
			broken++
			damaged(cp, err)
		} else if cp.ProviderID == p.ID && busy[cp.ID] == "" {
			closed = append(closed, unopened{located(p, cp), err})
		}
	})
	if err == nil {
		err = k.listClosed(ctx, p, closed)
	}
	drills.end(ctx)
	if err == nil && len(closed) == 0 && drills.unread == 0 { // else the next start looks whether the keys, and the records, are there
		err = k.store.FillCatalogue(ctx, p.ID, p.Target)
	}
	if err != nil {
		return fmt.Errorf("filling the catalogue of provider %s from its bank: %w", p.Place(), err)
	}
	if found > 0 || broken > 0 {
		k.log.InfoContext(ctx, "catalogue filled from the bank", "provider", p.Place(), "checkpoints", found, "damaged", broken)
	}
	return nil
}

// unopened is a checkpoint that is sealed, and whose key is not here.
type unopened struct {
	karbor.Checkpoint
	why error
}

// listClosed puts checkpoints that can't be opened into the catalogue, with what lies
// in the clear: in error, so that they can be deleted, and nothing else. What the
// catalogue knows of one stays; the bank is left as it is.
func (k *Keeper) listClosed(ctx context.Context, p *provider.Provider, closed []unopened) error {
	for _, cp := range closed {
		k.log.WarnContext(ctx, "a checkpoint in the bank can't be opened; until the key is there, it can only be deleted",
			"provider", p.Place(), "checkpoint", cp.ID, "project", cp.ProjectID, "error", cp.why)
		_, err := k.store.Checkpoint(ctx, cp.ProjectID, p.ID, cp.ID)
		if err == nil {
			continue
		}
		if karbor.KindOf(err) != karbor.NotFound {
			return err
		}
		cp.Reasons = map[string]string{"": karbor.Sentence(cp.why)}
		if cp.Status == karbor.CheckpointDeleting || cp.Status == karbor.CheckpointErrorDeleting {
			cp.Status = karbor.CheckpointErrorDeleting
		} else {
			cp.Status = karbor.CheckpointError
		}
		if err := k.store.PutCheckpoint(ctx, cp.Checkpoint); err != nil {
			return err
		}
	}
	return nil
}

// lost is the reason of a checkpoint whose operation went with its database.
const lost = "the service that worked on it has lost its database"

// adopt puts a checkpoint of the bank into the catalogue. One that nobody works on
// any more ends in error, from where it can be deleted.
func (k *Keeper) adopt(ctx context.Context, p *provider.Provider, cp karbor.Checkpoint) error {
	to := cp.Status
	switch cp.Status {
	case karbor.CheckpointProtecting:
		to = karbor.CheckpointError
	case karbor.CheckpointDeleting:
		to = karbor.CheckpointErrorDeleting
	default: // nobody was working on it
	}
	if to != cp.Status {
		reasons := map[string]string{"": lost}
		err := p.Checkpoints().SetState(ctx, cp.ProjectID, cp.ID, to, checkpoint.Change{
			From: []karbor.CheckpointStatus{cp.Status}, Reasons: reasons,
		})
		switch {
		case err == nil:
			cp.Status, cp.Reasons = to, reasons
		case karbor.KindOf(err) == karbor.Conflict: // another service works on it
		case karbor.IsTransient(err) || ctx.Err() != nil:
			return err
		default: // the bank is full, say: the catalogue tells, and a delete copes with it
			k.log.ErrorContext(ctx, "that a checkpoint is not worked on any more can't be recorded in its bank",
				"provider", p.Place(), "checkpoint", cp.ID, "error", err)
			cp.Status, cp.Reasons = to, reasons
		}
	}
	known, err := k.store.Checkpoint(ctx, cp.ProjectID, p.ID, cp.ID)
	if err == nil && known.Bank != cp.Bank && cp.Bank != "" {
		return nil // it is in another bank of the provider, too
	}
	if err == nil && known.Bank == cp.Bank && known.Status == cp.Status && known.Size == cp.Size && len(known.Graph.Nodes()) == len(cp.Graph.Nodes()) {
		return nil // an earlier try has come so far
	}
	if err != nil && karbor.KindOf(err) != karbor.NotFound {
		return err
	}
	return k.store.PutCheckpoint(ctx, cp)
}

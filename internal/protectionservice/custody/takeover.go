package custody

import (
	"context"
	"errors"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/checkpoint"
	"github.com/karbor/karbor/internal/protectionservice/proof"
	"github.com/karbor/karbor/internal/provider"
)

// abandoned is the reason of a checkpoint whose service has gone.
const abandoned = "the service that worked on it has gone"

// tidy takes over what services that are gone left unfinished, and removes old
// tombstones; then it sees to the records of drills. Each of the two has the time between two
// rounds, and a bank that is slow at the one does not keep the other from its turn.
func (k *Keeper) tidy(ctx context.Context, p *provider.Provider) {
	k.within(ctx, p, "unfinished checkpoints and tombstones", func(ctx context.Context) error {
		err := k.takeOver(ctx, p)
		removed, sweepErr := p.Checkpoints().SweepTombstones(ctx, k.upkeep.Tombstones)
		if removed > 0 {
			k.log.InfoContext(ctx, "old tombstones removed", "provider", p.Place(), "checkpoints", removed)
		}
		return errors.Join(err, sweepErr)
	})
	k.within(ctx, p, "records of drills", func(ctx context.Context) error {
		return proof.Tidy(ctx, k.store, p, k.log)
	})
}

// leastTurn is what a turn of upkeep gets at least, however short the time between two rounds is: one that
// is always cut off gets nowhere.
const leastTurn = time.Second

// within does something for as long as the time between two rounds, and logs its failure: also that
// it took longer.
func (k *Keeper) within(ctx context.Context, p *provider.Provider, what string, do func(context.Context) error) {
	limited, cancel := context.WithTimeout(ctx, max(k.upkeep.Interval, leastTurn))
	defer cancel()
	if err := do(limited); err != nil && ctx.Err() == nil {
		k.log.ErrorContext(ctx, "tidying a bank up failed; it is tried again", "provider", p.Place(), "what", what, "error", err)
	}
}

// takeOver ends what dead owners were at, as failed: from there it can be deleted.
func (k *Keeper) takeOver(ctx context.Context, p *provider.Provider) error {
	zombies, err := p.Checkpoints().Zombies(ctx, k.damaged(ctx, p))
	if err != nil {
		return err
	}
	busy, err := k.store.BusyCheckpoints(ctx, p.ID)
	if err != nil {
		return err
	}
	var errs []error
	for _, cp := range zombies {
		if cp.ProviderID != p.ID || busy[cp.ID] != "" {
			continue
		}
		err := k.bury(ctx, p, located(p, cp))
		if karbor.KindOf(err) == karbor.Conflict && err != nil {
			continue // another service was first
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// bury ends one checkpoint that a dead owner was at.
func (k *Keeper) bury(ctx context.Context, p *provider.Provider, cp karbor.Checkpoint) error {
	to := karbor.CheckpointErrorDeleting
	var err error
	if cp.Status == karbor.CheckpointProtecting {
		to, err = karbor.CheckpointError, p.Checkpoints().Create(ctx, cp)
		if err == nil {
			err = p.Checkpoints().Discard(ctx, cp.ProjectID, cp.ID)
		}
		if errors.Is(err, checkpoint.ErrLocked) {
			err = nil // it goes when the checkpoint is deleted
		}
	} else {
		err = p.Checkpoints().SetState(ctx, cp.ProjectID, cp.ID, cp.Status, checkpoint.Change{})
	}
	if err != nil {
		return err
	}
	cp.Reasons = map[string]string{"": abandoned}
	if err := p.Checkpoints().SetState(ctx, cp.ProjectID, cp.ID, to, checkpoint.Change{Reasons: cp.Reasons}); err != nil {
		return err
	}
	cp.Status, cp.UpdatedAt = to, k.now()
	k.log.WarnContext(ctx, "the checkpoint of a service that has gone is taken over", "provider", p.Place(),
		"checkpoint", cp.ID, "project", cp.ProjectID, "status", to)
	return k.store.PutCheckpoint(ctx, cp)
}

// damaged gives the function that tells the operator of checkpoints that can't be read.
func (k *Keeper) damaged(ctx context.Context, p *provider.Provider) checkpoint.Unread {
	return func(cp karbor.Checkpoint, err error) {
		k.log.ErrorContext(ctx, "a checkpoint in the bank can't be read; it is left as it is",
			"provider", p.Place(), "checkpoint", cp.ID, "project", cp.ProjectID, "error", err)
	}
}

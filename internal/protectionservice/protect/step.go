package protect

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/checkpoint"
	"github.com/karbor/karbor/internal/protectionservice/flow"
	"github.com/karbor/karbor/internal/protectionservice/hooks"
	"github.com/karbor/karbor/internal/protectionservice/outcome"
	"github.com/karbor/karbor/internal/protectionservice/running"
	"github.com/karbor/karbor/internal/store"
)

// Begin makes a checkpoint visible in the bank.
func Begin(ctx context.Context, w running.Work, operations *running.Operations) error {
	cp, err := operations.Made(ctx, w.Op)
	if err != nil {
		return err
	}
	return w.Provider.Checkpoints().Create(ctx, cp)
}

// End makes a checkpoint available in the bank; whole says that no step before has made it there.
func End(ctx context.Context, w running.Work, operations *running.Operations, rows []store.ResourceRecord, whole bool) (store.Outcome, error) {
	o := Made(w, rows)
	err := publish(ctx, operations, w, whole, checkpoint.Change{
		From: []karbor.CheckpointStatus{karbor.CheckpointProtecting}, Size: o.Size, Figures: o.Figures,
	})
	if err != nil {
		return o, fmt.Errorf("ending operation %s: %w", w.Op.ID, err)
	}
	return o, nil
}

// Made is how an operation ends whose checkpoint is available in the bank.
func Made(w running.Work, rows []store.ResourceRecord) store.Outcome {
	o := store.Outcome{CheckpointStatus: karbor.CheckpointAvailable, LogStatus: karbor.LogStatus(karbor.CheckpointAvailable)}
	for _, r := range rows {
		o.Size += r.Total
	}
	o.Figures = outcome.Figures(w.Op.Graph, rows, w.Provider.SharesData())
	return o
}

// stillThere is why something is left of a protect that has ended well.
const stillThere = "something temporary was not gone when the checkpoint was whole"

// Left gives what is temporary, and was not gone when a protect ended well. It is removed later.
func Left(ctx context.Context, w running.Work, s *store.Store) (map[karbor.NodeKey]string, error) {
	sweeps := func(key karbor.NodeKey) bool {
		n := w.Op.Graph.Node(key)
		return n != nil && hooks.Of(w.Provider, karbor.Protect, n.Type).Sweep != nil
	}
	if !slices.ContainsFunc(w.Op.Graph.Nodes(), func(n *karbor.Node) bool { return sweeps(n.Key()) }) {
		return nil, nil
	}
	held, err := s.Holding(ctx, w.Op.ID)
	if err != nil {
		return nil, err
	}
	left := map[karbor.NodeKey]string{}
	for _, key := range held {
		if sweeps(key) {
			left[key] = stillThere
		}
	}
	return left, nil
}

// Undone reports whether any of what the hooks made was removed: then a checkpoint is not whole,
// whatever its bank says.
func Undone(rows []store.ResourceRecord) bool {
	return slices.ContainsFunc(rows, func(r store.ResourceRecord) bool { return r.Phase == flow.Undo })
}

// publish makes a checkpoint available in the bank; whole says that no step before has
// made it there.
func publish(ctx context.Context, operations *running.Operations, w running.Work, whole bool, change checkpoint.Change) error {
	if !whole {
		return w.Provider.Checkpoints().SetState(ctx, w.Op.ProjectID, w.Op.CheckpointID, karbor.CheckpointAvailable, change)
	}
	cp, err := operations.Made(ctx, w.Op)
	if err != nil {
		return err
	}
	return w.Provider.Checkpoints().CreateAvailable(ctx, cp, change)
}

// Discard removes from the bank what a checkpoint that could not be made has kept
// there. Where the bank does not let it, it gives the bytes that stay: they count until
// the checkpoint is deleted.
func Discard(ctx context.Context, operations *running.Operations, log *slog.Logger, op store.Operation, rows []store.ResourceRecord, patient bool) (left int64, err error) {
	p, err := operations.Place(op)
	if err == nil {
		if err = p.Checkpoints().Discard(ctx, op.ProjectID, op.CheckpointID); err == nil {
			return 0, nil
		}
	}
	if ctx.Err() != nil || patient && karbor.IsTransient(err) {
		return 0, fmt.Errorf("removing what the failed checkpoint %s has kept in the bank: %w", op.CheckpointID, err)
	}
	for _, r := range rows {
		left += r.Total
	}
	level := slog.LevelError
	if errors.Is(err, checkpoint.ErrLocked) {
		level = slog.LevelInfo // a bank that locks all that is written does so each time
	}
	log.Log(ctx, level, "what a checkpoint that could not be made has kept stays in its bank until it is deleted",
		"operation", op.ID, "checkpoint", op.CheckpointID, "provider", op.ProviderID, "bytes", left, "error", err)
	return left, nil
}

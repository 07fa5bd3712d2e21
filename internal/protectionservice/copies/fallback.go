package copies

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/internal/checkpoint"
	"github.com/karbor/karbor/internal/protectionservice/custody"
	"github.com/karbor/karbor/internal/provider"
	"github.com/karbor/karbor/internal/repository/chunks"
	"github.com/karbor/karbor/internal/repository/format"
	"github.com/karbor/karbor/internal/repository/verification"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/internal/workflow"
)

// bankPatience is how often a bank that does not answer is asked for a checkpoint before a copy
// of it stands in.
const bankPatience = 3

// BeginReading makes sure that what an operation is to read is in its bank; else it has a copy
// stand in, if there is one. What the catalogue said when the operation was accepted need not be
// true of the bank. For a verification, damage is what it is to find.
func (s *StandIns) BeginReading(ctx context.Context, op store.Operation, from *provider.Provider, task *workflow.Task) error {
	copies, err := s.store.CopiesOf(ctx, op.ProjectID, op.ProviderID, op.CheckpointID)
	if err != nil || len(copies) == 0 {
		return err
	}
	trouble := s.look(ctx, from, op.ProjectID, op.CheckpointID, op.Type == karbor.RestoreOperation)
	switch {
	case trouble == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case op.Type == karbor.Verify && IsDamage(trouble):
		return nil
	case karbor.IsTransient(trouble) && task.Attempt < bankPatience:
		return trouble
	}
	for _, one := range copies {
		at, err := from.At(one.Bank)
		if err != nil || one.Status != karbor.CheckpointAvailable {
			continue
		}
		if err := s.look(ctx, at, one.ProjectID, one.ID, true); err != nil {
			s.log.WarnContext(ctx, "a copy can't stand in", "operation", op.ID, "copy", one.ID, "bank", one.Bank, "error", err)
			continue
		}
		return s.standIn(ctx, op, one, trouble)
	}
	return nil // the hooks find out, and tell of what they can't read
}

// look reads what is needed of a checkpoint: its documents, and, if all counts, that each
// reference of its data leads somewhere.
func (s *StandIns) look(ctx context.Context, p *provider.Provider, project, id string, all bool) error {
	cp, err := p.Checkpoints().Get(ctx, project, id)
	if err != nil || !all {
		return err
	}
	for _, n := range cp.Graph.Nodes() {
		if err := ReadDocuments(ctx, p, project, id, n.Key()); err != nil {
			return err
		}
		streams, err := p.Streams(project, id, n.Key())
		if err != nil {
			return err
		}
		names, err := streams.Names(ctx)
		if err != nil {
			return err
		}
		for _, name := range names {
			if err := streams.Verifying(verification.Options{Depth: verification.Quick}).Verify(ctx, name, nil); err != nil {
				return err
			}
		}
	}
	return nil
}

// ReadDocuments reads all documents of a node.
func ReadDocuments(ctx context.Context, p *provider.Provider, project, id string, node karbor.NodeKey) error {
	documents, err := p.Checkpoints().Documents(project, id, node)
	if err != nil {
		return err
	}
	keys, err := documents.Keys(ctx)
	if err != nil {
		return err
	}
	for _, key := range keys {
		var text json.RawMessage
		if err := documents.GetJSON(ctx, key, &text); err != nil {
			return err
		}
	}
	return nil
}

// standIn has an operation read a copy from now on.
func (s *StandIns) standIn(ctx context.Context, op store.Operation, made karbor.Checkpoint, why error) error {
	in := karbor.StandIn{CheckpointID: made.ID, Bank: made.Bank, Reason: lostReason(why)}
	if err := s.store.StandIn(ctx, op.ID, in); err != nil {
		return fmt.Errorf("having the copy %s stand in: %w", made.ID, err)
	}
	s.log.WarnContext(ctx, "a copy stands in for a checkpoint that can't be read", "operation", op.ID, "checkpoint", op.CheckpointID,
		"copy", made.ID, "bank", made.Bank, "error", why)
	return nil
}

// lostReason says, for the tenant, why a checkpoint can't be read.
func lostReason(err error) string {
	switch {
	case karbor.KindOf(err) == karbor.NotFound:
		return "it is not in its bank any more"
	case IsDamage(err):
		return "it is damaged in its bank"
	default:
		return custody.Reason(err)
	}
}

// IsDamage reports whether an error says that something in a bank is not what was written.
func IsDamage(err error) bool {
	_, inDomain := errors.AsType[*format.DamageError](err)
	_, inChunks := errors.AsType[*chunks.DamageError](err)
	_, inDocument := errors.AsType[*checkpoint.DamageError](err)
	_, inJSON := errors.AsType[*bank.DecodeError](err)
	return inDomain || inChunks || inDocument || inJSON
}

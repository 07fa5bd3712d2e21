package protectionservice

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/internal/checkpoint"
	"github.com/karbor/karbor/internal/provider"
	"github.com/karbor/karbor/internal/repository"
	"github.com/karbor/karbor/internal/repository/chunks"
	"github.com/karbor/karbor/internal/repository/format"
	"github.com/karbor/karbor/internal/repository/verification"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/internal/workflow"
	"github.com/karbor/karbor/protection"
)

// bankPatience is how often a bank that does not answer is asked for a checkpoint before a copy
// of it stands in.
const bankPatience = 3

// beginReading makes sure that what an operation is to read is in its bank; else it has a copy
// stand in, if there is one. What the catalogue said when the operation was accepted need not be
// true of the bank. For a verification, damage is what it is to find.
func (s *Service) beginReading(ctx context.Context, w work, task *workflow.Task) error {
	copies, err := s.store.CopiesOf(ctx, w.op.ProjectID, w.op.ProviderID, w.op.CheckpointID)
	if err != nil || len(copies) == 0 {
		return err
	}
	trouble := s.look(ctx, w.provider, w.op.ProjectID, w.op.CheckpointID, w.op.Type == karbor.RestoreOperation)
	switch {
	case trouble == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case w.op.Type == karbor.Verify && isDamage(trouble):
		return nil
	case karbor.IsTransient(trouble) && task.Attempt < bankPatience:
		return trouble
	}
	for _, one := range copies {
		at, err := w.provider.At(one.Bank)
		if err != nil || one.Status != karbor.CheckpointAvailable {
			continue
		}
		if err := s.look(ctx, at, one.ProjectID, one.ID, true); err != nil {
			s.log.WarnContext(ctx, "a copy can't stand in", "operation", w.op.ID, "copy", one.ID, "bank", one.Bank, "error", err)
			continue
		}
		return s.standIn(ctx, w.op, one, trouble)
	}
	return nil // the hooks find out, and tell of what they can't read
}

// look reads what is needed of a checkpoint: its documents, and, if all counts, that each
// reference of its data leads somewhere.
func (s *Service) look(ctx context.Context, p *provider.Provider, project, id string, all bool) error {
	cp, err := p.Checkpoints().Get(ctx, project, id)
	if err != nil || !all {
		return err
	}
	for _, n := range cp.Graph.Nodes() {
		if err := readDocuments(ctx, p, project, id, n.Key()); err != nil {
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

// readDocuments reads all documents of a node.
func readDocuments(ctx context.Context, p *provider.Provider, project, id string, node karbor.NodeKey) error {
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
func (s *Service) standIn(ctx context.Context, op store.Operation, made karbor.Checkpoint, why error) error {
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
	case isDamage(err):
		return "it is damaged in its bank"
	default:
		return reason(err)
	}
}

// isDamage reports whether an error says that something in a bank is not what was written.
func isDamage(err error) bool {
	_, inDomain := errors.AsType[*format.DamageError](err)
	_, inChunks := errors.AsType[*chunks.DamageError](err)
	_, inDocument := errors.AsType[*checkpoint.DamageError](err)
	_, inJSON := errors.AsType[*bank.DecodeError](err)
	return inDomain || inChunks || inDocument || inJSON
}

// backed is the data of a node in a restore, which is read from a copy from where the
// checkpoint's own turns out to be damaged, or gone.
type backed struct {
	*repository.Streams
	service *Service
	w       work
	node    karbor.NodeKey
}

// backedBy gives the data of a node, backed by copies in a restore of what is no copy.
func (s *Service) backedBy(w work, node karbor.NodeKey, streams *repository.Streams) protection.Repository {
	if w.op.Type != karbor.RestoreOperation || w.op.Bank != "" || len(w.provider.Targets()) == 0 {
		return streams
	}
	return backed{streams, s, w, node}
}

// Open implements protection.Repository.
func (b backed) Open(ctx context.Context, name string) (protection.Reader, error) {
	r, err := b.Streams.Open(ctx, name)
	if err == nil {
		other := func(offset int64, trouble error) protection.Reader { return b.spare(ctx, name, offset, trouble) }
		return &backedReader{Reader: r, other: other}, nil
	}
	if spare := b.spare(ctx, name, 0, err); spare != nil {
		return spare, nil
	}
	return nil, err
}

// spare opens a stream in a copy, from an offset on; nil if there is none that is good, or no need.
func (b backed) spare(ctx context.Context, name string, offset int64, trouble error) protection.Reader {
	if ctx.Err() != nil || !isDamage(trouble) && (karbor.KindOf(trouble) != karbor.NotFound || trouble == nil) {
		return nil
	}
	s, op := b.service, b.w.op
	copies, err := s.store.CopiesOf(ctx, op.ProjectID, op.ProviderID, op.CheckpointID)
	if err != nil {
		return nil
	}
	for _, one := range copies {
		at, err := b.w.provider.At(one.Bank)
		if err != nil || one.Status != karbor.CheckpointAvailable {
			continue
		}
		streams, err := at.Streams(op.ProjectID, one.ID, b.node)
		if err != nil {
			continue
		}
		r, err := streams.OpenAt(ctx, name, offset)
		if err != nil {
			s.log.WarnContext(ctx, "a copy can't stand in", "operation", op.ID, "copy", one.ID, "bank", one.Bank, "error", err)
			continue
		}
		// From here on the copy is in use, unless it is being deleted already.
		in := karbor.StandIn{CheckpointID: one.ID, Bank: one.Bank, Reason: fmt.Sprintf("the data of %s is damaged in its bank", b.node)}
		if err := s.store.SayStandIn(ctx, op.ID, in); err != nil {
			s.log.WarnContext(ctx, "a copy can't stand in", "operation", op.ID, "copy", one.ID, "bank", one.Bank, "error", errors.Join(err, r.Close()))
			continue
		}
		s.log.WarnContext(ctx, "data that is damaged is read from a copy", "operation", op.ID, "checkpoint", op.CheckpointID, "resource", b.node,
			"data", name, "offset", offset, "copy", one.ID, "bank", one.Bank, "error", trouble)
		return r
	}
	return nil
}

// backedReader goes on in a copy where the first reader finds damage.
type backedReader struct {
	protection.Reader
	// other opens the copy, or gives nil; it is nil once it has.
	other func(offset int64, trouble error) protection.Reader
	read  int64
}

// Read implements io.Reader.
func (r *backedReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	r.read += int64(n)
	if err == nil || err == io.EOF || r.other == nil { //nolint:errorlint // damage that has a broken connection beside it is no end
		return n, err
	}
	other := r.other(r.read, err)
	if other == nil {
		return n, err
	}
	_ = r.Close() // it is given up, and has said what is wrong with it
	r.Reader, r.other = other, nil
	if n > 0 {
		return n, nil
	}
	return r.Read(p)
}

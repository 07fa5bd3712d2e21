package copies

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/provider"
	"github.com/karbor/karbor/internal/repository"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/protection"
)

// backed is the data of a node in a restore, which is read from a copy from where the
// checkpoint's own turns out to be damaged, or gone.
type backed struct {
	*repository.Streams
	in   *StandIns
	op   store.Operation
	from *provider.Provider
	node karbor.NodeKey
}

// Backed gives the data of a node, backed by copies in a restore of what is no copy.
func (s *StandIns) Backed(op store.Operation, from *provider.Provider, node karbor.NodeKey, streams *repository.Streams) protection.Repository {
	if op.Type != karbor.RestoreOperation || op.Bank != "" || len(from.Targets()) == 0 {
		return streams
	}
	return backed{streams, s, op, from, node}
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
	if ctx.Err() != nil || !IsDamage(trouble) && (karbor.KindOf(trouble) != karbor.NotFound || trouble == nil) {
		return nil
	}
	s, op := b.in, b.op
	copies, err := s.store.CopiesOf(ctx, op.ProjectID, op.ProviderID, op.CheckpointID)
	if err != nil {
		return nil
	}
	for _, one := range copies {
		at, err := b.from.At(one.Bank)
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

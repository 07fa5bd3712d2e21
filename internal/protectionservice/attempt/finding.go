package attempt

import (
	"context"
	"errors"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice/copies"
	"github.com/karbor/karbor/internal/protectionservice/deadline"
	"github.com/karbor/karbor/internal/protectionservice/record"
	"github.com/karbor/karbor/internal/protectionservice/running"
	"github.com/karbor/karbor/internal/repository"
	"github.com/karbor/karbor/internal/repository/verification"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/protection"
)

// verifyKept gives the Main hook for a node of which hooks.KeepsOnly is true: all documents and all
// data that it has in the bank can be read. What was there and is not, the
// end of the verification tells.
func (r *Runner) verifyKept(w running.Work, node *karbor.Node) protection.Hook {
	return func(ctx context.Context, call *protection.Call) error {
		if err := copies.ReadDocuments(ctx, w.Provider, w.Op.ProjectID, w.Op.CheckpointID, node.Key()); err != nil {
			return err
		}
		streams, err := r.streams(w, node)
		if err != nil {
			return err
		}
		names, err := streams.Names(ctx)
		if err != nil {
			return err
		}
		for _, name := range names {
			if err := call.Data.Verify(ctx, name, call.Progress); err != nil {
				return err
			}
		}
		return nil
	}
}

// streams gives the data of a node. In a verification it is looked at as deep as the
// parameters say, and packs that the node shares with others only once.
func (r *Runner) streams(w running.Work, node *karbor.Node) (*repository.Streams, error) {
	streams, err := w.Provider.Streams(w.Op.ProjectID, w.Op.CheckpointID, node.Key())
	if err != nil || w.Op.Type != karbor.Verify {
		return streams, err
	}
	word, _ := w.Op.Parameters.For(node.Resource)["depth"].(string)
	depth, err := verification.ParseDepth(word)
	if err != nil {
		return nil, err
	}
	return streams.Verifying(verification.Options{Depth: depth, State: r.verified.of(w.Op.ID)}), nil
}

// isFinding reports whether the error of a hook is what a verification has found of its
// resource, and not a failure to find out.
func isFinding(ctx context.Context, op store.Operation, err error) bool {
	return op.Type == karbor.Verify && err != nil && ctx.Err() == nil && !karbor.IsTransient(err) &&
		!errors.Is(err, deadline.ErrStalled)
}

// found keeps what was found of a resource. The others are verified all the same.
func (r *Runner) found(ctx context.Context, op store.Operation, row record.Record, finding error) error {
	r.log.WarnContext(ctx, "a verification has found a fault", "operation", op.ID, "checkpoint", op.CheckpointID, "resource", row.Key(), "error", finding)
	return row.Update(ctx, func(row *store.ResourceRecord) {
		row.State, row.Reason, row.Phase = karbor.ResourceError, karbor.Sentence(finding), ""
	})
}

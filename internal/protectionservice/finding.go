package protectionservice

import (
	"context"
	"errors"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/checkpoint"
	"github.com/karbor/karbor/internal/protectionservice/copies"
	"github.com/karbor/karbor/internal/protectionservice/deadline"
	"github.com/karbor/karbor/internal/protectionservice/flow"
	"github.com/karbor/karbor/internal/protectionservice/record"
	"github.com/karbor/karbor/internal/provider"
	"github.com/karbor/karbor/internal/repository"
	"github.com/karbor/karbor/internal/repository/verification"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/protection"
)

// hooksOf gives what a provider does in an operation for a type. What has no hooks of its own
// for a verification, but keeps something, is verified by what lies in the bank.
func hooksOf(p *provider.Provider, op karbor.OperationType, t karbor.ResourceType) protection.Hooks {
	if op == karbor.DrillOperation {
		return drillHooks(p, t)
	}
	if p.Target != "" && op == karbor.Delete {
		return protection.Hooks{} // what a copy has is all in its bank
	}
	h := p.Hooks(op, t)
	if keepsOnly(p, op, t) {
		h.Offline, h.Main = true, verifyNothing
	}
	return h
}

// keepsOnly reports whether a plug-in keeps something of a type and does not verify it.
func keepsOnly(p *provider.Provider, op karbor.OperationType, t karbor.ResourceType) bool {
	return op == karbor.Verify && flow.Idle(p.Hooks(op, t)) && !flow.Idle(p.Hooks(karbor.Protect, t))
}

// verifyNothing stands for verifyKept where no node is known yet.
func verifyNothing(context.Context, *protection.Call) error { return nil }

// verifyKept gives the Main hook for a node of which keepsOnly is true: all documents and all
// data that it has in the bank can be read. What was there and is not, lossesOf
// tells.
func (s *Service) verifyKept(w work, node *karbor.Node) protection.Hook {
	return func(ctx context.Context, call *protection.Call) error {
		if err := copies.ReadDocuments(ctx, w.provider, w.op.ProjectID, w.op.CheckpointID, node.Key()); err != nil {
			return err
		}
		streams, err := s.streams(w, node)
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
func (s *Service) streams(w work, node *karbor.Node) (*repository.Streams, error) {
	streams, err := w.provider.Streams(w.op.ProjectID, w.op.CheckpointID, node.Key())
	if err != nil || w.op.Type != karbor.Verify {
		return streams, err
	}
	word, _ := w.op.Parameters.For(node.Resource)["depth"].(string)
	depth, err := verification.ParseDepth(word)
	if err != nil {
		return nil, err
	}
	return streams.Verifying(verification.Options{Depth: depth, State: s.lookedAt(w.op.ID)}), nil
}

// lookedAt gives what was found good in a verification so far.
func (s *Service) lookedAt(operation string) *verification.State {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.verified[operation] == nil {
		s.verified[operation] = verification.NewState()
	}
	return s.verified[operation]
}

// isFinding reports whether the error of a hook is what a verification has found of its
// resource, and not a failure to find out.
func isFinding(ctx context.Context, op store.Operation, err error) bool {
	return op.Type == karbor.Verify && err != nil && ctx.Err() == nil && !karbor.IsTransient(err) &&
		!errors.Is(err, deadline.ErrStalled)
}

// plain makes a sentence for the tenant of damage that is told to operators only.
func plain(err error) error {
	if _, damaged := errors.AsType[*checkpoint.DamageError](err); damaged {
		return &karbor.Error{Kind: karbor.Internal, Message: "a document that is kept of it in the bank is damaged", Cause: err}
	}
	return err
}

// found keeps what was found of a resource. The others are verified all the same.
func (s *Service) found(ctx context.Context, op store.Operation, r record.Record, finding error) error {
	s.log.WarnContext(ctx, "a verification has found a fault", "operation", op.ID, "checkpoint", op.CheckpointID, "resource", r.Key(), "error", finding)
	return r.Update(ctx, func(row *store.ResourceRecord) {
		row.State, row.Reason, row.Phase = karbor.ResourceError, karbor.Sentence(finding), ""
	})
}

package protectionservice

import (
	"context"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice/deadline"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/protection"
)

// watch makes the watch over one run of a hook of a resource. A hook that does not even
// return when it has to has its operation ended as it lies, as an operator would do.
func (s *Service) watch(op store.Operation, node *karbor.Node, word string) *deadline.Watch {
	return deadline.New(deadline.Options{
		Limits: s.phases, Phase: word, Now: s.now,
		Queued: func() bool { _, queued := s.transfers.Waiting(op.ID)[node.Key()]; return queued },
		Stuck: func(ctx context.Context, sentence string) error {
			reason := karbor.Sentence(explain(karbor.Errorf(karbor.Unavailable, "%s", sentence), node))
			s.log.ErrorContext(ctx, "a hook does not return; its operation is ended as it lies", "operation", op.ID,
				"resource", node.Key(), "phase", word)
			err := s.store.AskOperation(ctx, store.Request{OperationID: op.ID, Kind: store.FailRequest, Reason: "ended by the service: " + reason})
			if karbor.KindOf(err) == karbor.Conflict {
				return nil // it is over, or somebody has asked for that
			}
			return err
		},
	})
}

// watched gives a hook under a watch.
func (s *Service) watched(op store.Operation, node *karbor.Node, word string, hook protection.Hook) protection.Hook {
	return func(ctx context.Context, call *protection.Call) error {
		return s.watch(op, node, word).Run(ctx, hook, call)
	}
}

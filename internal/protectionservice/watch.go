package protectionservice

import (
	"context"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice/deadline"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/protection"
)

// watch makes the watch over one run of a hook of a resource. A hook that does not even
// return when it has to has its operation ended as it lies, as an operator would do. If it
// returns while that is only asked for, it is taken back: what is to be undone is undone.
func (s *Service) watch(op store.Operation, node *karbor.Node, word string) *deadline.Watch {
	request := func(sentence string) store.Request {
		reason := karbor.Sentence(explain(karbor.Errorf(karbor.Unavailable, "%s", sentence), node))
		return store.Request{OperationID: op.ID, Kind: store.FailRequest, Reason: "ended by the service: " + reason}
	}
	log := s.log.With("operation", op.ID, "resource", node.Key(), "phase", word)
	return deadline.New(deadline.Options{
		Limits: s.phases, Phase: word, Now: s.now,
		Queued: func() bool { _, queued := s.transfers.Waiting(op.ID)[node.Key()]; return queued },
		Stuck: func(ctx context.Context, sentence string) (over bool) {
			err := s.store.Claimed(ctx) // else the step goes on elsewhere, and this run counts no more
			if err == nil {
				err = s.store.AskOperation(ctx, request(sentence))
			}
			switch kind := karbor.KindOf(err); {
			case err == nil:
				log.ErrorContext(ctx, "a hook does not return; its operation is ended as it lies")
			case kind == karbor.Conflict, kind == karbor.NotFound:
				return true
			default:
				log.ErrorContext(ctx, "a hook does not return, and its operation can't be ended yet", "error", err)
			}
			return false
		},
		Returned: func(ctx context.Context, sentence string) {
			if err := s.store.WithdrawRequest(ctx, request(sentence), "the hook has returned"); err != nil {
				log.ErrorContext(ctx, "a hook has returned, and its operation may still be ended as it lies", "error", err)
			}
		},
	})
}

// watched gives a hook under a watch.
func (s *Service) watched(op store.Operation, node *karbor.Node, word string, hook protection.Hook) protection.Hook {
	return func(ctx context.Context, call *protection.Call) error {
		return s.watch(op, node, word).Run(ctx, hook, call)
	}
}

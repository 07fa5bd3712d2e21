package attempt

import (
	"context"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice/deadline"
	"github.com/karbor/karbor/internal/protectionservice/outcome"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/protection"
)

// watch makes the watch over one run of a hook of a resource. A hook that does not even
// return when it has to has its operation ended as it lies, as an operator would do. If it
// returns while that is only asked for, it is taken back: what is to be undone is undone.
func (r *Runner) watch(op store.Operation, node *karbor.Node, word string) *deadline.Watch {
	request := func(sentence string) store.Request {
		reason := karbor.Sentence(outcome.Of(node, karbor.Errorf(karbor.Unavailable, "%s", sentence)))
		return store.Request{OperationID: op.ID, Kind: store.FailRequest, Reason: "ended by the service: " + reason}
	}
	log := r.log.With("operation", op.ID, "resource", node.Key(), "phase", word)
	return deadline.New(deadline.Options{
		Limits: r.phases, Phase: word, Now: r.now,
		Queued: func() bool { _, queued := r.transfers.Waiting(op.ID)[node.Key()]; return queued },
		Stuck: func(ctx context.Context, sentence string) (over bool) {
			err := r.store.Claimed(ctx) // else the step goes on elsewhere, and this run counts no more
			if err == nil {
				err = r.store.AskOperation(ctx, request(sentence))
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
			if err := r.store.WithdrawRequest(ctx, request(sentence), "the hook has returned"); err != nil {
				log.ErrorContext(ctx, "a hook has returned, and its operation may still be ended as it lies", "error", err)
			}
		},
	})
}

// watched gives a hook under a watch.
func (r *Runner) watched(op store.Operation, node *karbor.Node, word string, hook protection.Hook) protection.Hook {
	return func(ctx context.Context, call *protection.Call) error {
		return r.watch(op, node, word).Run(ctx, hook, call)
	}
}

package attempt

import (
	"context"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice/deadline"
	"github.com/karbor/karbor/internal/protectionservice/outcome"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/protection"
)

// watch makes the watch over one run of a hook of a resource.
func (r *Runner) watch(op store.Operation, node *karbor.Node, word string) *deadline.Watch {
	return r.guard.Watch(deadline.Subject{
		Operation: op.ID, Phase: word, Named: "the hook", Of: string(node.Key()),
		Reason: func(sentence string) string {
			return karbor.Sentence(outcome.Of(node, karbor.Errorf(karbor.Unavailable, "%s", sentence)))
		},
		Queued: func() bool { _, queued := r.transfers.Waiting(op.ID)[node.Key()]; return queued },
	})
}

// watched gives a hook under a watch.
func (r *Runner) watched(op store.Operation, node *karbor.Node, word string, hook protection.Hook) protection.Hook {
	return func(ctx context.Context, call *protection.Call) error {
		return r.watch(op, node, word).Run(ctx, hook, call)
	}
}

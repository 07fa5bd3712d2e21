package deadline

import (
	"context"
	"log/slog"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
)

// Guard makes watches over what runs of operations here. What does not even return when it has to
// has its operation ended as it lies, as an operator would do. If it returns while that is only
// asked for, that is taken back: what is to be undone is undone. All members but Limits are
// needed. It is safe for concurrent use.
type Guard struct {
	Store  *store.Store
	Limits Limits
	Now    func() time.Time
	Logger *slog.Logger
}

// Subject is what a watch is over.
type Subject struct {
	// Operation is its id, and Phase the word of the step.
	Operation, Phase string
	// Named says what runs, "the hook" say, and Of what it is for: a resource, or a copy's id.
	Named, Of string
	// Reason, if not nil, gives why the operation is ended, of the sentence about what runs.
	Reason func(sentence string) string
	// Queued, if not nil, is Options.Queued.
	Queued func() bool
}

// Watch makes the watch over one run.
func (g Guard) Watch(s Subject) *Watch {
	request := func(sentence string) store.Request {
		if s.Reason != nil {
			sentence = s.Reason(sentence)
		}
		return store.Request{OperationID: s.Operation, Kind: store.FailRequest, Reason: "ended by the service: " + sentence}
	}
	log := g.Logger.With("operation", s.Operation, "of", s.Of, "phase", s.Phase)
	return New(Options{
		Limits: g.Limits, Phase: s.Phase, Now: g.Now, Queued: s.Queued,
		Stuck: func(ctx context.Context, sentence string) (over bool) {
			err := g.Store.Claimed(ctx) // else the step goes on elsewhere, and this run counts no more
			if err == nil {
				err = g.Store.AskOperation(ctx, request(sentence))
			}
			switch kind := karbor.KindOf(err); {
			case err == nil:
				log.ErrorContext(ctx, "a hook, or a copy, does not return; its operation is ended as it lies")
			case kind == karbor.Conflict, kind == karbor.NotFound:
				return true
			default:
				log.ErrorContext(ctx, "a hook, or a copy, does not return, and its operation can't be ended yet", "error", err)
			}
			return false
		},
		Returned: func(ctx context.Context, sentence string) {
			if err := g.Store.WithdrawRequest(ctx, request(sentence), s.Named+" has returned"); err != nil {
				log.ErrorContext(ctx, "a hook, or a copy, has returned, and its operation may still be ended as it lies", "error", err)
			}
		},
	})
}

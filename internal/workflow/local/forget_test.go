package local_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/workflow"
	"github.com/karbor/karbor/internal/workflow/local"
)

// held is a journal that has the first end, and does not say so before it may.
type held struct {
	local.Journal
	first         *sync.Once
	written, free chan struct{}
}

func (h held) Record(ctx context.Context, token int64, batch local.Batch) error {
	err := h.Journal.Record(ctx, token, batch)
	if slices.ContainsFunc(batch.Operations, func(o local.OperationRecord) bool { return o.State.Ended() }) {
		h.first.Do(func() {
			close(h.written)
			<-h.free
		})
	}
	return err
}

func TestWhatIsForgottenIsUnknownAtOnceAndCanBeStartedAnew(t *testing.T) {
	journal := held{openStore(t).Journal(), &sync.Once{}, make(chan struct{}), make(chan struct{})}
	e, err := local.New(local.Options{Journal: journal, Owner: "me", Now: time.Now, Options: workflow.Options{
		Actions: map[string]workflow.Action{"work": func(context.Context, *workflow.Task) error { return nil }},
	}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	over := make(chan error)
	go func() { over <- e.Run(ctx) }()
	steps := workflow.Steps{{ID: "a", Action: "work"}}
	if err := e.Start(t.Context(), "operation", steps); err != nil {
		t.Fatal(err)
	}
	<-journal.written
	if err := e.Forget(t.Context(), "operation"); err != nil {
		t.Error(err)
	}
	if d, err := e.Describe(t.Context(), "operation"); karbor.KindOf(err) != karbor.NotFound || err == nil {
		t.Errorf("it is still known: %+v, %v", d, err)
	}
	if err := e.Start(t.Context(), "operation", steps); err != nil {
		t.Error(err)
	}
	close(journal.free)
	if d := awaitEnd(t, e, "operation"); d.State != workflow.Succeeded {
		t.Errorf("the second is %+v", d)
	}
	cancel()
	if err := <-over; err != nil {
		t.Error(err)
	}
}

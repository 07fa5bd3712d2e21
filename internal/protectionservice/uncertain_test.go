package protectionservice_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice/admission"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/internal/workflow"
	"github.com/karbor/karbor/protection"
)

func TestWhatAnOperationNeedsIsTakenBackOnlyIfItWasSurelyNotAccepted(t *testing.T) {
	s := newSite(t)
	s.script.set(karbor.Delete, karbor.VolumeType, protection.Hooks{Main: func(context.Context, *protection.Call) error { return nil }})
	cp := s.until(s.protect(s.plan(volume("v1"))))
	s.revoked(0) // what it was lent is given back a little after its end
	// As the database says it where the connection is lost at COMMIT.
	uncertain := &karbor.Error{Kind: karbor.Unavailable, Message: "lost", Transient: true, Cause: errors.Join(store.ErrUncertain, io.EOF)}
	for name, test := range map[string]struct {
		why           error
		taken, waking int
	}{
		"refused":              {karbor.Errorf(karbor.Conflict, "it is held"), 1, 0},
		"the database is away": {karbor.Transientf("busy"), 1, 0},
		"it is not known":      {uncertain, 0, 1},
	} {
		woken := 0
		d := admission.New(admission.Options{
			Store: s.store, Delegations: s.delegations, Steps: func(store.Operation) (workflow.Steps, error) { return nil, errors.New("none") },
			Remember: func(store.Operation, *karbor.Checkpoint) { t.Errorf("%s: it is remembered", name) }, Wake: func() { woken++ },
			Now: time.Now, Logger: slog.New(slog.DiscardHandler),
		})
		d.SetEngine(s.engine)
		granted, before := s.authority.counts()
		err := d.Accept(t.Context(), s.caller(), &admission.Acceptance{Provider: s.providers[0], Acceptance: store.Acceptance{
			Operation:      store.Operation{Type: karbor.Delete, CheckpointID: cp.ID, Graph: cp.Graph},
			CheckpointFrom: []karbor.CheckpointStatus{karbor.CheckpointAvailable}, CheckpointTo: karbor.CheckpointDeleting,
			Gate: func(store.Standing) error { return test.why },
		}})
		made, after := s.authority.counts()
		if !errors.Is(err, test.why) || made != granted+1 || after-before != test.taken || woken != test.waking {
			t.Errorf("%s: of %d delegations %d were revoked, the outbox was looked at %d times, and it ends with %v", name, made-granted, after-before, woken, err)
		}
	}
}

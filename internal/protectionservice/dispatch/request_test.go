package dispatch

import (
	"context"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/internal/store/storetest"
	"github.com/karbor/karbor/internal/workflow"
)

// engine is one that takes any cancel.
type engine struct {
	workflow.Engine
	cancel func()
}

func (e engine) Cancel(context.Context, string, string) error { e.cancel(); return nil }

func TestAnOperationIsNotEndedAsItLiesIfThatIsWithdrawnMeanwhile(t *testing.T) {
	for _, withdrawn := range []bool{false, true} {
		ctx, log := t.Context(), slog.New(slog.NewTextHandler(t.Output(), nil))
		path := filepath.Join(t.TempDir(), "karbor.db")
		storetest.NewFile(t, path)
		s, err := store.Open(ctx, path, store.Options{Now: time.Now, Logger: log})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = s.Close() }()
		a := storetest.Acceptance(karbor.Protect, storetest.NewCheckpoint("project"))
		r := store.Request{OperationID: a.Operation.ID, Kind: store.FailRequest, Reason: "it hangs"}
		if err := s.Accept(ctx, a); err != nil {
			t.Fatal(err)
		}
		if err := s.AskOperation(ctx, r); err != nil {
			t.Fatal(err)
		}
		ended := false
		d := New(Options{
			Store: s, Logger: log, Now: func() time.Time { return time.Now().Add(time.Hour) },
			End: func(context.Context, store.Operation, *workflow.Failure) error { ended = true; return nil },
		})
		d.SetEngine(engine{cancel: func() {
			if withdrawn {
				if err := s.WithdrawRequest(ctx, r, "the hook has returned"); err != nil {
					t.Error(err)
				}
			}
		}})
		if err := d.honourOpen(ctx); err != nil || ended == withdrawn {
			t.Errorf("withdrawn: %v; ended: %v, %v", withdrawn, ended, err)
		}
	}
}

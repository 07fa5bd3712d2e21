package protectionservice_test

import (
	"context"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/internal/workflow"
	"github.com/karbor/karbor/internal/workflow/local"
)

// mishap gives the engine that the service gets in place of its own.
func (s *site) mishap(engine workflow.Engine, log *slog.Logger) workflow.Engine {
	switch {
	case s.balky != nil:
		s.balky.Engine = engine
		return s.balky
	case s.over != "":
		return ended{engine, s.over}
	case s.lost:
		other, err := store.Open(context.Background(), filepath.Join(s.t.TempDir(), "other.db"), store.Options{Now: time.Now})
		if err != nil {
			s.t.Fatal(err)
		}
		empty, err := local.New(local.Options{
			Options: workflow.Options{Actions: s.service.Actions(), Limits: s.service.Limits()},
			Journal: other.Journal(), Owner: "me", Logger: log, Now: time.Now,
		})
		if err != nil {
			s.t.Fatal(err)
		}
		run, cancel := context.WithCancel(context.Background())
		var parts sync.WaitGroup
		parts.Go(func() { _ = empty.Run(run) })
		s.t.Cleanup(func() {
			cancel()
			parts.Wait()
			_ = other.Close()
		})
		return empty
	}
	return engine
}

// ended is an engine that takes one operation for over, and does nothing for it.
type ended struct {
	workflow.Engine
	operation string
}

func (e ended) Describe(ctx context.Context, id string) (workflow.Description, error) {
	if id == e.operation {
		return workflow.Description{ID: id, State: workflow.Failed}, nil
	}
	return e.Engine.Describe(ctx, id)
}

func (s *site) now() time.Time { return time.Now().Add(s.ahead) }

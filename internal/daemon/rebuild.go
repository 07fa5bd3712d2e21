package daemon

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/config"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/internal/workflow"
	"github.com/karbor/karbor/internal/workflow/local"
)

// rebuilder is the name under which the local engine is kept from running meanwhile.
const rebuilder = "karbord engine rebuild"

// Rebuilt is an unfinished operation that begins anew, and why.
type Rebuilt struct {
	Operation string
	Why       error
}

// Rebuild has the unfinished operations begin anew whose journal is damaged, or all of them:
// from their rows, at the next start of a process with the role protection. None may run
// meanwhile. What the operations have made is found again by their hooks. It may be repeated.
// Of Options, Config, Now and Logger count.
func Rebuild(ctx context.Context, o Options, s *store.Store, all bool) (out []Rebuilt, err error) {
	if o.Config.Engine.Type != config.LocalEngine {
		return nil, errors.New("the engine is a Temporal cluster: what it has lost begins anew by itself")
	}
	journal := s.Journal()
	token, left, err := journal.Acquire(ctx, rebuilder, migrationTime)
	if errors.Is(err, local.ErrHeld) {
		return nil, fmt.Errorf("a process with the role protection runs, or has not ended well: stop it, or wait for %s", left.Round(time.Second))
	}
	if err != nil {
		return nil, fmt.Errorf("taking the journal's lease: %w", err)
	}
	defer func() { err = errors.Join(err, journal.Release(context.WithoutCancel(ctx), token)) }()
	ids, err := s.RunningOperations(ctx)
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		_, why := journal.Load(ctx, id)
		switch {
		case why != nil && karbor.KindOf(why) == karbor.NotFound:
			continue // the outbox has it
		case why != nil && !errors.Is(why, workflow.ErrDamaged):
			return out, why
		case why == nil && !all:
			continue
		}
		if err := s.Rebuild(ctx, token, id); err != nil {
			return out, err
		}
		out = append(out, Rebuilt{id, why})
		if err := journal.Renew(ctx, token, migrationTime); err != nil {
			return out, fmt.Errorf("keeping the journal's lease: %w", err)
		}
	}
	return out, nil
}

package daemon

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/karbor/karbor/internal/config"
	"github.com/karbor/karbor/internal/protectionservice"
	"github.com/karbor/karbor/internal/workflow"
	"github.com/karbor/karbor/internal/workflow/local"
)

const (
	// migrator is the name under which the local engine is kept from running meanwhile.
	migrator = "karbord engine migrate"
	// migrationTime is how long it is kept so at a time.
	migrationTime = time.Minute
)

// Migrate hands the unfinished operations of the local engine to the Temporal cluster that
// the configuration names, as far as they are, and gives their number. No process with the
// role protection may run. It may be repeated after any failure. Of Options, Config, Now and
// Logger count.
func Migrate(ctx context.Context, o Options) (moved int, err error) {
	if o.Config.Engine.Type != config.TemporalEngine {
		return 0, errors.New("the configuration names no Temporal cluster: set engine.type to temporal first")
	}
	s, err := openStore(ctx, o)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	to, err := OpenTemporal(ctx, o.Config, workflow.Options{Default: protectionservice.Places}, migrator, o.Now, o.Logger)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	journal := s.Journal()
	token, until, err := journal.Acquire(ctx, migrator, o.Now(), migrationTime)
	if errors.Is(err, local.ErrHeld) {
		return 0, fmt.Errorf("a process with the role protection runs, or has not ended well: stop it, or wait until %s", until.Format(time.RFC3339))
	}
	if err != nil {
		return 0, fmt.Errorf("taking the journal's lease: %w", err)
	}
	defer func() { err = errors.Join(err, journal.Release(context.WithoutCancel(ctx), token)) }()
	unfinished, err := journal.Unfinished(ctx)
	if err != nil {
		return 0, fmt.Errorf("reading the journal: %w", err)
	}
	for _, record := range unfinished {
		found, err := journal.Load(ctx, record.ID)
		if err != nil {
			return moved, fmt.Errorf("reading operation %s: %w", record.ID, err)
		}
		if err := to.Adopt(ctx, found); err != nil {
			return moved, err
		}
		// For the journal it is over; the cluster has it.
		found.State, found.EndedAt = workflow.Cancelled, o.Now()
		if err := journal.Record(ctx, token, local.Batch{Operations: []local.OperationRecord{found.OperationRecord}}); err != nil {
			return moved, fmt.Errorf("leaving operation %s to the cluster: %w", record.ID, err)
		}
		if err := journal.Forget(ctx, record.ID); err != nil {
			return moved, fmt.Errorf("forgetting operation %s: %w", record.ID, err)
		}
		moved++
		if err := journal.Renew(ctx, token, o.Now(), migrationTime); err != nil {
			return moved, fmt.Errorf("keeping the journal's lease: %w", err)
		}
	}
	return moved, nil
}

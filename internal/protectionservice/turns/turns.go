// Package turns has the hooks of an operation take turns when they make what they share, in whatever
// processes they run. A turn is a row with a holder and an end, which the holder puts off as long as it is in turn:
// one whose process has died is over soon, and one that was cut off from the database for so long knows it.
package turns

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/protection"
)

const (
	// lasting is how long a turn is its holder's without a word of him, and keepEvery how often he gives one.
	lasting   = 30 * time.Second
	keepEvery = lasting / 3
	// firstLook and lastLook are the pauses of who waits: each is half as long again as the one before.
	firstLook = 100 * time.Millisecond
	lastLook  = 2 * time.Second
	// leaveTime is how long a holder tries to give his turn back; then it is over by itself.
	leaveTime = 10 * time.Second
)

// Rows are where turns lie: see the store.
type Rows interface {
	TakeTurn(ctx context.Context, t store.Turn, lasting time.Duration) (taken bool, err error)
	KeepTurn(ctx context.Context, t store.Turn, lasting time.Duration) error
	LeaveTurn(ctx context.Context, t store.Turn) error
}

// Keeper keeps the turns of the hooks that run here. It is safe for concurrent use.
type Keeper struct {
	rows Rows
	now  func() time.Time
	log  *slog.Logger
	// here are the turns among the hooks of this process: only one of them asks the database.
	here protection.Turnstile
}

// New makes a keeper.
func New(rows Rows, now func() time.Time, log *slog.Logger) *Keeper {
	return &Keeper{rows: rows, now: now, log: log}
}

// Of gives the turns of an operation.
func (k *Keeper) Of(operationID string) protection.Turns { return turns{k, operationID} }

type turns struct {
	keeper    *Keeper
	operation string
}

// InTurn implements protection.Turns.
func (o turns) InTurn(ctx context.Context, name string, do func(ctx context.Context) error) error {
	k := o.keeper
	return k.here.InTurn(ctx, o.operation+" "+name, func(ctx context.Context) error {
		t := store.Turn{OperationID: o.operation, Name: name, Holder: karbor.NewID()}
		defer k.leave(ctx, t)
		sure, err := k.take(ctx, t)
		if err != nil {
			return err
		}
		return k.hold(ctx, t, sure, do)
	})
}

// take waits until the turn is the caller's, and gives until when it surely is, without a further word.
func (k *Keeper) take(ctx context.Context, t store.Turn) (sure time.Time, err error) {
	for pause := firstLook; ; pause = min(pause*3/2, lastLook) {
		asked := k.now()
		taken, err := k.rows.TakeTurn(ctx, t, lasting)
		if err != nil {
			return time.Time{}, fmt.Errorf("waiting for the turn %s of operation %s: %w", t.Name, t.OperationID, err)
		}
		if taken {
			return asked.Add(lasting), nil
		}
		if err := sleep(ctx, pause); err != nil {
			return time.Time{}, err
		}
	}
}

// errLost is why the context of what is done in turn ends early.
var errLost = errors.New("the turn was lost")

// hold runs do, and keeps the turn meanwhile.
func (k *Keeper) hold(ctx context.Context, t store.Turn, sure time.Time, do func(ctx context.Context) error) error {
	inside, lose := context.WithCancelCause(ctx)
	// The turn is kept until do has returned, even if its own context has ended.
	keeping, stop := context.WithCancel(context.WithoutCancel(ctx))
	kept := make(chan struct{})
	go func() {
		defer close(kept)
		k.keep(keeping, t, sure, lose)
	}()
	err := do(inside)
	lost := errors.Is(context.Cause(inside), errLost)
	stop()
	<-kept
	lose(nil)
	if lost && ctx.Err() == nil {
		// Another may have made what this one has looked for in vain: a next run finds it.
		return karbor.Transientf("another run may have made what this one shares with it; it is looked at again")
	}
	return err
}

// keep puts the end of the turn off until ctx ends, or the turn is lost.
func (k *Keeper) keep(ctx context.Context, t store.Turn, sure time.Time, lose context.CancelCauseFunc) {
	// KeepTurn may return later than its context ends, as COMMIT is waited for.
	over := time.AfterFunc(sure.Sub(k.now()), func() { lose(errLost) })
	defer over.Stop()
	for {
		if sleep(ctx, min(keepEvery, sure.Sub(k.now()))) != nil {
			return
		}
		asked := k.now()
		if !asked.Before(sure) {
			lose(errLost)
			return
		}
		limited, cancel := context.WithTimeout(ctx, min(keepEvery, sure.Sub(asked)))
		err := k.rows.KeepTurn(limited, t, lasting)
		cancel()
		switch {
		case err == nil:
			if !over.Stop() {
				return // it was lost meanwhile
			}
			sure = asked.Add(lasting)
			over.Reset(sure.Sub(k.now()))
		case ctx.Err() != nil:
			return
		case karbor.KindOf(err) == karbor.Conflict:
			lose(errLost)
			return
		default:
			k.log.WarnContext(ctx, "the turn of a hook can't be kept yet", "operation", t.OperationID, "turn", t.Name, "error", err)
		}
	}
}

// leave gives a turn back, taken or not: the answer may have been lost.
func (k *Keeper) leave(ctx context.Context, t store.Turn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveTime)
	defer cancel()
	if err := k.rows.LeaveTurn(ctx, t); err != nil {
		k.log.WarnContext(ctx, "the turn of a hook can't be given back; it is over by itself", "operation", t.OperationID, "turn", t.Name, "error", err)
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

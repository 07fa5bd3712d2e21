// Package leftover removes from the cloud what operations that are over have left there, in the
// name of their tenants, as long as that may be.
package leftover

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice/attempt"
	"github.com/karbor/karbor/internal/protectionservice/delegation"
	"github.com/karbor/karbor/internal/protectionservice/hooks"
	"github.com/karbor/karbor/internal/protectionservice/outcome"
	"github.com/karbor/karbor/internal/protectionservice/running"
	"github.com/karbor/karbor/internal/store"
)

// Options of New. All but Patience are needed.
type Options struct {
	Store       *store.Store
	Operations  *running.Operations
	Delegations *delegation.Registry
	// Runner runs the hooks that remove things.
	Runner *attempt.Runner
	// Patience is how long it is tried to remove what an operation could not
	// remove from the cloud.
	Patience time.Duration
	Now      func() time.Time
	Logger   *slog.Logger
}

// Sweeper removes what is left. It is safe for concurrent use.
type Sweeper struct {
	store       *store.Store
	operations  *running.Operations
	delegations *delegation.Registry
	runner      *attempt.Runner
	patience    time.Duration
	now         func() time.Time
	log         *slog.Logger
	tries       *tries
}

// New makes a sweeper.
func New(o Options) *Sweeper {
	return &Sweeper{
		store: o.Store, operations: o.Operations, delegations: o.Delegations, runner: o.Runner, patience: o.Patience,
		now: o.Now, log: o.Logger, tries: newTries(),
	}
}

const (
	// firstPause is the time before what is left is tried for the first time; it
	// grows to an hour with the tries.
	firstPause = time.Minute
	// lookPause is how often it is looked for what is due, and batch how
	// much of it is read at a time: more than can be under way and another round.
	lookPause = time.Minute
	batch     = 2 * atOnce * ofProject
	// tryTimeout limits one try, clearTimeout all those of one delete.
	tryTimeout   = 5 * time.Minute
	clearTimeout = 5 * time.Minute
	// giveBackTime is how long the database may take to end a claim.
	giveBackTime = 5 * time.Second
)

// neverUndone is why something is left of an operation that has lost its engine.
const neverUndone = "the operation ended before it was removed"

// NoteAbandoned notes, in an operation whose steps did not run to their end, that
// nothing was undone.
func (s *Sweeper) NoteAbandoned(op store.Operation, rows []store.ResourceRecord, why *outcome.Failures) {
	p, err := s.operations.Place(op)
	for _, r := range rows {
		if r.Started && !why.Kept[r.Key] && (err != nil || hooks.Undo(p, hooks.Kind(op), op.Graph.Node(r.Key).Type) != nil) {
			why.Undo[r.Key] = append(why.Undo[r.Key], neverUndone)
		}
	}
}

// Run tries to remove, until ctx ends, what operations have left in the
// cloud: each thing soon, and then more and more seldom, down to once an hour. Some are tried at a time, and few of
// one project: a cloud that hangs holds up nobody else's.
func (s *Sweeper) Run(ctx context.Context) {
	ticker := time.NewTicker(lookPause)
	defer ticker.Stop()
	var under sync.WaitGroup
	defer under.Wait()
	for {
		if err := s.begin(ctx, &under); err != nil && ctx.Err() == nil {
			s.log.ErrorContext(ctx, "looking for what operations have left in the cloud failed; it is tried again", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-s.tries.ended:
		case <-ticker.C:
		}
	}
}

// begin begins the tries that there are places for.
func (s *Sweeper) begin(ctx context.Context, under *sync.WaitGroup) error {
	due, err := s.store.DueLeftovers(ctx, s.now().Add(-firstPause), ofProject, batch)
	if err != nil {
		return err
	}
	var errs []error
	for _, l := range due {
		if !s.tries.enter(l.ProjectID) {
			continue
		}
		claimed, mine, err := s.store.ClaimLeftover(ctx, l, claimTime)
		if err != nil || !mine {
			s.tries.leave(l.ProjectID)
			errs = append(errs, err)
			continue
		}
		under.Go(func() {
			defer s.tries.end(l.ProjectID)
			if err := s.try(ctx, claimed); err != nil && ctx.Err() == nil {
				s.log.ErrorContext(ctx, "removing what an operation has left in the cloud failed; it is tried again", "operation", l.OperationID,
					"resource", l.Key, "error", err)
			}
		})
	}
	return errors.Join(errs...)
}

// Clear tries to remove what is left of a checkpoint that is being deleted:
// its documents, which say what a restore has made, are there for the last time. What is being tried
// already is waited for.
func (s *Sweeper) Clear(ctx context.Context, op store.Operation) error {
	limited, cancel := context.WithTimeout(ctx, clearTimeout)
	defer cancel()
	if err := s.clear(limited, op); err != nil {
		if ctx.Err() == nil && limited.Err() == nil {
			return err
		}
		s.log.WarnContext(ctx, "what is left in the cloud of a checkpoint is not removed with it", "checkpoint", op.CheckpointID, "error", err)
	}
	return ctx.Err()
}

func (s *Sweeper) clear(ctx context.Context, op store.Operation) error {
	over := map[thing]bool{}
	for {
		found, err := s.store.LeftoversOf(ctx, op.ProviderID, op.CheckpointID)
		if err != nil {
			return err
		}
		found = slices.DeleteFunc(found, func(l store.Leftover) bool { return over[thing{l.OperationID, l.Key}] })
		tried, err := s.tryAll(ctx, op, found)
		if err != nil {
			return err
		}
		maps.Copy(over, tried)
		if len(tried) == len(found) {
			return ctx.Err()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(claimedPause):
		}
	}
}

// thing names a leftover.
type thing struct {
	operation string
	key       karbor.NodeKey
}

// tryAll tries to remove what is left of a checkpoint that is being deleted, some at a time, and gives
// what it has tried: not what another tries now. It claims each when its try begins: a process that
// dies has claimed no more than it tried.
func (s *Sweeper) tryAll(ctx context.Context, op store.Operation, found []store.Leftover) (tried map[thing]bool, err error) {
	var (
		mu    sync.Mutex
		tries sync.WaitGroup
		errs  []error
	)
	tried = map[thing]bool{}
	places := make(chan struct{}, clearAtOnce)
	for _, l := range found {
		places <- struct{}{}
		tries.Go(func() {
			defer func() { <-places }()
			claimed, mine, err := s.store.ClaimLeftover(ctx, l, claimTime)
			mu.Lock()
			if errs = append(errs, err); mine {
				tried[thing{l.OperationID, l.Key}] = true
			}
			mu.Unlock()
			if err != nil || !mine {
				return
			}
			if err := s.try(ctx, claimed); err != nil {
				s.log.WarnContext(ctx, "what is left in the cloud of a checkpoint is not removed with it", "checkpoint", op.CheckpointID, "error", err)
			}
		})
	}
	tries.Wait()
	return tried, errors.Join(errs...)
}

// try tries to remove one leftover, which is claimed for it.
func (s *Sweeper) try(ctx context.Context, l store.Leftover) error {
	within, release := held(ctx, claimTime, func(ctx context.Context) (bool, error) { return s.store.HoldLeftover(ctx, l, claimTime) })
	defer release()
	defer s.operations.Drop(l.OperationID)
	op, err := s.store.Operation(ctx, l.OperationID)
	var unread error
	if err != nil && karbor.KindOf(err) != karbor.NotFound && !karbor.IsTransient(err) && !errors.Is(err, context.Canceled) {
		unread = &karbor.Error{Kind: karbor.Internal, Message: "what the service has noted of the operation can't be read", Cause: err}
		op, err = s.store.OperationHead(ctx, l.OperationID)
	}
	if err != nil {
		return err
	}
	lasting, failure := false, unread // another release may be able to read it
	if unread == nil {
		lasting, failure = s.undoLeft(within, op, l.Key)
	}
	if within.Err() != nil {
		cause := context.Cause(within)
		release()
		return errors.Join(cause, s.giveBack(ctx, l, cause))
	}
	release() // what is noted now ends the claim
	attrs := []any{"operation", l.OperationID, "resource", l.Key, "project", l.ProjectID, "checkpoint", l.CheckpointID}
	if failure == nil {
		s.log.InfoContext(ctx, "what an operation had left in the cloud is removed", attrs...)
		err = s.store.RemoveLeftover(ctx, l, s.delegations.Revocable(ctx, op))
	} else {
		l.Reason = karbor.Sentence(failure)
		l.GivenUp = lasting || s.now().Sub(l.CreatedAt) >= s.patience
		s.log.WarnContext(ctx, "what an operation has left in the cloud could not be removed", append(attrs, "error", failure, "given_up", l.GivenUp)...)
		err = s.store.KeepLeftover(ctx, l, s.delegations.Revocable(ctx, op))
	}
	s.delegations.Wake()
	return err
}

// giveBack ends the claim of a try that was broken off, unless another has it by now: who comes next need
// not wait for its end.
func (s *Sweeper) giveBack(ctx context.Context, l store.Leftover, cause error) error {
	if errors.Is(cause, errLost) {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), giveBackTime)
	defer cancel()
	_, err := s.store.HoldLeftover(ctx, l, 0)
	return err
}

// undoLeft runs the Undo hook of one resource of an operation that is over. lasting
// says that it can't succeed later either.
func (s *Sweeper) undoLeft(ctx context.Context, op store.Operation, key karbor.NodeKey) (lasting bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, tryTimeout)
	defer cancel()
	p, err := s.operations.Place(op)
	if err != nil {
		return false, err
	}
	node := op.Graph.Node(key)
	if node == nil {
		return true, karbor.Errorf(karbor.NotFound, "the operation has no such resource")
	}
	hook := hooks.Left(p, op, node.Type)
	if hook == nil || op.Delegation == nil {
		return true, karbor.Errorf(karbor.Unauthorized, "nobody may remove it in the tenant's name any more")
	}
	if op.Type == karbor.RestoreOperation {
		// Without its documents a hook would not know what it has made. A drill's things are found
		// by their marks.
		_, err := s.store.Checkpoint(ctx, op.ProjectID, op.ProviderID, op.CheckpointID)
		if err != nil {
			return karbor.KindOf(err) == karbor.NotFound, fmt.Errorf("reading the checkpoint: %w", err)
		}
	}
	if _, err := s.delegations.Session(ctx, op); err != nil {
		return !karbor.IsTransient(err), err
	}
	return s.runner.Remove(ctx, running.Work{Op: op, Provider: p}, node, hook)
}

// Renew has what is left of a checkpoint that its tenant deletes be removed
// in the tenant's name of now: what it was made with may have ended. What lies in
// another cloud needs what let the restore in there. It can't keep a checkpoint from
// being deleted.
func (s *Sweeper) Renew(ctx context.Context, who *karbor.Identity, providerID, checkpointID string) {
	found, err := s.store.LeftoversOf(ctx, providerID, checkpointID)
	done := map[string]bool{}
	for _, l := range found {
		if !done[l.OperationID] {
			done[l.OperationID] = true
			err = errors.Join(err, s.renewOne(ctx, who, l.OperationID))
		}
	}
	if err != nil {
		s.log.WarnContext(ctx, "there is no new delegation for what is left in the cloud of a checkpoint", "checkpoint", checkpointID, "error", err)
	}
}

func (s *Sweeper) renewOne(ctx context.Context, who *karbor.Identity, operationID string) error {
	op, err := s.store.Operation(ctx, operationID)
	if err != nil {
		return err
	}
	elsewhere, err := s.delegations.Elsewhere(op)
	if err != nil {
		return err
	}
	if op.Type == karbor.RestoreOperation && !elsewhere {
		r, err := s.store.Restore(ctx, op.ProjectID, op.RestoreID)
		if err != nil {
			return err
		}
		elsewhere = r.RestoreTarget != ""
	}
	if elsewhere {
		return nil
	}
	if err := s.delegations.Renew(ctx, who, op); err != nil {
		return err
	}
	s.operations.Drop(op.ID)
	return nil
}

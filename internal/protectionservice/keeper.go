package protectionservice

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/checkpoint"
	"github.com/karbor/karbor/internal/provider"
)

// Upkeep says how the banks are looked after.
type Upkeep struct {
	// Interval is the time between two rounds in which the unfinished checkpoints of
	// services that are gone are taken over, and old tombstones removed, and between two
	// looks for what nobody works on; 0 stands for DefaultUpkeepInterval.
	Interval time.Duration
	// Tombstones is how long a bank remembers a deleted checkpoint; 0 stands for
	// DefaultTombstones.
	Tombstones time.Duration
	// Retry is the time between two tries to get at a bank that can't be used; 0
	// stands for DefaultUpkeepRetry.
	Retry time.Duration
}

// Defaults of Upkeep.
const (
	DefaultUpkeepInterval = 10 * time.Minute
	DefaultTombstones     = 30 * 24 * time.Hour
	DefaultUpkeepRetry    = 15 * time.Second
)

func (u Upkeep) filled() Upkeep {
	return Upkeep{
		Interval:   cmp.Or(u.Interval, DefaultUpkeepInterval),
		Tombstones: cmp.Or(u.Tombstones, DefaultTombstones),
		Retry:      cmp.Or(u.Retry, DefaultUpkeepRetry),
	}
}

// bankState is how far the service is with the bank of a provider.
type bankState struct {
	// leased and filled say that the lease was taken, and that the catalogue has all
	// that the bank holds.
	leased, filled bool
	// trouble is the last thing that went wrong, nil when all is well.
	trouble error
}

func (s *Service) bankOf(p *provider.Provider) bankState {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.banks[placeKey(p)]
}

func (s *Service) changeBank(p *provider.Provider, change func(*bankState)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	state := s.banks[placeKey(p)]
	change(&state)
	s.banks[placeKey(p)] = state
}

// usable reports, as a transient karbor.Unavailable, why the checkpoints of a provider
// can't be changed now.
func (s *Service) usable(p *provider.Provider) error {
	if s.front {
		return nil // the process that does the work finds out
	}
	state := s.bankOf(p)
	err := p.Checkpoints().Lease().Valid()
	switch {
	case err == nil && state.filled:
		return nil
	case state.trouble != nil:
		err = state.trouble
	case err == nil:
		err = errors.New("its bank is being looked through")
	}
	return &karbor.Error{
		Kind: karbor.Unavailable, Message: fmt.Sprintf("provider %s can't be used now: %s", p.Place(), reason(err)),
		Transient: true, Cause: err,
	}
}

// readable is usable for what only reads a checkpoint: a bank that is full does not
// keep anybody from that.
func (s *Service) readable(p *provider.Provider) error {
	if s.front {
		return nil
	}
	state := s.bankOf(p)
	if state.leased || state.trouble == nil || karbor.KindOf(state.trouble) == karbor.OverLimit {
		return nil
	}
	return s.usable(p)
}

// reason is the sentence of an error, or its own words where that would say nothing.
func reason(err error) string {
	if err != nil && karbor.KindOf(err) == karbor.Internal {
		return "its bank does not work"
	}
	return karbor.Sentence(err)
}

// Open makes the providers ready: it takes the lease in each bank, and fills the
// catalogue from it if need be. A bank that can't be used, or is not through when ctx
// ends, is left to Keep; its provider refuses changes until then.
func (s *Service) Open(ctx context.Context) {
	var group errgroup.Group
	for _, p := range s.places() {
		group.Go(func() error {
			if s.lease(ctx, p) {
				s.fillFrom(ctx, p)
			}
			return nil
		})
	}
	_ = group.Wait() // none fails
}

// Keep looks after the banks until ctx ends: it gets at those that could not be used,
// renews the leases, and releases them at the end; it takes over the unfinished
// checkpoints of services that are gone, removes old tombstones, frees the space of what was
// deleted, and verifies, as the providers' files say. It returns early only if another
// process has taken a lease.
func (s *Service) Keep(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, p := range s.places() {
		group.Go(func() error { return s.keep(ctx, p) })
	}
	return group.Wait()
}

func (s *Service) keep(ctx context.Context, p *provider.Provider) error {
	for !s.bankOf(p).leased {
		if !sleep(ctx, s.upkeep.Retry) {
			return nil
		}
		s.lease(ctx, p)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		err := p.Run(ctx, func(err error) { s.renewed(ctx, p, err) })
		if err != nil {
			return fmt.Errorf("keeping the lease of provider %s: %w", p.Place(), err)
		}
		return nil
	})
	group.Go(func() error {
		s.lookAfter(ctx, p)
		return nil
	})
	group.Go(func() error {
		for !s.bankOf(p).filled {
			if s.fillFrom(ctx, p); !s.bankOf(p).filled && !sleep(ctx, s.upkeep.Retry) {
				return nil
			}
		}
		for {
			s.tidy(ctx, p)
			s.tellAsked(ctx, p)
			if !sleep(ctx, s.upkeep.Interval) {
				return nil
			}
		}
	})
	return group.Wait()
}

// lease takes the lease in a provider's bank.
func (s *Service) lease(ctx context.Context, p *provider.Provider) bool {
	// A bank that hangs must not hang the loop.
	try, cancel := context.WithTimeout(ctx, s.upkeep.Retry)
	defer cancel()
	err := p.Acquire(try)
	s.note(ctx, p, "taking the lease in a bank", err)
	if err == nil {
		s.changeBank(p, func(b *bankState) { b.leased = true })
	}
	return err == nil
}

// renewed notes how the renewal of a lease went.
func (s *Service) renewed(ctx context.Context, p *provider.Provider, err error) {
	s.note(ctx, p, "renewing the lease in a bank", err)
}

// note keeps what went wrong, or that it works again, and logs it once.
func (s *Service) note(ctx context.Context, p *provider.Provider, doing string, err error) {
	if err != nil && ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return
	}
	was := s.bankOf(p).trouble
	s.changeBank(p, func(b *bankState) { b.trouble = err })
	switch {
	case err != nil && (was == nil || was.Error() != err.Error()):
		s.log.ErrorContext(ctx, "a bank can't be used; it is tried again, and until then the provider's checkpoints can't be changed",
			"provider", p.Place(), "doing", doing, "error", err)
	case err == nil && was != nil:
		s.log.InfoContext(ctx, "a bank can be used again", "provider", p.Place())
	}
}

// fillFrom fills the catalogue from a provider's bank.
func (s *Service) fillFrom(ctx context.Context, p *provider.Provider) {
	err := s.fill(ctx, p)
	s.note(ctx, p, "filling the catalogue from a bank", err)
	if err == nil {
		s.changeBank(p, func(b *bankState) { b.filled = true })
	}
}

// abandoned is the reason of a checkpoint whose service has gone.
const abandoned = "the service that worked on it has gone"

// tidy takes over what services that are gone left unfinished, and removes old
// tombstones.
func (s *Service) tidy(ctx context.Context, p *provider.Provider) {
	ctx, cancel := context.WithTimeout(ctx, s.upkeep.Interval)
	defer cancel()
	err := s.takeOver(ctx, p)
	removed, expireErr := p.Checkpoints().ExpireTombstones(ctx, s.upkeep.Tombstones)
	if removed > 0 {
		s.log.InfoContext(ctx, "old tombstones removed", "provider", p.Place(), "checkpoints", removed)
	}
	if err := errors.Join(err, expireErr); err != nil && ctx.Err() == nil {
		s.log.ErrorContext(ctx, "tidying a bank up failed; it is tried again", "provider", p.Place(), "error", err)
	}
}

// takeOver ends what dead owners were at, as failed: from there it can be deleted.
func (s *Service) takeOver(ctx context.Context, p *provider.Provider) error {
	zombies, err := p.Checkpoints().Zombies(ctx, s.damaged(ctx, p))
	if err != nil {
		return err
	}
	busy, err := s.store.BusyCheckpoints(ctx, p.ID)
	if err != nil {
		return err
	}
	var errs []error
	for _, cp := range zombies {
		if cp.ProviderID != p.ID || busy[cp.ID] != "" {
			continue
		}
		err := s.bury(ctx, p, located(p, cp))
		if karbor.KindOf(err) == karbor.Conflict && err != nil {
			continue // another service was first
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// bury ends one checkpoint that a dead owner was at.
func (s *Service) bury(ctx context.Context, p *provider.Provider, cp karbor.Checkpoint) error {
	to := karbor.CheckpointErrorDeleting
	var err error
	if cp.Status == karbor.CheckpointProtecting {
		to, err = karbor.CheckpointError, p.Checkpoints().Create(ctx, cp)
		if err == nil {
			err = p.Checkpoints().Discard(ctx, cp.ProjectID, cp.ID)
		}
	} else {
		err = p.Checkpoints().SetState(ctx, cp.ProjectID, cp.ID, cp.Status, checkpoint.Change{})
	}
	if err != nil {
		return err
	}
	cp.Reasons = map[string]string{"": abandoned}
	if err := p.Checkpoints().SetState(ctx, cp.ProjectID, cp.ID, to, checkpoint.Change{Reasons: cp.Reasons}); err != nil {
		return err
	}
	cp.Status, cp.UpdatedAt = to, s.now()
	s.log.WarnContext(ctx, "the checkpoint of a service that has gone is taken over", "provider", p.Place(),
		"checkpoint", cp.ID, "project", cp.ProjectID, "status", to)
	return s.store.PutCheckpoint(ctx, cp)
}

// damaged gives the function that tells the operator of checkpoints that can't be read.
func (s *Service) damaged(ctx context.Context, p *provider.Provider) checkpoint.Unread {
	return func(cp karbor.Checkpoint, err error) {
		s.log.ErrorContext(ctx, "a checkpoint in the bank can't be read; it is left as it is",
			"provider", p.Place(), "checkpoint", cp.ID, "project", cp.ProjectID, "error", err)
	}
}

// sleep waits; it reports false if ctx ended.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

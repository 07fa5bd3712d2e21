package protectionservice

import (
	"context"
	"strings"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/provider"
	"github.com/karbor/karbor/internal/store"
)

// HoldCheckpoint has nobody delete a checkpoint, for a reason, until a time or, if that is
// zero, until ReleaseCheckpoint. It takes the place of an earlier hold. One that is being
// deleted is karbor.Conflict, a time that is over karbor.Invalid.
func (s *Service) HoldCheckpoint(ctx context.Context, c Caller, providerID, id, reason string, until time.Time) (karbor.Keeping, error) {
	now := s.now()
	if strings.TrimSpace(reason) == "" {
		return karbor.Keeping{}, karbor.Errorf(karbor.Invalid, "a checkpoint is held for a reason only; say it")
	}
	if !until.IsZero() && !until.After(now) {
		return karbor.Keeping{}, karbor.Errorf(karbor.Invalid, "a checkpoint can't be held until %s, which is over", until.UTC().Format(time.RFC3339))
	}
	hold := karbor.Hold{Reason: reason, Until: until.Truncate(time.Microsecond), At: now.Truncate(time.Microsecond), UserID: c.Identity.UserID}
	return s.keepCheckpoint(ctx, c, providerID, id, func(k *karbor.Keeping) error {
		k.Hold = &hold
		return nil
	})
}

// ReleaseCheckpoint ends a hold. One that is not held is no error.
func (s *Service) ReleaseCheckpoint(ctx context.Context, c Caller, providerID, id string) (karbor.Keeping, error) {
	return s.keepCheckpoint(ctx, c, providerID, id, func(k *karbor.Keeping) error {
		k.Hold = nil
		return nil
	})
}

// ExpireCheckpoint has a checkpoint deleted by itself at a time; zero takes the date away.
// The deletion goes through the same gate as any other, and waits as long as that is
// closed. Where it needs the cloud, it is done with the application credential that the
// caller has registered; without one the date is karbor.Conflict.
func (s *Service) ExpireCheckpoint(ctx context.Context, c Caller, providerID, id string, at time.Time) (karbor.Keeping, error) {
	p, err := s.provider(providerID)
	if err != nil {
		return karbor.Keeping{}, err
	}
	if !at.IsZero() {
		cp, err := s.store.Checkpoint(ctx, c.project(), p.ID, id)
		if err != nil {
			return karbor.Keeping{}, err
		}
		if err := s.mayExpire(ctx, c, p, cp.Graph, at); err != nil {
			return karbor.Keeping{}, err
		}
	}
	return s.keepCheckpoint(ctx, c, providerID, id, func(k *karbor.Keeping) error {
		k.ExpiresAt, k.ExpiresBy = at.Truncate(time.Microsecond), c.Identity.UserID
		if at.IsZero() {
			k.ExpiresBy = ""
		}
		return nil
	})
}

// mayExpire makes sure that a checkpoint with a graph can be deleted at a time when the
// caller is away.
func (s *Service) mayExpire(ctx context.Context, c Caller, p *provider.Provider, g *karbor.Graph, at time.Time) error {
	if !at.After(s.now()) {
		return karbor.Errorf(karbor.Invalid, "a checkpoint can't expire at %s, which is over; delete it", at.UTC().Format(time.RFC3339))
	}
	if !needsCloud(g, hooksFor(p, karbor.Delete)) {
		return nil
	}
	_, err := s.store.ApplicationCredential(ctx, c.project(), c.Identity.UserID)
	if karbor.KindOf(err) == karbor.NotFound {
		return karbor.Errorf(karbor.Conflict, "deleting this checkpoint needs the cloud in your name when you are away: "+
			"register an application credential first (karbor applicationcredential set)")
	}
	return err
}

// keepCheckpoint changes how a checkpoint is kept.
func (s *Service) keepCheckpoint(ctx context.Context, c Caller, providerID, id string, change func(*karbor.Keeping) error) (karbor.Keeping, error) {
	p, err := s.provider(providerID)
	if err != nil {
		return karbor.Keeping{}, err
	}
	k, err := s.store.KeepCheckpoint(ctx, c.project(), p.ID, id, change)
	if err != nil {
		return karbor.Keeping{}, err
	}
	s.log.InfoContext(ctx, "how a checkpoint is kept was changed", "project", c.project(), "checkpoint", id, "user", c.Identity.UserID,
		"held", k.Hold.On(s.now()), "expires", k.ExpiresAt)
	return k, nil
}

// expiryPause is the time between looks for checkpoints that have expired, unless rounds
// of upkeep are nearer, and expiryBatch how many are read at a time.
const (
	expiryPause = time.Minute
	expiryBatch = 100
)

// sweepExpired deletes checkpoints whose date has come, until ctx ends.
func (s *Service) sweepExpired(ctx context.Context) {
	ticker := time.NewTicker(min(expiryPause, s.custody.Interval()))
	defer ticker.Stop()
	waiting := map[string]string{}
	for {
		var err error
		if waiting, err = s.expire(ctx, waiting); err != nil && ctx.Err() == nil {
			s.log.ErrorContext(ctx, "deleting checkpoints that have expired failed; it is tried again", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// expire deletes the checkpoints whose date has come. It gives those that stay with the
// reason; told are those of the last time, which are not logged again.
func (s *Service) expire(ctx context.Context, told map[string]string) (map[string]string, error) {
	waiting := map[string]string{}
	for behind := (store.Expired{}); ; {
		page, err := s.store.ExpiredCheckpoints(ctx, s.now(), behind, expiryBatch)
		if err != nil {
			return told, err
		}
		for _, e := range page {
			behind = e
			who := Caller{Identity: &karbor.Identity{UserID: e.UserID, ProjectID: e.ProjectID}}
			err := s.delete(ctx, who, deletion{
				providerID: e.ProviderID, id: e.CheckpointID, by: ByExpiry,
				reason: "it has expired at " + e.ExpiresAt.UTC().Format(time.RFC3339),
			})
			if ctx.Err() != nil {
				return waiting, ctx.Err()
			}
			if err == nil {
				continue
			}
			if waiting[e.CheckpointID] = err.Error(); told[e.CheckpointID] != err.Error() {
				s.log.WarnContext(ctx, "a checkpoint has expired and can't be deleted yet; it is tried again",
					"project", e.ProjectID, "checkpoint", e.CheckpointID, "error", err)
			}
		}
		if len(page) < expiryBatch {
			return waiting, nil
		}
	}
}

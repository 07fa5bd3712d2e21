package deletion

import (
	"context"
	"strings"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice/admission"
	"github.com/karbor/karbor/internal/protectionservice/hooks"
	"github.com/karbor/karbor/internal/provider"
)

// HoldCheckpoint has nobody delete a checkpoint, for a reason, until a time or, if that is
// zero, until ReleaseCheckpoint. It takes the place of an earlier hold. One that is being
// deleted is karbor.Conflict, a time that is over karbor.Invalid.
func (d *Deleter) HoldCheckpoint(ctx context.Context, c admission.Caller, providerID, id, reason string, until time.Time) (karbor.Keeping, error) {
	now := d.now()
	if strings.TrimSpace(reason) == "" {
		return karbor.Keeping{}, karbor.Errorf(karbor.Invalid, "a checkpoint is held for a reason only; say it")
	}
	if !until.IsZero() && !until.After(now) {
		return karbor.Keeping{}, karbor.Errorf(karbor.Invalid, "a checkpoint can't be held until %s, which is over", until.UTC().Format(time.RFC3339))
	}
	hold := karbor.Hold{Reason: reason, Until: until.Truncate(time.Microsecond), At: now.Truncate(time.Microsecond), UserID: c.Identity.UserID}
	return d.keepCheckpoint(ctx, c, providerID, id, func(k *karbor.Keeping) error {
		k.Hold = &hold
		return nil
	})
}

// ReleaseCheckpoint ends a hold. One that is not held is no error.
func (d *Deleter) ReleaseCheckpoint(ctx context.Context, c admission.Caller, providerID, id string) (karbor.Keeping, error) {
	return d.keepCheckpoint(ctx, c, providerID, id, func(k *karbor.Keeping) error {
		k.Hold = nil
		return nil
	})
}

// ExpireCheckpoint has a checkpoint deleted by itself at a time; zero takes the date away.
// The deletion goes through the same gate as any other, and waits as long as that is
// closed. Where it needs the cloud, it is done with the application credential that the
// caller has registered; without one the date is karbor.Conflict.
func (d *Deleter) ExpireCheckpoint(ctx context.Context, c admission.Caller, providerID, id string, at time.Time) (karbor.Keeping, error) {
	p, err := d.providers.ByID(providerID)
	if err != nil {
		return karbor.Keeping{}, err
	}
	if !at.IsZero() {
		cp, err := d.store.Checkpoint(ctx, c.ActsOn(), p.ID, id)
		if err != nil {
			return karbor.Keeping{}, err
		}
		if err := d.MayExpire(ctx, c, p, cp.Graph, at); err != nil {
			return karbor.Keeping{}, err
		}
	}
	return d.keepCheckpoint(ctx, c, providerID, id, func(k *karbor.Keeping) error {
		k.ExpiresAt, k.ExpiresBy = at.Truncate(time.Microsecond), c.Identity.UserID
		if at.IsZero() {
			k.ExpiresBy = ""
		}
		return nil
	})
}

// MayExpire makes sure that a checkpoint with a graph can be deleted at a time when the
// caller is away.
func (d *Deleter) MayExpire(ctx context.Context, c admission.Caller, p *provider.Provider, g *karbor.Graph, at time.Time) error {
	if !at.After(d.now()) {
		return karbor.Errorf(karbor.Invalid, "a checkpoint can't expire at %s, which is over; delete it", at.UTC().Format(time.RFC3339))
	}
	if !hooks.NeedCloud(g, hooks.For(p, karbor.Delete)) {
		return nil
	}
	_, err := d.store.ApplicationCredential(ctx, c.ActsOn(), c.Identity.UserID)
	if karbor.KindOf(err) == karbor.NotFound {
		return karbor.Errorf(karbor.Conflict, "deleting this checkpoint needs the cloud in your name when you are away: "+
			"register an application credential first (karbor applicationcredential set)")
	}
	return err
}

// keepCheckpoint changes how a checkpoint is kept.
func (d *Deleter) keepCheckpoint(ctx context.Context, c admission.Caller, providerID, id string, change func(*karbor.Keeping) error) (karbor.Keeping, error) {
	p, err := d.providers.ByID(providerID)
	if err != nil {
		return karbor.Keeping{}, err
	}
	k, err := d.store.KeepCheckpoint(ctx, c.ActsOn(), p.ID, id, change)
	if err != nil {
		return karbor.Keeping{}, err
	}
	d.log.InfoContext(ctx, "how a checkpoint is kept was changed", "project", c.ActsOn(), "checkpoint", id, "user", c.Identity.UserID,
		"held", k.Hold.On(d.now()), "expires", k.ExpiresAt)
	return k, nil
}

// Package deletion deletes checkpoints: through the one gate that all deletions go through, whether
// somebody asks for it, a date has come, or rules of retention don't keep them. It holds checkpoints
// against that, too.
package deletion

import (
	"context"
	"log/slog"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/checkpoint"
	"github.com/karbor/karbor/internal/protectionservice/admission"
	"github.com/karbor/karbor/internal/protectionservice/custody"
	"github.com/karbor/karbor/internal/protectionservice/leftover"
	"github.com/karbor/karbor/internal/provider"
	"github.com/karbor/karbor/internal/store"
)

// Options of New. All are needed.
type Options struct {
	Store     *store.Store
	Providers provider.List
	Desk      *admission.Desk
	// Custody knows whether a bank can be changed.
	Custody *custody.Keeper
	// Leftovers removes what is left in the cloud of a checkpoint that goes.
	Leftovers *leftover.Sweeper
	Now       func() time.Time
	Logger    *slog.Logger
}

// Deleter deletes and holds checkpoints. It is safe for concurrent use.
type Deleter struct {
	store     *store.Store
	providers provider.List
	desk      *admission.Desk
	custody   *custody.Keeper
	leftovers *leftover.Sweeper
	now       func() time.Time
	log       *slog.Logger
}

// New makes a deleter.
func New(o Options) *Deleter {
	return &Deleter{
		store: o.Store, providers: o.Providers, desk: o.Desk, custody: o.Custody, leftovers: o.Leftovers, now: o.Now, log: o.Logger,
	}
}

// DeleteCheckpoint accepts the delete of a checkpoint: when it returns, the
// checkpoint is durable as deleting. One whose state forbids it, that is in use
// by a restore, is held, is locked by its bank, or is the newest one in which something was
// found good by a verification, is karbor.Conflict. Where an administrator deletes another project's,
// what is left of it in the cloud is removed in the tenant's name as long as that is
// possible: the administrator's own delegation does not reach there.
func (d *Deleter) DeleteCheckpoint(ctx context.Context, c admission.Caller, providerID, id string) error {
	return d.Delete(ctx, c, Request{ProviderID: providerID, ID: id})
}

// Delete is the one way on which a checkpoint is deleted, whoever asks for it.
func (d *Deleter) Delete(ctx context.Context, c admission.Caller, r Request) error {
	p, err := d.providers.ByID(r.ProviderID)
	if err != nil {
		return err
	}
	extra, err := r.extra(c)
	if err != nil {
		return err
	}
	cp, err := d.store.Checkpoint(ctx, c.ActsOn(), p.ID, r.ID)
	if err != nil {
		return err
	}
	if p, err = p.At(cp.Bank); err != nil {
		return err
	}
	if err := d.custody.Usable(p); err != nil {
		return err
	}
	// Before anything is accepted: one that is locked stays whole, and as it is.
	if err := p.Checkpoints().MayRemove(ctx, cp.ProjectID, cp.ID); err != nil {
		return err
	}
	if !c.Crosses() {
		d.leftovers.Renew(ctx, c.Identity, p.ID, cp.ID)
	}
	return d.desk.Accept(ctx, c, &admission.Acceptance{
		Acceptance: store.Acceptance{
			Operation: store.Operation{
				Type: karbor.Delete, CheckpointID: cp.ID, PlanID: cp.Plan.ID, Graph: cp.Graph, Parameters: cp.Plan.Parameters, Bank: cp.Bank,
			},
			CheckpointFrom: deletable(),
			CheckpointTo:   karbor.CheckpointDeleting,
			Gate:           d.gate(r.By == ByForce),
		},
		Provider:             p,
		LogStatus:            karbor.LogStatus(karbor.CheckpointDeleting),
		Extra:                extra,
		ScheduledOperationID: r.ScheduledOperationID,
	})
}

// deletable are the states in which a checkpoint can be deleted.
func deletable() []karbor.CheckpointStatus {
	return []karbor.CheckpointStatus{karbor.CheckpointAvailable, karbor.CheckpointError, karbor.CheckpointErrorDeleting}
}

// ResetCheckpoint sets a checkpoint's state to available or error, in the bank and
// in the catalogue, unless an operation works on it (karbor.Conflict). One that is
// not in the bank, or whose deletion has begun, can't become available
// (karbor.Conflict).
func (d *Deleter) ResetCheckpoint(ctx context.Context, c admission.Caller, providerID, id string, to karbor.CheckpointStatus) error {
	p, err := d.providers.ByID(providerID)
	if err != nil {
		return err
	}
	if to != karbor.CheckpointAvailable && to != karbor.CheckpointError {
		return karbor.Errorf(karbor.Invalid, "the state of a checkpoint can be reset to available or error, not to %q", to)
	}
	cp, err := d.store.Checkpoint(ctx, c.ActsOn(), p.ID, id)
	if err != nil {
		return err
	}
	if err := d.store.CheckpointIdle(ctx, p.ID, cp.ID); err != nil {
		return err
	}
	if p, err = p.At(cp.Bank); err != nil {
		return err
	}
	if err := d.custody.Usable(p); err != nil {
		return err
	}
	// The bank first: it is the truth, and may refuse.
	err = p.Checkpoints().SetState(ctx, cp.ProjectID, cp.ID, to, checkpoint.Change{From: resettable(cp.Status)})
	if karbor.KindOf(err) == karbor.NotFound && err != nil {
		if to == karbor.CheckpointAvailable {
			return karbor.Errorf(karbor.Conflict, "checkpoint %s is not in its bank, so it can't become available; it can be deleted", cp.ID)
		}
		err = nil // it failed before it was there
	}
	if err != nil {
		return err
	}
	return d.store.SetCheckpointStatus(ctx, cp.ProjectID, p.ID, cp.ID, to)
}

// resettable are the states in the bank of an idle checkpoint that can be reset, given
// the catalogue's. The two may differ where a bank did not take a failure. A delete
// that was accepted just now is not disturbed.
func resettable(status karbor.CheckpointStatus) []karbor.CheckpointStatus {
	from := append(deletable(), karbor.CheckpointProtecting)
	if status == karbor.CheckpointDeleting || status == karbor.CheckpointErrorDeleting {
		from = append(from, karbor.CheckpointDeleting)
	}
	return from
}

// Package protect makes checkpoints of what plans name.
package protect

import (
	"context"
	"encoding/json"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice/admission"
	"github.com/karbor/karbor/internal/protectionservice/custody"
	"github.com/karbor/karbor/internal/protectionservice/deletion"
	"github.com/karbor/karbor/internal/protectionservice/inventory"
	"github.com/karbor/karbor/internal/provider"
	"github.com/karbor/karbor/internal/store"
)

// Options of New. All but Limits are needed.
type Options struct {
	Store     *store.Store
	Providers provider.List
	Desk      *admission.Desk
	// Inventory finds what plans protect.
	Inventory *inventory.Finder
	// Custody knows whether a bank can be changed.
	Custody *custody.Keeper
	// Limits are the configured quotas of each project; nil for none.
	Limits store.Limits
	// Expiry knows which checkpoints may be deleted by themselves.
	Expiry *deletion.Deleter
	Now    func() time.Time
}

// Maker makes checkpoints. It is safe for concurrent use.
type Maker struct {
	store     *store.Store
	providers provider.List
	desk      *admission.Desk
	inventory *inventory.Finder
	custody   *custody.Keeper
	limits    store.Limits
	expiry    *deletion.Deleter
	now       func() time.Time
}

// New makes a maker.
func New(o Options) *Maker {
	return &Maker{
		store: o.Store, providers: o.Providers, desk: o.Desk, inventory: o.Inventory, custody: o.Custody, limits: o.Limits,
		expiry: o.Expiry, now: o.Now,
	}
}

// Request asks for a checkpoint of a plan.
type Request struct {
	ProviderID, PlanID string
	// ExtraInfo are the caller's own members.
	ExtraInfo map[string]json.RawMessage
	// ExpiresAt is when the checkpoint is deleted by itself, as deletion.Deleter.ExpireCheckpoint does;
	// zero for never.
	ExpiresAt time.Time
}

// CheckPlan checks what of a plan depends on its provider: that there is one, and
// that its parameters are in the provider's schemas. The error is karbor.Invalid.
func (m *Maker) CheckPlan(providerID string, p *karbor.Plan) error {
	own, err := m.providers.ByID(providerID)
	if err != nil {
		return karbor.Errorf(karbor.Invalid, "provider_id: %s", karbor.Sentence(err))
	}
	for i, r := range p.Resources {
		if !r.Type.Known() {
			return karbor.Errorf(karbor.Invalid, "resources[%d]: %q is not a resource type", i, r.Type)
		}
		if !karbor.IsResourceID(r.ID) {
			return karbor.Errorf(karbor.Invalid, "resources[%d]: %q is not the id of a resource", i, r.ID)
		}
	}
	return own.CheckOptions(p.Parameters)
}

// Protect accepts a protect operation: when it returns, the checkpoint is durable
// as protecting, with its graph, which is built as the caller.
func (m *Maker) Protect(ctx context.Context, c admission.Caller, r Request) (karbor.Checkpoint, error) {
	var none karbor.Checkpoint
	p, err := m.providers.ByID(r.ProviderID)
	if err != nil {
		return none, err
	}
	plan, err := m.store.Plan(ctx, c.Identity.ProjectID, r.PlanID)
	if karbor.KindOf(err) == karbor.NotFound {
		return none, karbor.Errorf(karbor.NotFound, "there is no plan %s", r.PlanID)
	}
	if err != nil {
		return none, err
	}
	if plan.ProviderID != p.ID {
		return none, karbor.Errorf(karbor.Invalid, "plan %s is for provider %s, not for provider %s", plan.ID, plan.ProviderID, p.ID)
	}
	if err := p.CheckOptions(plan.Parameters); err != nil {
		return none, err
	}
	if err := m.custody.Usable(p); err != nil {
		return none, err
	}
	g, err := m.inventory.Graph(ctx, c.Cloud, p, plan.Resources, plan.Parameters)
	if err != nil {
		return none, err
	}
	gigabytes, err := m.estimate(ctx, c, g)
	if err != nil {
		return none, err
	}
	var keeping karbor.Keeping
	if !r.ExpiresAt.IsZero() {
		if err := m.expiry.MayExpire(ctx, c, p, g, r.ExpiresAt); err != nil {
			return none, err
		}
		keeping.ExpiresAt, keeping.ExpiresBy = r.ExpiresAt.Truncate(time.Microsecond), c.Identity.UserID
	}
	now := m.now()
	cp := karbor.Checkpoint{
		ID: karbor.NewID(), ProjectID: c.Identity.ProjectID, ProviderID: p.ID,
		Status: karbor.CheckpointProtecting, Graph: g, ExtraInfo: c.CheckpointInfo(r.ExtraInfo),
		Plan: karbor.PlanRecord{
			ID: plan.ID, Name: plan.Name, ProviderID: p.ID, Resources: plan.Resources, Parameters: plan.Parameters,
		},
		CreatedAt: now, UpdatedAt: now,
	}
	return cp, m.desk.Accept(ctx, c, &admission.Acceptance{
		Provider: p,
		Acceptance: store.Acceptance{
			Operation: store.Operation{
				Type: karbor.Protect, CheckpointID: cp.ID, PlanID: plan.ID, Graph: g, Parameters: plan.Parameters,
			},
			Checkpoint: &cp, Keeping: keeping, Limits: m.limits, Gigabytes: gigabytes,
		},
		LogStatus: karbor.LogStatus(karbor.CheckpointProtecting),
		Extra:     cp.ExtraInfo,
	})
}

// estimate gives the gigabytes to set aside for a checkpoint. A project without a limit
// needs none, and the cloud is not asked.
func (m *Maker) estimate(ctx context.Context, c admission.Caller, g *karbor.Graph) (int64, error) {
	l, err := m.store.Limits(ctx, c.Identity.ProjectID, m.limits)
	if err != nil || l.Of(store.QuotaGigabytes) == store.Unlimited {
		return 0, err
	}
	return m.inventory.Gigabytes(ctx, c.Cloud, g)
}

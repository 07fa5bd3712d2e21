package protectionservice

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/internal/protectionservice/delegation"
	"github.com/karbor/karbor/internal/provider"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/internal/workflow"
	"github.com/karbor/karbor/internal/workflow/local"
	"github.com/karbor/karbor/protection"
)

// CreatedBy is the member of a checkpoint's extra information that says what
// asked for it; Manual is its value for a tenant's own request.
const (
	CreatedBy = "created_by"
	Manual    = "manual"
)

// ProtectRequest asks for a checkpoint of a plan.
type ProtectRequest struct {
	ProviderID, PlanID string
	// ExtraInfo are the caller's own members.
	ExtraInfo map[string]json.RawMessage
	// ExpiresAt is when the checkpoint is deleted by itself, as ExpireCheckpoint does;
	// zero for never.
	ExpiresAt time.Time
}

// CheckPlan checks what of a plan depends on its provider: that there is one, and
// that its parameters are in the provider's schemas. The error is karbor.Invalid.
func (s *Service) CheckPlan(providerID string, p *karbor.Plan) error {
	own, err := s.provider(providerID)
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
func (s *Service) Protect(ctx context.Context, c Caller, r ProtectRequest) (karbor.Checkpoint, error) {
	var none karbor.Checkpoint
	p, err := s.provider(r.ProviderID)
	if err != nil {
		return none, err
	}
	plan, err := s.store.Plan(ctx, c.Identity.ProjectID, r.PlanID)
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
	if err := s.custody.Usable(p); err != nil {
		return none, err
	}
	g, err := s.inventory.Graph(ctx, c.Cloud, p, plan.Resources, plan.Parameters)
	if err != nil {
		return none, err
	}
	gigabytes, err := s.estimate(ctx, c, g)
	if err != nil {
		return none, err
	}
	var keeping karbor.Keeping
	if !r.ExpiresAt.IsZero() {
		if err := s.mayExpire(ctx, c, p, g, r.ExpiresAt); err != nil {
			return none, err
		}
		keeping.ExpiresAt, keeping.ExpiresBy = r.ExpiresAt.Truncate(time.Microsecond), c.Identity.UserID
	}
	now := s.now()
	cp := karbor.Checkpoint{
		ID: karbor.NewID(), ProjectID: c.Identity.ProjectID, ProviderID: p.ID,
		Status: karbor.CheckpointProtecting, Graph: g, ExtraInfo: extraInfo(c, r.ExtraInfo),
		Plan: karbor.PlanRecord{
			ID: plan.ID, Name: plan.Name, ProviderID: p.ID, Resources: plan.Resources, Parameters: plan.Parameters,
		},
		CreatedAt: now, UpdatedAt: now,
	}
	return cp, s.accept(ctx, c, p, acceptance{
		Acceptance: store.Acceptance{
			Operation: store.Operation{
				Type: karbor.Protect, CheckpointID: cp.ID, PlanID: plan.ID, Graph: g, Parameters: plan.Parameters,
			},
			Checkpoint: &cp, Keeping: keeping, Limits: s.limits, Gigabytes: gigabytes,
		},
		logStatus: karbor.LogStatus(karbor.CheckpointProtecting),
		extra:     cp.ExtraInfo,
	})
}

// extraInfo adds what the service itself says to the caller's members. The
// service's own can't be overridden.
func extraInfo(c Caller, own map[string]json.RawMessage) map[string]json.RawMessage {
	out := map[string]json.RawMessage{}
	maps.Copy(out, own)
	out[CreatedBy] = json.RawMessage(`"` + Manual + `"`)
	if c.Run != nil {
		maps.Copy(out, c.Run.scheduledInfo())
	}
	return out
}

// acceptance is what an operation's kind fills in of store.Acceptance.
type acceptance struct {
	store.Acceptance
	logStatus karbor.LogStatus
	extra     map[string]json.RawMessage
	target    *delegation.Target
	// scheduledOperationID is the scheduled operation after whose run it is, whose
	// delegation it uses, or "".
	scheduledOperationID string
	// provider is the one that it works with.
	provider *provider.Provider
	granted  *openstack.Delegation
}

// accept makes an operation durable: what its kind has filled in, the log, a
// delegation if any hook will need the cloud.
func (s *Service) accept(ctx context.Context, c Caller, p *provider.Provider, a acceptance) error {
	a.provider = p
	return s.acceptAll(ctx, c, &a)
}

// acceptAll accepts operations, all of them or none.
func (s *Service) acceptAll(ctx context.Context, c Caller, operations ...*acceptance) (err error) {
	defer func() {
		for _, a := range operations {
			if err != nil {
				s.delegations.Withdraw(ctx, a.Operation.ID, a.granted)
			}
		}
	}()
	list := make([]*store.Acceptance, 0, len(operations))
	for _, a := range operations {
		if err := s.prepare(ctx, c, a); err != nil {
			return err
		}
		list = append(list, &a.Acceptance)
	}
	handed, err := s.persist(ctx, list)
	if err != nil {
		return err
	}
	for _, a := range operations {
		op := a.Operation
		s.log.InfoContext(ctx, "operation accepted", "operation", op.ID, "type", op.Type, "project", op.ProjectID,
			"checkpoint", op.CheckpointID, "resources", len(op.Graph.Nodes()))
	}
	if !handed {
		s.dispatcher.Wake()
	}
	return nil
}

// prepare fills in what all operations have, and gets what one needs to act for the caller.
func (s *Service) prepare(ctx context.Context, c Caller, a *acceptance) (err error) {
	now := s.now()
	op := &a.Operation
	op.ID = cmp.Or(op.ID, karbor.NewID())
	op.ProjectID, op.ProviderID, op.CreatedAt = c.project(), a.provider.ID, now
	op.RequestID = openstack.RequestID(ctx)
	a.Log = karbor.OperationLog{
		ID: op.ID, ProjectID: op.ProjectID, OperationType: op.Type, CheckpointID: op.CheckpointID,
		PlanID: op.PlanID, ProviderID: op.ProviderID, RestoreID: op.RestoreID,
		Status: a.logStatus, StartedAt: now, ExtraInfo: a.extra, ScheduledOperationID: a.scheduledOperationID,
	}
	if c.Run != nil {
		c.Run.begin(a)
	}
	a.granted, err = s.authorize(ctx, c, op, hooksFor(a.provider, kindOf(*op)), a.target)
	return err
}

// joiner is an engine whose journal is in the service's own database: the local one.
type joiner interface {
	Join(ctx context.Context, id string, g workflow.Graph) (*local.Joint, error)
}

// persist makes accepted operations durable. It reports whether the engine has them
// already; if not, they are in the outbox.
func (s *Service) persist(ctx context.Context, list []*store.Acceptance) (handed bool, err error) {
	handed = true
	for _, a := range list {
		if engine, ok := s.engine.(joiner); ok {
			// What is in the way of that shows again when the outbox is dispatched.
			if steps, err := s.steps(a.Operation); err == nil {
				a.Joint, _ = engine.Join(ctx, a.Operation.ID, steps)
			}
		}
		handed = handed && a.Joint != nil
	}
	err = s.keep(ctx, list)
	for _, a := range list {
		if a.Joint == nil {
			continue
		}
		if err == nil {
			s.remember(a.Operation, a.Checkpoint)
		}
		a.Joint.Done(err == nil)
	}
	if errors.Is(err, local.ErrFenced) {
		for _, a := range list {
			a.Joint = nil
		}
		return false, s.keep(ctx, list)
	}
	return handed, err
}

// keep has the store accept operations in one transaction.
func (s *Service) keep(ctx context.Context, list []*store.Acceptance) error {
	more := make([]store.Acceptance, 0, len(list))
	for _, a := range list[1:] {
		more = append(more, *a)
	}
	return s.store.Accept(ctx, *list[0], more...)
}

// hooksFor gives what a provider does in an operation, by type.
func hooksFor(p *provider.Provider, op karbor.OperationType) func(karbor.ResourceType) protection.Hooks {
	return func(t karbor.ResourceType) protection.Hooks { return hooksOf(p, op, t) }
}

// estimate gives the gigabytes to set aside for a checkpoint. A project without a limit
// needs none, and the cloud is not asked.
func (s *Service) estimate(ctx context.Context, c Caller, g *karbor.Graph) (int64, error) {
	l, err := s.store.Limits(ctx, c.Identity.ProjectID, s.limits)
	if err != nil || l.Of(store.QuotaGigabytes) == store.Unlimited {
		return 0, err
	}
	return s.inventory.Gigabytes(ctx, c.Cloud, g)
}

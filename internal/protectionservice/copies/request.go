package copies

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice/admission"
	"github.com/karbor/karbor/internal/protectionservice/custody"
	"github.com/karbor/karbor/internal/provider"
	"github.com/karbor/karbor/internal/store"
)

// Requests accepts requests for copies. It is safe for concurrent use.
type Requests struct {
	store     *store.Store
	providers provider.List
	desk      *admission.Desk
	banks     Banks
	limits    store.Limits
	now       func() time.Time
}

// RequestOptions of NewRequests. All but Limits are needed.
type RequestOptions struct {
	Store     *store.Store
	Providers provider.List
	Desk      *admission.Desk
	Banks     Banks
	// Limits are the configured quotas of each project; nil for none.
	Limits store.Limits
	Now    func() time.Time
}

// NewRequests makes what accepts requests.
func NewRequests(o RequestOptions) *Requests {
	return &Requests{store: o.Store, providers: o.Providers, desk: o.Desk, banks: o.Banks, limits: o.Limits, now: o.Now}
}

// Request asks to copy the checkpoints of a plan that are not copied yet.
type Request struct {
	ProviderID, PlanID string
	Parameters         karbor.Parameters
	// Targets are the names of the provider's copy targets; none stands for all of them.
	Targets []string
	// Checkpoints, if any, are the only ones that are copied.
	Checkpoints []string
	// ExtraInfo is for the operation log: what asked for it.
	ExtraInfo map[string]json.RawMessage
}

// mostCopies is how many copies one request makes; the next one makes those that are left.
const mostCopies = 1000

// Copied is what the member CreatedBy of a copy's extra information says.
const Copied = "copy"

// Copy accepts a copy: when it returns, each checkpoint of the plan that is available, and that
// a target does not have yet, has a copy there that is durable as wait_copying. Where there is
// none it is karbor.Conflict, and karbor.NotImplemented where the provider has no target. What
// two requests ask for at once is copied once.
func (r *Requests) Copy(ctx context.Context, c admission.Caller, q Request) (karbor.Copy, error) {
	var none karbor.Copy
	p, targets, err := r.check(ctx, c, q)
	if err != nil {
		return none, err
	}
	now := r.now()
	made := karbor.Copy{
		ID: c.OperationID(), ProjectID: c.Identity.ProjectID, ProviderID: p.ID, PlanID: q.PlanID,
		Parameters: q.Parameters, Status: karbor.CopyWaiting, CreatedAt: now, UpdatedAt: now,
	}
	err = r.desk.Accept(ctx, c, &admission.Acceptance{
		Provider: p,
		Acceptance: store.Acceptance{
			// The request has the id of its operation.
			Operation: store.Operation{ID: made.ID, Type: karbor.CopyOperation, PlanID: q.PlanID, Graph: &karbor.Graph{}, Parameters: q.Parameters},
			Copy:      &made, Limits: r.limits,
			Copying: store.Copying{Targets: targets, Checkpoints: q.Checkpoints, Make: r.maker(p), Most: mostCopies},
		},
		LogStatus: karbor.LogInProgress,
		Extra:     c.RunInfo(q.ExtraInfo),
	})
	return made, err
}

// check checks a request, and gives its provider and targets.
func (r *Requests) check(ctx context.Context, c admission.Caller, q Request) (*provider.Provider, []store.CopyTarget, error) {
	p, err := r.providers.ByID(q.ProviderID)
	if err != nil {
		return nil, nil, err
	}
	plan, err := r.store.Plan(ctx, c.Identity.ProjectID, q.PlanID)
	if karbor.KindOf(err) == karbor.NotFound {
		return nil, nil, karbor.Errorf(karbor.NotFound, "there is no plan %s", q.PlanID)
	}
	if err != nil {
		return nil, nil, err
	}
	if plan.ProviderID != p.ID {
		return nil, nil, karbor.Errorf(karbor.Invalid, "plan %s is for provider %s, not for provider %s", plan.ID, plan.ProviderID, p.ID)
	}
	if err := p.CheckCopy(q.Parameters); err != nil {
		return nil, nil, err
	}
	found, err := r.store.Checkpoints(ctx, store.CheckpointFilter{
		ProjectID: c.Identity.ProjectID, ProviderID: p.ID, PlanID: plan.ID, Status: string(karbor.CheckpointAvailable), Bank: store.MainBank,
	}, store.Page{Limit: 1})
	if err != nil {
		return nil, nil, err
	}
	if len(found) == 0 {
		return nil, nil, &karbor.Error{Kind: karbor.Conflict, Message: "plan " + plan.ID + " has no available checkpoint to copy", Cause: store.ErrNothingToCopy}
	}
	targets, err := r.CopyTargets(ctx, p, q.Targets)
	if err != nil {
		return nil, nil, err
	}
	for _, id := range q.Checkpoints {
		if err := r.checkOne(ctx, c, p, plan.ID, id); err != nil {
			return nil, nil, err
		}
	}
	return p, targets, nil
}

// CopyTargets gives the targets that a request names. Which of them have what is known only
// once the catalogue has all that their banks hold.
func (r *Requests) CopyTargets(ctx context.Context, p *provider.Provider, names []string) ([]store.CopyTarget, error) {
	all := p.Targets()
	if len(all) == 0 {
		return nil, karbor.Errorf(karbor.NotImplemented, "the operation copy is not offered by provider %s: it has no copy targets", p.Name)
	}
	for _, name := range names {
		if !slices.ContainsFunc(all, func(t *provider.Provider) bool { return t.Target == name }) {
			return nil, karbor.Errorf(karbor.Invalid, "targets: provider %s has no copy target %q; it has %s", p.Name, name, strings.Join(TargetNames(p), ", "))
		}
	}
	var out []store.CopyTarget
	for _, t := range all {
		if len(names) > 0 && !slices.Contains(names, t.Target) {
			continue
		}
		filled, err := r.store.CatalogueFilled(ctx, p.ID, t.Target)
		if err != nil {
			return nil, err
		}
		if !filled {
			if err := r.banks.Usable(t); err != nil {
				return nil, err
			}
		}
		keep, since := t.Keep(), time.Time{}
		if keep.Days > 0 {
			since = r.now().AddDate(0, 0, -keep.Days)
		}
		out = append(out, store.CopyTarget{Name: t.Target, Newest: keep.Newest, Since: since})
	}
	return out, nil
}

// checkOne makes sure that a checkpoint that a request names can be one that it copies.
func (r *Requests) checkOne(ctx context.Context, c admission.Caller, p *provider.Provider, planID, id string) error {
	cp, err := r.store.Checkpoint(ctx, c.Identity.ProjectID, p.ID, id)
	switch {
	case err != nil:
		return err
	case cp.Plan.ID != planID:
		return karbor.Errorf(karbor.Invalid, "checkpoint_ids: checkpoint %s is of plan %s, not of plan %s", id, cp.Plan.ID, planID)
	case cp.Bank != "":
		return karbor.Errorf(karbor.Invalid, "checkpoint_ids: checkpoint %s is a copy; only what is in the provider's own bank is copied", id)
	case cp.Status != karbor.CheckpointAvailable:
		return karbor.Errorf(karbor.Conflict, "checkpoint %s is %s; only an available one can be copied", id, cp.Status)
	}
	return nil
}

// maker gives the function that makes the copy of a checkpoint, as it is accepted.
func (r *Requests) maker(p *provider.Provider) func(karbor.Checkpoint, string) (karbor.Checkpoint, string) {
	return func(original karbor.Checkpoint, target string) (karbor.Checkpoint, string) {
		if len(original.Graph.Nodes()) == 0 {
			return karbor.Checkpoint{}, fmt.Sprintf("nothing is known of what is in checkpoint %s", original.ID)
		}
		for _, n := range original.Graph.Nodes() {
			if why := p.Bound(n.Type); why != "" {
				return karbor.Checkpoint{}, fmt.Sprintf("checkpoint %s has the %s %s: %s", original.ID, n.Type.Word(), n.ID, why)
			}
		}
		made := of(original, karbor.NewID())
		made.Status, made.Bank, made.UpdatedAt = karbor.CheckpointWaitCopying, target, r.now()
		return made, ""
	}
}

// of gives what the copy of a checkpoint says of itself. It is of the same time as the
// original: it brings back the same.
func of(original karbor.Checkpoint, id string) karbor.Checkpoint {
	made := original
	made.ID, made.CopyOf = id, original.ID
	made.Figures, made.Reasons = nil, nil
	made.ExtraInfo = maps.Clone(original.ExtraInfo)
	if made.ExtraInfo == nil {
		made.ExtraInfo = map[string]json.RawMessage{}
	}
	made.ExtraInfo[admission.CreatedBy] = json.RawMessage(`"` + Copied + `"`)
	made.ExtraInfo[custody.CopyOf] = json.RawMessage(`"` + original.ID + `"`)
	return made
}

// CopyProgress tells how far a request for copies is, checkpoint by checkpoint.
func (r *Requests) CopyProgress(ctx context.Context, c karbor.Copy) ([]karbor.CopyProgress, error) {
	found, err := r.store.Copied(ctx, c.ID)
	if err != nil {
		return nil, err
	}
	out := make([]karbor.CopyProgress, len(found))
	for i, one := range found {
		out[i] = one.CopyProgress
	}
	return out, nil
}

// TargetNames gives the names of a provider's copy targets.
func TargetNames(p *provider.Provider) []string {
	names := []string{}
	for _, t := range p.Targets() {
		names = append(names, t.Target)
	}
	return names
}

package protectionservice

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice/custody"
	"github.com/karbor/karbor/internal/provider"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/internal/workflow"
)

// CopyRequest asks to copy the checkpoints of a plan that are not copied yet.
type CopyRequest struct {
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
func (s *Service) Copy(ctx context.Context, c Caller, r CopyRequest) (karbor.Copy, error) {
	var none karbor.Copy
	p, targets, err := s.checkCopy(ctx, c, r)
	if err != nil {
		return none, err
	}
	now := s.now()
	made := karbor.Copy{
		ID: c.operationID(), ProjectID: c.Identity.ProjectID, ProviderID: p.ID, PlanID: r.PlanID,
		Parameters: r.Parameters, Status: karbor.CopyWaiting, CreatedAt: now, UpdatedAt: now,
	}
	err = s.accept(ctx, c, p, acceptance{
		Acceptance: store.Acceptance{
			// The request has the id of its operation.
			Operation: store.Operation{ID: made.ID, Type: karbor.CopyOperation, PlanID: r.PlanID, Graph: &karbor.Graph{}, Parameters: r.Parameters},
			Copy:      &made, Limits: s.limits,
			Copying: store.Copying{Targets: targets, Checkpoints: r.Checkpoints, Make: s.copyMaker(p), Most: mostCopies},
		},
		logStatus: karbor.LogInProgress,
		extra:     runInfo(c, r.ExtraInfo),
	})
	return made, err
}

// checkCopy checks a request, and gives its provider and targets.
func (s *Service) checkCopy(ctx context.Context, c Caller, r CopyRequest) (*provider.Provider, []store.CopyTarget, error) {
	p, err := s.provider(r.ProviderID)
	if err != nil {
		return nil, nil, err
	}
	plan, err := s.store.Plan(ctx, c.Identity.ProjectID, r.PlanID)
	if karbor.KindOf(err) == karbor.NotFound {
		return nil, nil, karbor.Errorf(karbor.NotFound, "there is no plan %s", r.PlanID)
	}
	if err != nil {
		return nil, nil, err
	}
	if plan.ProviderID != p.ID {
		return nil, nil, karbor.Errorf(karbor.Invalid, "plan %s is for provider %s, not for provider %s", plan.ID, plan.ProviderID, p.ID)
	}
	if err := p.CheckCopy(r.Parameters); err != nil {
		return nil, nil, err
	}
	found, err := s.store.Checkpoints(ctx, store.CheckpointFilter{
		ProjectID: c.Identity.ProjectID, ProviderID: p.ID, PlanID: plan.ID, Status: string(karbor.CheckpointAvailable), Bank: store.MainBank,
	}, store.Page{Limit: 1})
	if err != nil {
		return nil, nil, err
	}
	if len(found) == 0 {
		return nil, nil, &karbor.Error{Kind: karbor.Conflict, Message: "plan " + plan.ID + " has no available checkpoint to copy", Cause: store.ErrNothingToCopy}
	}
	targets, err := s.copyTargets(ctx, p, r.Targets)
	if err != nil {
		return nil, nil, err
	}
	for _, id := range r.Checkpoints {
		if err := s.checkCopied(ctx, c, p, plan.ID, id); err != nil {
			return nil, nil, err
		}
	}
	return p, targets, nil
}

// copyTargets gives the targets that a request names. Which of them have what is known only
// once the catalogue has all that their banks hold.
func (s *Service) copyTargets(ctx context.Context, p *provider.Provider, names []string) ([]store.CopyTarget, error) {
	all := p.Targets()
	if len(all) == 0 {
		return nil, karbor.Errorf(karbor.NotImplemented, "the operation copy is not offered by provider %s: it has no copy targets", p.Name)
	}
	for _, name := range names {
		if !slices.ContainsFunc(all, func(t *provider.Provider) bool { return t.Target == name }) {
			return nil, karbor.Errorf(karbor.Invalid, "targets: provider %s has no copy target %q; it has %s", p.Name, name, strings.Join(targetNames(p), ", "))
		}
	}
	var out []store.CopyTarget
	for _, t := range all {
		if len(names) > 0 && !slices.Contains(names, t.Target) {
			continue
		}
		filled, err := s.store.CatalogueFilled(ctx, p.ID, t.Target)
		if err != nil {
			return nil, err
		}
		if !filled {
			if err := s.custody.Usable(t); err != nil {
				return nil, err
			}
		}
		keep, since := t.Keep(), time.Time{}
		if keep.Days > 0 {
			since = s.now().AddDate(0, 0, -keep.Days)
		}
		out = append(out, store.CopyTarget{Name: t.Target, Newest: keep.Newest, Since: since})
	}
	return out, nil
}

// checkCopied makes sure that a checkpoint that a request names can be one that it copies.
func (s *Service) checkCopied(ctx context.Context, c Caller, p *provider.Provider, planID, id string) error {
	cp, err := s.store.Checkpoint(ctx, c.Identity.ProjectID, p.ID, id)
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

// copyMaker gives the function that makes the copy of a checkpoint, as it is accepted.
func (s *Service) copyMaker(p *provider.Provider) func(karbor.Checkpoint, string) (karbor.Checkpoint, string) {
	return func(original karbor.Checkpoint, target string) (karbor.Checkpoint, string) {
		if len(original.Graph.Nodes()) == 0 {
			return karbor.Checkpoint{}, fmt.Sprintf("nothing is known of what is in checkpoint %s", original.ID)
		}
		for _, n := range original.Graph.Nodes() {
			if why := p.Bound(n.Type); why != "" {
				return karbor.Checkpoint{}, fmt.Sprintf("checkpoint %s has the %s %s: %s", original.ID, n.Type.Word(), n.ID, why)
			}
		}
		made := copyOf(original, karbor.NewID())
		made.Status, made.Bank, made.UpdatedAt = karbor.CheckpointWaitCopying, target, s.now()
		return made, ""
	}
}

// copyOf gives what the copy of a checkpoint says of itself. It is of the same time as the
// original: it brings back the same.
func copyOf(original karbor.Checkpoint, id string) karbor.Checkpoint {
	made := original
	made.ID, made.CopyOf = id, original.ID
	made.Figures, made.Reasons = nil, nil
	made.ExtraInfo = maps.Clone(original.ExtraInfo)
	if made.ExtraInfo == nil {
		made.ExtraInfo = map[string]json.RawMessage{}
	}
	made.ExtraInfo[CreatedBy] = json.RawMessage(`"` + Copied + `"`)
	made.ExtraInfo[custody.CopyOf] = json.RawMessage(`"` + original.ID + `"`)
	return made
}

// CopyProgress tells how far a request for copies is, checkpoint by checkpoint.
func (s *Service) CopyProgress(ctx context.Context, c karbor.Copy) ([]karbor.CopyProgress, error) {
	found, err := s.store.Copied(ctx, c.ID)
	if err != nil {
		return nil, err
	}
	out := make([]karbor.CopyProgress, len(found))
	for i, one := range found {
		out[i] = one.CopyProgress
	}
	return out, nil
}

// targetNames gives the names of a provider's copy targets.
func targetNames(p *provider.Provider) []string {
	names := []string{}
	for _, t := range p.Targets() {
		names = append(names, t.Target)
	}
	return names
}

// copyLane copies what a request copies to a target.
func (s *Service) copyLane(ctx context.Context, task *workflow.Task) error {
	w, err := s.work(ctx, task)
	if err != nil {
		return err
	}
	return s.copier.Lane(ctx, w.op, w.provider, task)
}

// expireCopy deletes a copy that its target is not to keep any more.
func (s *Service) expireCopy(ctx context.Context, projectID, providerID, id, reason string) error {
	caller := Caller{Identity: &karbor.Identity{ProjectID: projectID}}
	return s.delete(ctx, caller, deletion{providerID: providerID, id: id, by: ByRetention, reason: reason})
}

// standInInfo says in an operation log that a copy stands in.
func standInInfo(standIn *karbor.StandIn) map[string]json.RawMessage {
	if standIn == nil {
		return nil
	}
	text, err := json.Marshal(standIn)
	if err != nil {
		return nil // three texts can't fail
	}
	return map[string]json.RawMessage{"stand_in": text}
}

package protectionservice

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/internal/protectionservice/flow"
	"github.com/karbor/karbor/internal/protectionservice/outcome"
	"github.com/karbor/karbor/internal/provider"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/internal/workflow"
	"github.com/karbor/karbor/protection"
)

// safetyWait is the longest pause between two looks at a safety checkpoint.
const safetyWait = 5 * time.Second

// kindOf gives the operation that plug-ins are asked the hooks of.
func kindOf(op store.Operation) karbor.OperationType {
	if op.Type == karbor.RestoreOperation && op.Choices.InPlace {
		return protection.InPlace
	}
	return op.Type
}

// leftOf gives what removes what is left of an operation that has ended. In a restore in place
// that is never Undo: it would overwrite what its tenant has written since.
func leftOf(p *provider.Provider, op store.Operation, t karbor.ResourceType) protection.Hook {
	if kindOf(op) == protection.InPlace {
		return p.Hooks(protection.InPlace, t).Sweep
	}
	return undoOf(p, kindOf(op), t)
}

// notBroughtBack tells, for each original that did not get its bytes back, where they are, and
// what else its undo has told. The id in its row is no new one, so nothing new is left.
func notBroughtBack(op store.Operation, rows []store.ResourceRecord, why *outcome.Failures) {
	if kindOf(op) != protection.InPlace {
		return
	}
	why.Told = map[karbor.NodeKey][]string{}
	for i := range rows {
		why.Told[rows[i].Key], rows[i].NewID = rows[i].NotKept, ""
	}
	for _, reasons := range why.Undo {
		reasons[len(reasons)-1] += "; what it held before is in the safety checkpoint " + op.Choices.SafetyCheckpointID + ", which can be restored in place"
	}
}

// checkInPlace refuses what makes no sense with a restore in place.
func checkInPlace(r RestoreRequest) error {
	switch {
	case !r.Choices.InPlace:
		return nil
	case r.Target != "":
		return karbor.Errorf(karbor.Invalid, "in_place: the originals are not in another cloud or project")
	case r.KeepOnFailure:
		return karbor.Errorf(karbor.Invalid, "in_place: when it fails, what was overwritten gets its bytes back; keep_on_failure is for restores to new resources")
	case len(r.Choices.Mapping) > 0 || len(r.Choices.Stages) > 0 || r.Choices.Dependents == karbor.DependentsExisting:
		return karbor.Errorf(karbor.Invalid, "in_place: nothing is made, so that there is nothing to map, to stage or to take the place of; leave out mapping, stages and dependents")
	}
	return nil
}

// overwritable reports why a node can't be restored in place; nil for other restores.
func overwritable(op store.Operation, hooks protection.Hooks, n *karbor.Node) error {
	if !op.Choices.InPlace || !flow.Idle(hooks) {
		return nil
	}
	return karbor.Errorf(karbor.Invalid, "%s %s (%s) can't be restored in place by this provider", n.Type.Word(), n.ID, n.Name)
}

// safeguard gives the acceptance of the safety checkpoint of a restore in place: one of the same
// resources as they are now, by the plan's own parameters.
func (s *Service) safeguard(ctx context.Context, c Caller, p *provider.Provider, of karbor.Checkpoint, g *karbor.Graph) (*acceptance, error) {
	var resources []karbor.Resource
	chosen := map[string]bool{}
	for _, n := range g.Nodes() {
		op := store.Operation{Type: karbor.RestoreOperation, Choices: karbor.RestoreChoices{InPlace: true}}
		if err := overwritable(op, hooksOf(p, protection.InPlace, n.Type), n); err != nil {
			return nil, err
		}
		resources = append(resources, n.Resource)
		chosen[n.Resource.Key()] = true
	}
	p, err := s.provider(p.ID) // a copy that is restored lies elsewhere
	if err != nil {
		return nil, err
	}
	parameters := maps.Clone(of.Plan.Parameters)
	maps.DeleteFunc(parameters, func(key string, _ map[string]any) bool { return strings.Contains(key, "#") && !chosen[key] })
	if err := p.CheckOptions(parameters); err != nil {
		return nil, err
	}
	if err := s.custody.Usable(p); err != nil {
		return nil, err
	}
	now, err := s.inventory.Graph(ctx, c.Cloud, p, resources, parameters)
	if err != nil {
		return nil, err
	}
	gigabytes, err := s.estimate(ctx, c, now)
	if err != nil {
		return nil, err
	}
	made := s.now()
	cp := karbor.Checkpoint{
		ID: karbor.NewID(), ProjectID: c.Identity.ProjectID, ProviderID: p.ID, Status: karbor.CheckpointProtecting, Graph: now,
		ExtraInfo: extraInfo(c, map[string]json.RawMessage{"safety_of": json.RawMessage(`"` + of.ID + `"`)}),
		Plan:      karbor.PlanRecord{ID: of.Plan.ID, Name: of.Plan.Name, ProviderID: p.ID, Resources: resources, Parameters: parameters},
		CreatedAt: made, UpdatedAt: made,
	}
	return &acceptance{
		Acceptance: store.Acceptance{
			Operation:  store.Operation{Type: karbor.Protect, CheckpointID: cp.ID, PlanID: of.Plan.ID, Graph: now, Parameters: parameters},
			Checkpoint: &cp, Limits: s.limits, Gigabytes: gigabytes,
		},
		logStatus: karbor.LogStatus(karbor.CheckpointProtecting),
		extra:     cp.ExtraInfo,
		provider:  p,
	}, nil
}

// awaitSafety waits until the safety checkpoint of a restore in place is available. If it
// fails, nothing was overwritten.
func (s *Service) awaitSafety(ctx context.Context, task *workflow.Task) error {
	w, err := s.work(ctx, task)
	if err != nil {
		return err
	}
	id := w.op.Choices.SafetyCheckpointID
	return openstack.Poll(ctx, "the safety checkpoint "+id, safetyWait, func(ctx context.Context) (bool, error) {
		cp, err := s.store.Checkpoint(ctx, w.op.ProjectID, w.op.ProviderID, id)
		if err != nil {
			return false, fmt.Errorf("looking at the safety checkpoint %s: %w", id, err)
		}
		switch cp.Status {
		case karbor.CheckpointAvailable:
			return true, nil
		case karbor.CheckpointProtecting:
			return false, nil
		default:
			return false, karbor.Errorf(karbor.FailedDependency, "the safety checkpoint %s is %s; nothing was overwritten", id, cp.Status)
		}
	})
}

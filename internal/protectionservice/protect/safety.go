package protect

import (
	"context"
	"encoding/json"
	"maps"
	"strings"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice/admission"
	"github.com/karbor/karbor/internal/provider"
	"github.com/karbor/karbor/internal/store"
)

// Safety gives the acceptance of the safety checkpoint of a restore in place: one of the same
// resources as they are now, by the plan's own parameters.
func (m *Maker) Safety(ctx context.Context, c admission.Caller, p *provider.Provider, of karbor.Checkpoint, g *karbor.Graph) (*admission.Acceptance, error) {
	var resources []karbor.Resource
	chosen := map[string]bool{}
	for _, n := range g.Nodes() {
		resources = append(resources, n.Resource)
		chosen[n.Resource.Key()] = true
	}
	p, err := m.providers.ByID(p.ID) // a copy that is restored lies elsewhere
	if err != nil {
		return nil, err
	}
	parameters := maps.Clone(of.Plan.Parameters)
	maps.DeleteFunc(parameters, func(key string, _ map[string]any) bool { return strings.Contains(key, "#") && !chosen[key] })
	if err := p.CheckOptions(parameters); err != nil {
		return nil, err
	}
	if err := m.custody.Usable(p); err != nil {
		return nil, err
	}
	now, err := m.inventory.Graph(ctx, c.Cloud, p, resources, parameters)
	if err != nil {
		return nil, err
	}
	gigabytes, err := m.estimate(ctx, c, now)
	if err != nil {
		return nil, err
	}
	made := m.now()
	cp := karbor.Checkpoint{
		ID: karbor.NewID(), ProjectID: c.Identity.ProjectID, ProviderID: p.ID, Status: karbor.CheckpointProtecting, Graph: now,
		ExtraInfo: c.CheckpointInfo(map[string]json.RawMessage{"safety_of": json.RawMessage(`"` + of.ID + `"`)}),
		Plan:      karbor.PlanRecord{ID: of.Plan.ID, Name: of.Plan.Name, ProviderID: p.ID, Resources: resources, Parameters: parameters},
		CreatedAt: made, UpdatedAt: made,
	}
	return &admission.Acceptance{
		Acceptance: store.Acceptance{
			Operation:  store.Operation{Type: karbor.Protect, CheckpointID: cp.ID, PlanID: of.Plan.ID, Graph: now, Parameters: parameters},
			Checkpoint: &cp, Limits: m.limits, Gigabytes: gigabytes,
		},
		LogStatus: karbor.LogStatus(karbor.CheckpointProtecting),
		Extra:     cp.ExtraInfo,
		Provider:  p,
	}, nil
}

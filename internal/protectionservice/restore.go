package protectionservice

import (
	"context"
	"slices"
	"strings"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/internal/protectionservice/copies"
	"github.com/karbor/karbor/internal/protectionservice/delegation"
	"github.com/karbor/karbor/internal/protectionservice/outcome"
	"github.com/karbor/karbor/internal/protectionservice/restoration"
	"github.com/karbor/karbor/internal/provider"
	"github.com/karbor/karbor/internal/store"
)

// RestoreRequest asks to bring a checkpoint's resources back.
type RestoreRequest struct {
	ProviderID, CheckpointID string
	// Target is the Keystone address of another cloud; "" is the caller's own.
	Target string
	// Auth says who to be in the target; only with Target.
	Auth       *openstack.PasswordAuth
	Parameters karbor.Parameters
	// KeepOnFailure has what is restored stay when the restore fails elsewhere.
	KeepOnFailure bool
	// Choices say what of the checkpoint is restored, and how.
	Choices karbor.RestoreChoices
}

// Restore accepts a restore: when it returns, the restore is durable as
// in_progress. A checkpoint that is not available is karbor.Conflict.
func (s *Service) Restore(ctx context.Context, c Caller, r RestoreRequest) (karbor.Restore, error) {
	var none karbor.Restore
	p, cp, standIn, err := s.restorable(ctx, c, r)
	if err != nil {
		return none, err
	}
	graph, parameters, err := s.choose(ctx, c, p, cp, r)
	if err != nil {
		return none, err
	}
	to, err := s.restoreTarget(ctx, r)
	if err != nil {
		return none, err
	}
	var list []*acceptance
	if r.Choices.InPlace {
		safety, err := s.safeguard(ctx, c, p, cp, graph)
		if err != nil {
			return none, err
		}
		r.Choices.SafetyCheckpointID = safety.Operation.CheckpointID
		list = append(list, safety)
	}
	now := s.now()
	restore := karbor.Restore{
		ID: karbor.NewID(), ProjectID: c.Identity.ProjectID, ProviderID: p.ID, CheckpointID: copies.Asked(cp, standIn), StandIn: standIn,
		RestoreTarget: r.Target, Parameters: r.Parameters, Status: karbor.RestoreInProgress,
		ResourcesStatus: map[string]karbor.ResourceState{}, ResourcesReason: map[string]string{},
		KeepOnFailure: r.KeepOnFailure, Choices: r.Choices, CreatedAt: now, UpdatedAt: now,
	}
	for _, n := range graph.Nodes() {
		restore.ResourcesStatus[outcome.Key(n)] = karbor.ResourcePending
	}
	list = append(list, &acceptance{
		Acceptance: store.Acceptance{
			Operation: store.Operation{
				Type: karbor.RestoreOperation, CheckpointID: cp.ID, RestoreID: restore.ID, PlanID: cp.Plan.ID,
				Graph: graph, Parameters: parameters, Choices: r.Choices, Bank: cp.Bank,
			},
			Restore: &restore,
			// It may have changed since we looked.
			CheckpointFrom: []karbor.CheckpointStatus{karbor.CheckpointAvailable},
		},
		logStatus: karbor.LogInProgress,
		extra:     standInInfo(standIn),
		target:    to,
		provider:  p,
	})
	return restore, s.acceptAll(ctx, c, list...)
}

// restorable gives the checkpoint of a restore, if it can be restored, or the copy that
// stands in for it, and the provider with the bank that it lies in.
func (s *Service) restorable(ctx context.Context, c Caller, r RestoreRequest) (*provider.Provider, karbor.Checkpoint, *karbor.StandIn, error) {
	var none karbor.Checkpoint
	p, err := s.provider(r.ProviderID)
	if err != nil {
		return nil, none, nil, karbor.Errorf(karbor.Invalid, "provider_id: %s", karbor.Sentence(err))
	}
	cp, standIn, err := s.standIns.Origin(ctx, c.Identity.ProjectID, p, r.CheckpointID, copies.EvenDamaged)
	if err != nil {
		return nil, none, nil, err
	}
	if p, err = p.At(cp.Bank); err != nil {
		return nil, none, nil, err
	}
	if err := s.custody.Readable(p); err != nil {
		return nil, none, nil, err
	}
	if cp.Status != karbor.CheckpointAvailable {
		return nil, none, nil, karbor.Errorf(karbor.Conflict, "checkpoint %s is %s; only an available one can be restored", cp.ID, cp.Status)
	}
	if len(cp.Graph.Nodes()) == 0 { // reset to available, say, while its documents could not be opened
		return nil, none, nil, karbor.Errorf(karbor.Conflict, "nothing is known of what is in checkpoint %s, so it can't be restored", cp.ID)
	}
	return p, cp, standIn, nil
}

// choose gives the part of a checkpoint that a restore brings back, and the parameters of
// its hooks.
func (s *Service) choose(ctx context.Context, c Caller, p *provider.Provider, cp karbor.Checkpoint, r RestoreRequest) (*karbor.Graph, karbor.Parameters, error) {
	if err := checkRestoreParameters(p, cp.Graph, r.Parameters); err != nil {
		return nil, nil, err
	}
	g, err := restoration.Choose(cp.Graph, r.Choices)
	if err != nil {
		return nil, nil, err
	}
	if err := checkInPlace(r); err != nil {
		return nil, nil, err
	}
	if err := restoration.CheckStages(g, r.Choices.Stages); err != nil {
		return nil, nil, err
	}
	parameters, err := restoration.Mapped(p, g, r.Parameters, r.Choices.Mapping)
	if err != nil {
		return nil, nil, err
	}
	if err := p.CheckRestore(parameters); err != nil {
		return nil, nil, err
	}
	return g, parameters, s.stillThere(ctx, c, cp.Graph, g, r)
}

// restoreTarget checks where a restore goes; nil is the caller's own cloud.
func (s *Service) restoreTarget(ctx context.Context, r RestoreRequest) (*delegation.Target, error) {
	switch {
	case r.Target == "" && r.Auth == nil:
		return nil, nil
	case r.Target == "":
		return nil, karbor.Errorf(karbor.Invalid, "restore_auth: it is for a restore_target only")
	case !slices.Contains(s.targets, strings.TrimSuffix(r.Target, "/")):
		// Without a list, any tenant could make this service call any address.
		return nil, karbor.Errorf(karbor.Invalid, "restore_target: the operator allows no restore to %q", r.Target)
	case r.Auth == nil:
		return nil, karbor.Errorf(karbor.Invalid, "restore_auth: it is needed with restore_target")
	}
	// Who can't log in there gets told now.
	to := delegation.Target{URL: r.Target, Auth: *r.Auth}
	if _, err := s.delegations.LogIn(ctx, to); err != nil {
		return nil, karbor.Errorf(karbor.Invalid, "restore_target: %s", karbor.Sentence(err))
	}
	return &to, nil
}

// checkRestoreParameters checks the parameters against the provider's schemas,
// and that each speaks of something in the checkpoint.
func checkRestoreParameters(p *provider.Provider, g *karbor.Graph, parameters karbor.Parameters) error {
	if err := p.CheckRestore(parameters); err != nil {
		return err
	}
	return restoration.CheckParameters(g, parameters)
}

// stillThere makes sure that the originals exist which a restore takes in the place of
// dependents that it does not restore.
func (s *Service) stillThere(ctx context.Context, c Caller, whole, wanted *karbor.Graph, r RestoreRequest) error {
	if r.Choices.Dependents != karbor.DependentsExisting {
		return nil
	}
	if r.Target != "" {
		return karbor.Errorf(karbor.Invalid, "dependents: the originals are not in another cloud or project; have them restored, or map them")
	}
	return s.inventory.StillThere(ctx, c.Cloud, restoration.Missing(whole, wanted))
}

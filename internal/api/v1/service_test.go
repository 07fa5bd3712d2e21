package v1_test

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice"
	"github.com/karbor/karbor/internal/protectionservice/inventory"
	"github.com/karbor/karbor/internal/protectionservice/preflight"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/protectable"
	"github.com/karbor/karbor/protection"
)

// service is a protection service that does no work, on the real store.
type service struct {
	store *store.Store
	path  string
	now   func() time.Time

	mu         sync.Mutex
	callers    []protectionservice.Caller
	protects   []protectionservice.ProtectRequest
	restores   []protectionservice.RestoreRequest
	findings   []preflight.Finding
	verifies   []protectionservice.VerifyRequest
	drills     []protectionservice.DrillRequest
	copies     []protectionservice.CopyRequest
	retentions []protectionservice.RetentionRequest
	forced     []string
	queries    []protectable.Query
	progress   []karbor.ResourceProgress
	credential *store.ApplicationCredential
	// states are what the next looks at an operation find, cancelled who cancelled it.
	states    []protectionservice.Operation
	cancelled string
	// refuse is what the next operations answer.
	refuse error
	lending
}

func (s *service) called(c protectionservice.Caller) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.callers = append(s.callers, c)
	return s.refuse
}

func (s *service) Providers() []protectionservice.Provider {
	options := json.RawMessage(`{"type":"object","properties":{"mode":{"type":"string"}}}`)
	return []protectionservice.Provider{
		{ID: provider, Name: "Gold", Description: "fast", Schemas: map[karbor.ResourceType]protection.Schemas{
			karbor.VolumeType: {Options: options, Verify: json.RawMessage(`{"title":"verify"}`)},
		}},
		{ID: second, Name: "silver", Description: "slow"},
	}
}

func (s *service) Provider(id string) (protectionservice.Provider, error) {
	for _, p := range s.Providers() {
		if p.ID == id {
			return p, nil
		}
	}
	return protectionservice.Provider{}, karbor.Errorf(karbor.NotFound, "there is no provider %s", id)
}

func (s *service) Types() []karbor.ResourceType {
	return []karbor.ResourceType{karbor.ServerType, karbor.VolumeType}
}

func (s *service) DependentTypes(t karbor.ResourceType) ([]karbor.ResourceType, error) {
	switch t {
	case karbor.ServerType:
		return []karbor.ResourceType{karbor.VolumeType}, nil
	case karbor.VolumeType:
		return nil, nil
	default:
		return nil, karbor.Errorf(karbor.Invalid, "%q is not a protectable type", t)
	}
}

func (s *service) Instances(_ context.Context, as karbor.Cloud, t karbor.ResourceType, q protectable.Query) ([]inventory.Instance, error) {
	if _, err := s.DependentTypes(t); err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.queries = append(s.queries, q)
	s.mu.Unlock()
	if err := s.called(protectionservice.Caller{Cloud: as}); err != nil {
		return nil, err
	}
	var out []inventory.Instance
	for _, id := range []string{"a", "b", "c", "d", "e"} {
		in := inventory.Instance{Resource: karbor.Resource{Type: t, ID: id, Name: "name " + string('z'-id[0]+'a')}}
		if t == karbor.ServerType {
			in.Dependents = []karbor.Resource{{Type: karbor.VolumeType, ID: "v" + id, Name: "disk", ExtraInfo: map[string]string{"device": "vda"}}}
		}
		out = append(out, in)
	}
	if q.Marker != "" {
		at := slices.IndexFunc(out, func(in inventory.Instance) bool { return in.ID == q.Marker })
		if at < 0 {
			return nil, karbor.Errorf(karbor.Invalid, "the marker %q is no known instance", q.Marker)
		}
		out = out[at+1:]
	}
	if q.Limit > 0 {
		out = out[:min(q.Limit, len(out))]
	}
	return out, nil
}

func (s *service) Instance(ctx context.Context, as karbor.Cloud, t karbor.ResourceType, id string, parameters map[string]any) (inventory.Instance, error) {
	all, err := s.Instances(ctx, as, t, protectable.Query{Parameters: parameters})
	for _, in := range all {
		if in.ID == id {
			return in, nil
		}
	}
	if err == nil {
		err = karbor.Errorf(karbor.NotFound, "there is no %s %s", t, id)
	}
	return inventory.Instance{}, err
}

func (s *service) CheckPlan(providerID string, p *karbor.Plan) error {
	if _, err := s.Provider(providerID); err != nil {
		return karbor.Errorf(karbor.Invalid, "provider_id: %s", karbor.Sentence(err))
	}
	for i, r := range p.Resources {
		if !r.Type.Known() {
			return karbor.Errorf(karbor.Invalid, "resources[%d]: %q is not a resource type", i, r.Type)
		}
	}
	for key := range p.Parameters {
		if _, err := karbor.ParameterType(key); err != nil {
			return err
		}
	}
	return nil
}

func (s *service) Protect(ctx context.Context, c protectionservice.Caller, r protectionservice.ProtectRequest) (karbor.Checkpoint, error) {
	if err := s.called(c); err != nil {
		return karbor.Checkpoint{}, err
	}
	p, err := s.store.Plan(ctx, c.Identity.ProjectID, r.PlanID)
	if err != nil {
		return karbor.Checkpoint{}, err
	}
	s.mu.Lock()
	s.protects = append(s.protects, r)
	s.mu.Unlock()
	g := &karbor.Graph{}
	for _, resource := range p.Resources {
		g.Add(resource, "")
	}
	extra := map[string]json.RawMessage{"created_by": json.RawMessage(`"manual"`)}
	maps.Copy(extra, r.ExtraInfo)
	cp := karbor.Checkpoint{
		ID: karbor.NewID(), ProjectID: c.Identity.ProjectID, ProviderID: r.ProviderID, Status: karbor.CheckpointProtecting,
		Plan:  karbor.PlanRecord{ID: p.ID, Name: p.Name, ProviderID: p.ProviderID, Resources: p.Resources},
		Graph: g, ExtraInfo: extra, CreatedAt: s.now(), Size: 7,
	}
	return cp, s.store.PutCheckpoint(ctx, cp)
}

func (s *service) RegisterCredential(_ context.Context, who *karbor.Identity, id string, secret karbor.Secret) (store.ApplicationCredential, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if secret.Reveal() == "wrong" {
		return store.ApplicationCredential{}, karbor.Errorf(karbor.Invalid, "the application credential does not log in")
	}
	s.credential = &store.ApplicationCredential{ProjectID: who.ProjectID, UserID: who.UserID, ID: id, CreatedAt: s.now()}
	return *s.credential, nil
}

func (s *service) Credential(context.Context, *karbor.Identity) (store.ApplicationCredential, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.credential == nil {
		return store.ApplicationCredential{}, karbor.Errorf(karbor.NotFound, "none")
	}
	return *s.credential, nil
}

func (s *service) ForgetCredential(context.Context, *karbor.Identity) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.credential = nil
	return nil
}

func (s *service) DeleteCheckpoint(ctx context.Context, c protectionservice.Caller, providerID, id string) error {
	if _, err := s.store.Checkpoint(ctx, cmp.Or(c.Project, c.Identity.ProjectID), providerID, id); err != nil {
		return err
	}
	return s.called(c)
}

// keep changes how a checkpoint is kept.
func (s *service) keep(ctx context.Context, c protectionservice.Caller, providerID, id string, change func(*karbor.Keeping)) (karbor.Keeping, error) {
	if err := s.called(c); err != nil {
		return karbor.Keeping{}, err
	}
	return s.store.KeepCheckpoint(ctx, cmp.Or(c.Project, c.Identity.ProjectID), providerID, id, func(k *karbor.Keeping) error {
		change(k)
		return nil
	})
}

func (s *service) HoldCheckpoint(ctx context.Context, c protectionservice.Caller, providerID, id, reason string, until time.Time) (karbor.Keeping, error) {
	return s.keep(ctx, c, providerID, id, func(k *karbor.Keeping) {
		k.Hold = &karbor.Hold{Reason: reason, Until: until, At: s.now(), UserID: c.Identity.UserID}
	})
}

func (s *service) ReleaseCheckpoint(ctx context.Context, c protectionservice.Caller, providerID, id string) (karbor.Keeping, error) {
	return s.keep(ctx, c, providerID, id, func(k *karbor.Keeping) { k.Hold = nil })
}

func (s *service) ExpireCheckpoint(ctx context.Context, c protectionservice.Caller, providerID, id string, at time.Time) (karbor.Keeping, error) {
	return s.keep(ctx, c, providerID, id, func(k *karbor.Keeping) { k.ExpiresAt = at })
}

func (s *service) ForceDeleteCheckpoint(ctx context.Context, c protectionservice.Caller, providerID, id, reason string) error {
	s.mu.Lock()
	s.forced = append(s.forced, reason)
	s.mu.Unlock()
	return s.DeleteCheckpoint(ctx, c, providerID, id)
}

func (s *service) ApplyRetention(_ context.Context, c protectionservice.Caller, r protectionservice.RetentionRequest) (protectionservice.RetentionResult, error) {
	s.mu.Lock()
	s.retentions = append(s.retentions, r)
	s.mu.Unlock()
	return protectionservice.RetentionResult{Verdicts: []protectionservice.RetentionVerdict{
		{CheckpointID: unknown, CreatedAt: s.now(), Size: 5, Reasons: []string{"It is the newest good one."}},
		{CheckpointID: second, CreatedAt: s.now(), Size: 7, Goes: true, Reasons: []string{"No rule keeps it."}},
	}}, s.called(c)
}

func (s *service) ResetCheckpoint(ctx context.Context, c protectionservice.Caller, providerID, id string, to karbor.CheckpointStatus) error {
	if err := s.called(c); err != nil {
		return err
	}
	return s.store.SetCheckpointStatus(ctx, cmp.Or(c.Project, c.Identity.ProjectID), providerID, id, to)
}

func (s *service) CheckpointProgress(context.Context, karbor.Checkpoint) ([]karbor.ResourceProgress, error) {
	return s.progress, nil
}

func (s *service) Restore(ctx context.Context, c protectionservice.Caller, r protectionservice.RestoreRequest) (karbor.Restore, error) {
	if err := s.called(c); err != nil {
		return karbor.Restore{}, err
	}
	cp, err := s.store.Checkpoint(ctx, c.Identity.ProjectID, r.ProviderID, r.CheckpointID)
	if err != nil {
		return karbor.Restore{}, err
	}
	s.mu.Lock()
	s.restores = append(s.restores, r)
	s.mu.Unlock()
	restore := karbor.Restore{
		ID: karbor.NewID(), ProjectID: c.Identity.ProjectID, ProviderID: r.ProviderID, CheckpointID: r.CheckpointID,
		RestoreTarget: r.Target, Parameters: r.Parameters, KeepOnFailure: r.KeepOnFailure, Choices: r.Choices, Status: karbor.RestoreInProgress,
		ResourcesStatus: map[string]karbor.ResourceState{"OS::Cinder::Volume#" + volume: karbor.ResourceRestoring},
		CreatedAt:       s.now(),
	}
	return restore, s.store.Accept(ctx, store.Acceptance{
		Operation: store.Operation{
			ID: karbor.NewID(), Type: karbor.RestoreOperation, ProjectID: c.Identity.ProjectID, ProviderID: r.ProviderID,
			CheckpointID: cp.ID, RestoreID: restore.ID, PlanID: cp.Plan.ID, Graph: cp.Graph, CreatedAt: s.now(),
		},
		Log: karbor.OperationLog{
			ID: karbor.NewID(), ProjectID: c.Identity.ProjectID, OperationType: karbor.RestoreOperation, CheckpointID: cp.ID,
			PlanID: cp.Plan.ID, ProviderID: r.ProviderID, RestoreID: restore.ID, Status: karbor.LogInProgress,
			StartedAt: s.now(), ExtraInfo: map[string]json.RawMessage{"created_by": json.RawMessage(`"manual"`)},
		},
		Restore: &restore,
	})
}

func (s *service) Preflight(_ context.Context, _ protectionservice.Caller, r protectionservice.RestoreRequest) (preflight.Report, error) {
	if s.refuse != nil {
		return preflight.Report{}, s.refuse
	}
	return preflight.Report{ProviderID: r.ProviderID, CheckpointID: r.CheckpointID, Findings: s.findings}, nil
}

func (s *service) LiveRestore(_ context.Context, r karbor.Restore) (karbor.Restore, error) {
	return r, nil
}

func (s *service) RestoreProgress(_ context.Context, c protectionservice.Caller, _ string) ([]karbor.ResourceProgress, error) {
	return s.progress, s.called(c)
}

func (s *service) Verify(ctx context.Context, c protectionservice.Caller, r protectionservice.VerifyRequest) (karbor.Verification, error) {
	if _, err := s.store.Checkpoint(ctx, c.Identity.ProjectID, r.ProviderID, r.CheckpointID); err != nil {
		return karbor.Verification{}, err
	}
	s.mu.Lock()
	s.verifies = append(s.verifies, r)
	s.mu.Unlock()
	if err := s.called(c); err != nil {
		return karbor.Verification{}, err
	}
	return karbor.Verification{
		ID: karbor.NewID(), ProjectID: c.Identity.ProjectID, ProviderID: r.ProviderID, CheckpointID: r.CheckpointID,
		Parameters: r.Parameters, Status: karbor.VerificationVerifying, CreatedAt: s.now(),
	}, nil
}

func (s *service) LiveVerification(_ context.Context, v karbor.Verification) (karbor.Verification, error) {
	return v, nil
}

func (s *service) VerificationProgress(_ context.Context, c protectionservice.Caller, _ string) ([]karbor.ResourceProgress, error) {
	return s.progress, s.called(c)
}

func (s *service) CopyProgress(_ context.Context, c karbor.Copy) ([]karbor.CopyProgress, error) {
	out := make([]karbor.CopyProgress, len(c.Checkpoints))
	for i, one := range c.Checkpoints {
		out[i] = karbor.CopyProgress{CheckpointID: one.ProtectID, CopyID: one.CopyID, Bank: "offsite", Status: c.Status, Done: 7, Total: 9, Stored: 3}
	}
	return out, nil
}

func (s *service) Copy(ctx context.Context, c protectionservice.Caller, r protectionservice.CopyRequest) (karbor.Copy, error) {
	if _, err := s.store.Plan(ctx, c.Identity.ProjectID, r.PlanID); err != nil {
		return karbor.Copy{}, err
	}
	s.mu.Lock()
	s.copies = append(s.copies, r)
	s.mu.Unlock()
	if err := s.called(c); err != nil {
		return karbor.Copy{}, err
	}
	return karbor.Copy{
		ID: karbor.NewID(), ProjectID: c.Identity.ProjectID, ProviderID: r.ProviderID, PlanID: r.PlanID, Status: karbor.CopyWaiting,
		Checkpoints: []karbor.CopiedCheckpoint{{ProtectID: unknown, CopyID: unknown}}, Parameters: r.Parameters, CreatedAt: s.now(),
	}, nil
}

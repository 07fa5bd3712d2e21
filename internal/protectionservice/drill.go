package protectionservice

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/evidence"
	"github.com/karbor/karbor/internal/protectionservice/drill"
	"github.com/karbor/karbor/internal/protectionservice/restoration"
	"github.com/karbor/karbor/internal/provider"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/protection"
)

// Drills says how restore drills run. The zero value allows none.
type Drills struct {
	// Limit is how many may run in a project at a time; a negative one is none.
	Limit int64
	// Signer signs their records. It is needed in each process that carries operations out or
	// serves the API.
	Signer *evidence.Signer
	// Prober makes their probes. It is needed where operations are carried out.
	Prober *drill.Prober
	// Program is the version of the program, for the records.
	Program string
}

// DrillRequest asks for a drill of a checkpoint.
type DrillRequest struct {
	ProviderID, CheckpointID string
	// Probes are what is looked at; the zero value stands for karbor.DefaultDrillProbes.
	Probes karbor.DrillProbes
	// Mapping says what takes the place of what: flavors, keypairs, availability_zones,
	// volume_types.
	Mapping map[string]any
	// Resources are the keys of those to restore, with what they need; none stands for all.
	Resources []string
}

// Drill accepts a drill: when it returns, it is durable as running. It has the id of its
// operation; for a scheduled run, that of the run. It is of this checkpoint itself: no copy stands
// in. A checkpoint that is not available is karbor.Conflict, and a drill beyond the quota
// karbor.OverLimit.
func (s *Service) Drill(ctx context.Context, c Caller, r DrillRequest) (karbor.Drill, error) {
	var none karbor.Drill
	if s.drills.Signer == nil {
		return none, karbor.Errorf(karbor.NotImplemented, "this service makes no drills")
	}
	p, cp, err := s.drillable(ctx, c, r)
	if err != nil {
		return none, err
	}
	if r.Probes == (karbor.DrillProbes{}) {
		r.Probes = karbor.DefaultDrillProbes()
	}
	if err := drill.Check(r.Probes); err != nil {
		return none, err
	}
	id, now := c.operationID(), s.now()
	g, parameters, err := drillPlan(p, cp, r, id)
	if err != nil {
		return none, err
	}
	d := karbor.Drill{
		ID: id, ProjectID: c.Identity.ProjectID, ProviderID: p.ID, CheckpointID: cp.ID, PlanID: cp.Plan.ID,
		Probes: r.Probes, Mapping: r.Mapping, Status: karbor.DrillRunning, CreatedAt: now, UpdatedAt: now,
	}
	return d, s.accept(ctx, c, p, acceptance{
		Acceptance: store.Acceptance{
			Operation: store.Operation{
				ID: d.ID, Type: karbor.DrillOperation, CheckpointID: cp.ID, PlanID: cp.Plan.ID, Graph: g, Parameters: parameters, Bank: cp.Bank,
			},
			Drill: &d, DrillLimit: s.drills.Limit,
			// It may have changed since we looked.
			CheckpointFrom: []karbor.CheckpointStatus{karbor.CheckpointAvailable},
		},
		logStatus: karbor.LogInProgress,
		extra:     runInfo(c, nil),
	})
}

// drillable gives the checkpoint of a drill, and the provider with the bank that it lies in.
func (s *Service) drillable(ctx context.Context, c Caller, r DrillRequest) (*provider.Provider, karbor.Checkpoint, error) {
	var none karbor.Checkpoint
	p, err := s.provider(r.ProviderID)
	if err != nil {
		return nil, none, karbor.Errorf(karbor.Invalid, "provider_id: %s", karbor.Sentence(err))
	}
	cp, err := s.store.Checkpoint(ctx, c.Identity.ProjectID, p.ID, r.CheckpointID)
	if err != nil {
		return nil, none, err
	}
	if p, err = p.At(cp.Bank); err != nil {
		return nil, none, err
	}
	if err := s.custody.Readable(p); err != nil {
		return nil, none, err
	}
	if cp.Status != karbor.CheckpointAvailable {
		return nil, none, karbor.Errorf(karbor.Conflict, "checkpoint %s is %s; only an available one can be drilled", cp.ID, cp.Status)
	}
	return p, cp, nil
}

// drillPlan gives what a drill restores, and the parameters of its hooks.
func drillPlan(p *provider.Provider, cp karbor.Checkpoint, r DrillRequest, id string) (*karbor.Graph, karbor.Parameters, error) {
	if cp.Graph == nil {
		return nil, nil, karbor.Errorf(karbor.Conflict, "nothing is known of what is in checkpoint %s, so it can't be drilled", cp.ID)
	}
	asked, err := restoration.Choose(cp.Graph, karbor.RestoreChoices{Resources: r.Resources})
	if err != nil {
		return nil, nil, err
	}
	g := drill.Graph(id, cp.Graph, func(n *karbor.Node) bool { return asked.Node(n.Key()) != nil && excluded(p, n) == "" })
	if len(g.Nodes()) == 0 {
		return nil, nil, karbor.Errorf(karbor.Conflict, "nothing in checkpoint %s can be drilled: %s", cp.ID, firstReason(p, asked))
	}
	mapping, err := drill.Mapping(id, r.Mapping)
	if err != nil {
		return nil, nil, err
	}
	parameters := karbor.Parameters{}
	for name, value := range mapping {
		mapped, err := restoration.Mapped(p, g, parameters, map[string]any{name: value})
		if _, own := r.Mapping[name]; err != nil && own {
			return nil, nil, err
		}
		if err == nil {
			parameters = mapped
		}
	}
	return g, parameters, p.CheckRestore(parameters)
}

// excluded says why a resource is not restored in a drill; "" for one that is.
func excluded(p *provider.Provider, n *karbor.Node) string {
	if reason, alone := drill.Alone(n.Type); alone {
		return reason
	}
	if p.Hooks(karbor.RestoreOperation, n.Type).Drill == nil {
		return "Its plug-in can't restore it apart from everything else."
	}
	return ""
}

func firstReason(p *provider.Provider, g *karbor.Graph) string {
	for _, n := range g.Nodes() {
		if reason := excluded(p, n); reason != "" {
			return reason
		}
	}
	return "there is nothing in it"
}

// drillHooks gives what is done in a drill for a type: what a restore does; and the drill's own
// networks, whose node has the type of networks, are made and removed.
func drillHooks(p *provider.Provider, t karbor.ResourceType) protection.Hooks {
	if t == karbor.NetworkType {
		return protection.Hooks{PrepareFinish: isolateNothing, Undo: drill.Remove}
	}
	return p.Hooks(karbor.RestoreOperation, t)
}

// isolateNothing stands for isolate where no operation is known yet.
func isolateNothing(context.Context, *protection.Call) error { return nil }

// undoOf gives what removes what an operation has made for a type.
func undoOf(p *provider.Provider, op karbor.OperationType, t karbor.ResourceType) protection.Hook {
	if op == karbor.DrillOperation {
		return drillHooks(p, t).Undo
	}
	return p.Hooks(op, t).Undo
}

// isolate gives the hook that makes the drill's own networks: like those that the resources of the
// drill are on, as the checkpoint knows them.
func (s *Service) isolate(w work) protection.Hook {
	return func(ctx context.Context, call *protection.Call) error {
		cp, err := s.store.Checkpoint(ctx, w.op.ProjectID, w.op.ProviderID, w.op.CheckpointID)
		if err != nil {
			return fmt.Errorf("reading checkpoint %s: %w", w.op.CheckpointID, err)
		}
		var networks []protection.DrillNetwork
		used := map[string]bool{}
		for _, n := range w.op.Graph.Nodes() {
			if drill.IsSite(n) {
				continue
			}
			found, err := s.drilled(ctx, w, call, n)
			if err != nil {
				return err
			}
			for _, network := range found.Networks {
				used[network.ID] = true
			}
			networks = append(networks, found.Networks...)
		}
		for _, n := range cp.Graph.Nodes() {
			if n.Type != karbor.NetworkType {
				continue
			}
			found, err := s.drilled(ctx, w, call, n)
			if err != nil && karbor.KindOf(err) != karbor.NotFound {
				return err
			}
			networks = append(networks, slices.DeleteFunc(found.Networks, func(o protection.DrillNetwork) bool { return !used[o.ID] })...)
		}
		return drill.Isolate(ctx, call, networks)
	}
}

// drilled asks a plug-in what it says of a resource for a drill.
func (s *Service) drilled(ctx context.Context, w work, call *protection.Call, n *karbor.Node) (protection.Drilled, error) {
	hook := w.provider.Hooks(karbor.RestoreOperation, n.Type).Drill
	if hook == nil {
		return protection.Drilled{}, nil
	}
	documents, err := w.provider.Checkpoints().Documents(w.op.ProjectID, w.op.CheckpointID, n.Key())
	if err != nil {
		return protection.Drilled{}, err
	}
	look := *call
	look.Node, look.Documents, look.Parameters = n, documents, w.op.Parameters.For(n.Resource)
	found, err := hook(ctx, &look)
	if err != nil {
		return found, explain(plain(err), n)
	}
	return found, nil
}

// EvidenceKeys gives the public keys that records of drills are checked with, the one that signs
// now first.
func (s *Service) EvidenceKeys() []evidence.PublicKey {
	if s.drills.Signer == nil {
		return nil
	}
	return s.drills.Signer.Keys()
}

// DrillProgress tells how far a drill is, resource by resource.
func (s *Service) DrillProgress(ctx context.Context, projectID, id string) ([]karbor.ResourceProgress, error) {
	op, err := s.store.Operation(ctx, id)
	if err != nil && karbor.KindOf(err) == karbor.NotFound || err == nil && op.ProjectID != projectID {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return s.progress.Resources(ctx, op)
}

// program is the version in the records of drills.
func (d Drills) program() string { return cmp.Or(d.Program, "unknown") }

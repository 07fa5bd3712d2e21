// Package drills carries restore drills out: it accepts them, makes their probes, and ends them
// with their signed records. What a drill does besides restoring is in package drill.
package drills

import (
	"cmp"
	"context"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/evidence"
	"github.com/karbor/karbor/internal/protectionservice/admission"
	"github.com/karbor/karbor/internal/protectionservice/custody"
	"github.com/karbor/karbor/internal/protectionservice/drill"
	"github.com/karbor/karbor/internal/protectionservice/progress"
	"github.com/karbor/karbor/internal/protectionservice/restoration"
	"github.com/karbor/karbor/internal/provider"
	"github.com/karbor/karbor/internal/store"
)

// Config says how restore drills run. The zero value allows none.
type Config struct {
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

// Keys gives the public keys that records are checked with, the one that signs now first.
func (c Config) Keys() []evidence.PublicKey {
	if c.Signer == nil {
		return nil
	}
	return c.Signer.Keys()
}

// program is the version in the records of drills.
func (c Config) program() string { return cmp.Or(c.Program, "unknown") }

// Options of New. All are needed.
type Options struct {
	Store     *store.Store
	Providers provider.List
	Desk      *admission.Desk
	// Custody knows whether a bank can be read.
	Custody *custody.Keeper
	// Progress tells how far drills are.
	Progress *progress.Reader
	Config   Config
	Now      func() time.Time
}

// Driller makes drills. It is safe for concurrent use.
type Driller struct {
	store     *store.Store
	providers provider.List
	desk      *admission.Desk
	custody   *custody.Keeper
	progress  *progress.Reader
	config    Config
	now       func() time.Time
}

// New makes a driller.
func New(o Options) *Driller {
	return &Driller{
		store: o.Store, providers: o.Providers, desk: o.Desk, custody: o.Custody, progress: o.Progress, config: o.Config, now: o.Now,
	}
}

// Request asks for a drill of a checkpoint.
type Request struct {
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
func (r *Driller) Drill(ctx context.Context, c admission.Caller, q Request) (karbor.Drill, error) {
	var none karbor.Drill
	if r.config.Signer == nil {
		return none, karbor.Errorf(karbor.NotImplemented, "this service makes no drills")
	}
	p, cp, err := r.drillable(ctx, c, q)
	if err != nil {
		return none, err
	}
	if q.Probes == (karbor.DrillProbes{}) {
		q.Probes = karbor.DefaultDrillProbes()
	}
	if err := drill.Check(q.Probes); err != nil {
		return none, err
	}
	id, now := c.OperationID(), r.now()
	g, parameters, err := plan(p, cp, q, id)
	if err != nil {
		return none, err
	}
	d := karbor.Drill{
		ID: id, ProjectID: c.Identity.ProjectID, ProviderID: p.ID, CheckpointID: cp.ID, PlanID: cp.Plan.ID,
		Probes: q.Probes, Mapping: q.Mapping, Status: karbor.DrillRunning, CreatedAt: now, UpdatedAt: now,
	}
	return d, r.desk.Accept(ctx, c, &admission.Acceptance{
		Provider: p,
		Acceptance: store.Acceptance{
			Operation: store.Operation{
				ID: d.ID, Type: karbor.DrillOperation, CheckpointID: cp.ID, PlanID: cp.Plan.ID, Graph: g, Parameters: parameters, Bank: cp.Bank,
			},
			Drill: &d, DrillLimit: r.config.Limit,
			// It may have changed since we looked.
			CheckpointFrom: []karbor.CheckpointStatus{karbor.CheckpointAvailable},
		},
		LogStatus: karbor.LogInProgress,
		Extra:     c.RunInfo(nil),
	})
}

// drillable gives the checkpoint of a drill, and the provider with the bank that it lies in.
func (r *Driller) drillable(ctx context.Context, c admission.Caller, q Request) (*provider.Provider, karbor.Checkpoint, error) {
	var none karbor.Checkpoint
	p, err := r.providers.ByID(q.ProviderID)
	if err != nil {
		return nil, none, karbor.Errorf(karbor.Invalid, "provider_id: %s", karbor.Sentence(err))
	}
	cp, err := r.store.Checkpoint(ctx, c.Identity.ProjectID, p.ID, q.CheckpointID)
	if err != nil {
		return nil, none, err
	}
	if p, err = p.At(cp.Bank); err != nil {
		return nil, none, err
	}
	if err := r.custody.Readable(p); err != nil {
		return nil, none, err
	}
	if cp.Status != karbor.CheckpointAvailable {
		return nil, none, karbor.Errorf(karbor.Conflict, "checkpoint %s is %s; only an available one can be drilled", cp.ID, cp.Status)
	}
	return p, cp, nil
}

// plan gives what a drill restores, and the parameters of its hooks.
func plan(p *provider.Provider, cp karbor.Checkpoint, q Request, id string) (*karbor.Graph, karbor.Parameters, error) {
	if cp.Graph == nil {
		return nil, nil, karbor.Errorf(karbor.Conflict, "nothing is known of what is in checkpoint %s, so it can't be drilled", cp.ID)
	}
	asked, err := restoration.Choose(cp.Graph, karbor.RestoreChoices{Resources: q.Resources})
	if err != nil {
		return nil, nil, err
	}
	g := drill.Graph(id, cp.Graph, func(n *karbor.Node) bool { return asked.Node(n.Key()) != nil && excluded(p, n) == "" })
	if len(g.Nodes()) == 0 {
		return nil, nil, karbor.Errorf(karbor.Conflict, "nothing in checkpoint %s can be drilled: %s", cp.ID, firstReason(p, asked))
	}
	mapping, err := drill.Mapping(id, q.Mapping)
	if err != nil {
		return nil, nil, err
	}
	parameters := karbor.Parameters{}
	for name, value := range mapping {
		mapped, err := restoration.Mapped(p, g, parameters, map[string]any{name: value})
		if _, own := q.Mapping[name]; err != nil && own {
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

// EvidenceKeys gives the public keys that records of drills are checked with, the one that signs
// now first.
func (r *Driller) EvidenceKeys() []evidence.PublicKey { return r.config.Keys() }

// DrillProgress tells how far a drill is, resource by resource.
func (r *Driller) DrillProgress(ctx context.Context, projectID, id string) ([]karbor.ResourceProgress, error) {
	op, err := r.store.Operation(ctx, id)
	if err != nil && karbor.KindOf(err) == karbor.NotFound || err == nil && op.ProjectID != projectID {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return r.progress.Resources(ctx, op)
}

// CheckProbes checks the probes of drills that are to come; nil stands for the usual ones. Where no
// drills are made it is karbor.NotImplemented.
func (r *Driller) CheckProbes(probes *karbor.DrillProbes) error {
	if r.config.Signer == nil {
		return karbor.Errorf(karbor.NotImplemented, "this service makes no drills")
	}
	if probes == nil {
		return nil
	}
	return drill.Check(*probes)
}

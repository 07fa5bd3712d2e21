// Package restore brings back what checkpoints hold: as new resources, in the caller's cloud or in
// another one, or in place. It looks ahead at that, too.
package restore

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/internal/protectionservice/admission"
	"github.com/karbor/karbor/internal/protectionservice/copies"
	"github.com/karbor/karbor/internal/protectionservice/custody"
	"github.com/karbor/karbor/internal/protectionservice/delegation"
	"github.com/karbor/karbor/internal/protectionservice/inventory"
	"github.com/karbor/karbor/internal/protectionservice/outcome"
	"github.com/karbor/karbor/internal/protectionservice/progress"
	"github.com/karbor/karbor/internal/protectionservice/protect"
	"github.com/karbor/karbor/internal/protectionservice/restoration"
	"github.com/karbor/karbor/internal/provider"
	"github.com/karbor/karbor/internal/store"
)

// Options of New. All but Targets and AdminReads are needed.
type Options struct {
	Store     *store.Store
	Providers provider.List
	Desk      *admission.Desk
	// Inventory finds the originals.
	Inventory *inventory.Finder
	// Delegations log in to other clouds.
	Delegations *delegation.Registry
	// Custody knows whether a bank can be read, and StandIns what to read in its place.
	Custody  *custody.Keeper
	StandIns *copies.StandIns
	// Maker makes the safety checkpoints of restores in place.
	Maker *protect.Maker
	// Progress tells how far restores are.
	Progress *progress.Reader
	// Targets are the addresses of the Keystones of other clouds that tenants may
	// restore into.
	Targets []string
	// AdminReads is the service user's session, for what only an administrator
	// can read or set; nil where the operator does not allow it.
	AdminReads karbor.Cloud
	Now        func() time.Time
}

// Restorer restores. It is safe for concurrent use.
type Restorer struct {
	store       *store.Store
	providers   provider.List
	desk        *admission.Desk
	inventory   *inventory.Finder
	delegations *delegation.Registry
	custody     *custody.Keeper
	standIns    *copies.StandIns
	maker       *protect.Maker
	progress    *progress.Reader
	targets     []string
	adminReads  karbor.Cloud
	now         func() time.Time
}

// New makes a restorer.
func New(o Options) *Restorer {
	return &Restorer{
		store: o.Store, providers: o.Providers, desk: o.Desk, inventory: o.Inventory, delegations: o.Delegations,
		custody: o.Custody, standIns: o.StandIns, maker: o.Maker, progress: o.Progress, targets: o.Targets,
		adminReads: o.AdminReads, now: o.Now,
	}
}

// Request asks to bring a checkpoint's resources back.
type Request struct {
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
func (o *Restorer) Restore(ctx context.Context, c admission.Caller, r Request) (karbor.Restore, error) {
	var none karbor.Restore
	p, cp, standIn, err := o.restorable(ctx, c, r)
	if err != nil {
		return none, err
	}
	graph, parameters, err := o.choose(ctx, c, p, cp, r)
	if err != nil {
		return none, err
	}
	to, err := o.target(ctx, r)
	if err != nil {
		return none, err
	}
	var list []*admission.Acceptance
	if r.Choices.InPlace {
		safety, err := o.safety(ctx, c, p, cp, graph)
		if err != nil {
			return none, err
		}
		r.Choices.SafetyCheckpointID = safety.Operation.CheckpointID
		list = append(list, safety)
	}
	now := o.now()
	restore := karbor.Restore{
		ID: karbor.NewID(), ProjectID: c.Identity.ProjectID, ProviderID: p.ID, CheckpointID: copies.Asked(cp, standIn), StandIn: standIn,
		RestoreTarget: r.Target, Parameters: r.Parameters, Status: karbor.RestoreInProgress,
		ResourcesStatus: map[string]karbor.ResourceState{}, ResourcesReason: map[string]string{},
		KeepOnFailure: r.KeepOnFailure, Choices: r.Choices, CreatedAt: now, UpdatedAt: now,
	}
	for _, n := range graph.Nodes() {
		restore.ResourcesStatus[outcome.Key(n)] = karbor.ResourcePending
	}
	list = append(list, &admission.Acceptance{
		Acceptance: store.Acceptance{
			Operation: store.Operation{
				Type: karbor.RestoreOperation, CheckpointID: cp.ID, RestoreID: restore.ID, PlanID: cp.Plan.ID,
				Graph: graph, Parameters: parameters, Choices: r.Choices, Bank: cp.Bank,
			},
			Restore: &restore,
			// It may have changed since we looked.
			CheckpointFrom: []karbor.CheckpointStatus{karbor.CheckpointAvailable},
		},
		LogStatus: karbor.LogInProgress,
		Extra:     copies.StandInInfo(standIn),
		Target:    to,
		Provider:  p,
	})
	return restore, o.desk.Accept(ctx, c, list...)
}

// restorable gives the checkpoint of a restore, if it can be restored, or the copy that
// stands in for it, and the provider with the bank that it lies in.
func (o *Restorer) restorable(ctx context.Context, c admission.Caller, r Request) (*provider.Provider, karbor.Checkpoint, *karbor.StandIn, error) {
	var none karbor.Checkpoint
	p, err := o.providers.ByID(r.ProviderID)
	if err != nil {
		return nil, none, nil, karbor.Errorf(karbor.Invalid, "provider_id: %s", karbor.Sentence(err))
	}
	cp, standIn, err := o.standIns.Origin(ctx, c.Identity.ProjectID, p, r.CheckpointID, copies.EvenDamaged)
	if err != nil {
		return nil, none, nil, err
	}
	if p, err = p.At(cp.Bank); err != nil {
		return nil, none, nil, err
	}
	if err := o.custody.Readable(p); err != nil {
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
func (o *Restorer) choose(ctx context.Context, c admission.Caller, p *provider.Provider, cp karbor.Checkpoint, r Request) (*karbor.Graph, karbor.Parameters, error) {
	if err := checkParameters(p, cp.Graph, r.Parameters); err != nil {
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
	return g, parameters, o.stillThere(ctx, c, cp.Graph, g, r)
}

// target checks where a restore goes; nil is the caller's own cloud.
func (o *Restorer) target(ctx context.Context, r Request) (*delegation.Target, error) {
	switch {
	case r.Target == "" && r.Auth == nil:
		return nil, nil
	case r.Target == "":
		return nil, karbor.Errorf(karbor.Invalid, "restore_auth: it is for a restore_target only")
	case !slices.Contains(o.targets, strings.TrimSuffix(r.Target, "/")):
		// Without a list, any tenant could make this service call any address.
		return nil, karbor.Errorf(karbor.Invalid, "restore_target: the operator allows no restore to %q", r.Target)
	case r.Auth == nil:
		return nil, karbor.Errorf(karbor.Invalid, "restore_auth: it is needed with restore_target")
	}
	// Who can't log in there gets told now.
	to := delegation.Target{URL: r.Target, Auth: *r.Auth}
	if _, err := o.delegations.LogIn(ctx, to); err != nil {
		return nil, karbor.Errorf(karbor.Invalid, "restore_target: %s", karbor.Sentence(err))
	}
	return &to, nil
}

// checkParameters checks the parameters against the provider's schemas,
// and that each speaks of something in the checkpoint.
func checkParameters(p *provider.Provider, g *karbor.Graph, parameters karbor.Parameters) error {
	if err := p.CheckRestore(parameters); err != nil {
		return err
	}
	return restoration.CheckParameters(g, parameters)
}

// stillThere makes sure that the originals exist which a restore takes in the place of
// dependents that it does not restore.
func (o *Restorer) stillThere(ctx context.Context, c admission.Caller, whole, wanted *karbor.Graph, r Request) error {
	if r.Choices.Dependents != karbor.DependentsExisting {
		return nil
	}
	if r.Target != "" {
		return karbor.Errorf(karbor.Invalid, "dependents: the originals are not in another cloud or project; have them restored, or map them")
	}
	return o.inventory.StillThere(ctx, c.Cloud, restoration.Missing(whole, wanted))
}

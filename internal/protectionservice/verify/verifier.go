// Package verify checks what checkpoints hold: it accepts verifications, tells how far they are,
// and ends them with what was found.
package verify

import (
	"context"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice/admission"
	"github.com/karbor/karbor/internal/protectionservice/copies"
	"github.com/karbor/karbor/internal/protectionservice/custody"
	"github.com/karbor/karbor/internal/protectionservice/outcome"
	"github.com/karbor/karbor/internal/protectionservice/progress"
	"github.com/karbor/karbor/internal/protectionservice/restoration"
	"github.com/karbor/karbor/internal/provider"
	"github.com/karbor/karbor/internal/store"
)

// Options of New. All are needed.
type Options struct {
	Store     *store.Store
	Providers provider.List
	Desk      *admission.Desk
	// Custody knows whether a bank can be read, and StandIns what to read in its place.
	Custody  *custody.Keeper
	StandIns *copies.StandIns
	// Progress tells how far verifications are.
	Progress *progress.Reader
	Now      func() time.Time
}

// Verifier verifies. It is safe for concurrent use.
type Verifier struct {
	store     *store.Store
	providers provider.List
	desk      *admission.Desk
	custody   *custody.Keeper
	standIns  *copies.StandIns
	progress  *progress.Reader
	now       func() time.Time
}

// New makes a verifier.
func New(o Options) *Verifier {
	return &Verifier{
		store: o.Store, providers: o.Providers, desk: o.Desk, custody: o.Custody, standIns: o.StandIns, progress: o.Progress, now: o.Now,
	}
}

// Request asks to check what a checkpoint holds.
type Request struct {
	ProviderID, CheckpointID string
	Parameters               karbor.Parameters
	// Depth, if any, is how deep is looked at what Parameters say nothing of.
	Depth string
}

// Verify accepts a verification: when it returns, it is durable as verifying. A checkpoint
// that is not available is karbor.Conflict. The checkpoint may be restored meanwhile, but
// not deleted.
func (y *Verifier) Verify(ctx context.Context, c admission.Caller, r Request) (karbor.Verification, error) {
	var none karbor.Verification
	p, err := y.providers.ByID(r.ProviderID)
	if err != nil {
		return none, karbor.Errorf(karbor.Invalid, "provider_id: %s", karbor.Sentence(err))
	}
	cp, standIn, err := y.standIns.Origin(ctx, c.Identity.ProjectID, p, r.CheckpointID, !copies.EvenDamaged)
	if err != nil {
		return none, err
	}
	if p, err = p.At(cp.Bank); err != nil {
		return none, err
	}
	if err := y.custody.Readable(p); err != nil {
		return none, err
	}
	if cp.Status != karbor.CheckpointAvailable {
		return none, karbor.Errorf(karbor.Conflict, "checkpoint %s is %s; only an available one can be verified", cp.ID, cp.Status)
	}
	if len(cp.Graph.Nodes()) == 0 {
		return none, karbor.Errorf(karbor.Conflict, "nothing is known of what is in checkpoint %s, so it can't be verified", cp.ID)
	}
	if r.Parameters, err = withDepth(p, cp.Graph, r.Parameters, r.Depth); err != nil {
		return none, err
	}
	if err := p.CheckVerify(r.Parameters); err != nil {
		return none, err
	}
	if err := restoration.CheckParameters(cp.Graph, r.Parameters); err != nil {
		return none, err
	}
	now := y.now()
	v := karbor.Verification{
		ID: c.OperationID(), ProjectID: c.Identity.ProjectID, ProviderID: p.ID, CheckpointID: copies.Asked(cp, standIn), StandIn: standIn,
		Parameters: r.Parameters, Status: karbor.VerificationVerifying,
		ResourcesStatus: map[string]karbor.VerificationStatus{}, ResourcesReason: map[string]string{},
		CreatedAt: now, UpdatedAt: now,
	}
	for _, n := range cp.Graph.Nodes() {
		v.ResourcesStatus[outcome.Key(n)] = karbor.VerificationVerifying
	}
	return v, y.desk.Accept(ctx, c, &admission.Acceptance{
		Provider: p,
		Acceptance: store.Acceptance{
			Operation: store.Operation{
				// The verification has the id of its operation.
				ID: v.ID, Type: karbor.Verify, CheckpointID: cp.ID, PlanID: cp.Plan.ID, Graph: cp.Graph, Parameters: r.Parameters, Bank: cp.Bank,
			},
			Verification: &v,
			// It may have changed since we looked.
			CheckpointFrom: []karbor.CheckpointStatus{karbor.CheckpointAvailable},
		},
		LogStatus: karbor.LogInProgress,
		Extra:     c.RunInfo(copies.StandInInfo(standIn)),
	})
}

// LiveVerification gives a verification with the state and reason of each resource as they
// are now; one that is over comes back as it is.
func (y *Verifier) LiveVerification(ctx context.Context, v karbor.Verification) (karbor.Verification, error) {
	if v.Status != karbor.VerificationVerifying {
		return v, nil
	}
	op, err := y.store.Operation(ctx, v.ID)
	if karbor.KindOf(err) == karbor.NotFound && err != nil {
		return v, nil
	}
	if err != nil {
		return v, err
	}
	states, err := y.progress.States(ctx, op)
	if err != nil {
		return v, err
	}
	v.ResourcesStatus = make(map[string]karbor.VerificationStatus, len(states))
	v.ResourcesReason = map[string]string{}
	for _, now := range states {
		n := op.Graph.Node(now.Row.Key)
		if n == nil {
			continue
		}
		status := karbor.VerificationVerifying
		switch now.State {
		case karbor.ResourceVerified:
			status = karbor.VerificationSuccess
		case karbor.ResourceError:
			status = karbor.VerificationError
		default: // it is not over
		}
		if v.ResourcesStatus[outcome.Key(n)] = status; now.Reason != "" {
			v.ResourcesReason[outcome.Key(n)] = now.Reason
		}
	}
	return v, nil
}

// VerificationProgress tells how far a verification is, resource by resource.
func (y *Verifier) VerificationProgress(ctx context.Context, c admission.Caller, id string) ([]karbor.ResourceProgress, error) {
	v, err := y.store.Verification(ctx, c.Identity.ProjectID, id)
	if err != nil {
		return nil, err
	}
	op, err := y.store.Operation(ctx, v.ID)
	if karbor.KindOf(err) == karbor.NotFound && err != nil {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return y.progress.Resources(ctx, op)
}

package restore

import (
	"context"
	"fmt"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/internal/protectionservice/admission"
	"github.com/karbor/karbor/internal/protectionservice/hooks"
	"github.com/karbor/karbor/internal/protectionservice/outcome"
	"github.com/karbor/karbor/internal/protectionservice/running"
	"github.com/karbor/karbor/internal/provider"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/protection"
)

// safetyWait is the longest pause between two looks at a safety checkpoint.
const safetyWait = 5 * time.Second

// checkInPlace refuses what makes no sense with a restore in place.
func checkInPlace(r Request) error {
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

// safety gives the acceptance of the safety checkpoint of a restore in place, of which each
// resource can be overwritten.
func (o *Restorer) safety(ctx context.Context, c admission.Caller, p *provider.Provider, of karbor.Checkpoint, g *karbor.Graph) (*admission.Acceptance, error) {
	op := store.Operation{Type: karbor.RestoreOperation, Choices: karbor.RestoreChoices{InPlace: true}}
	for _, n := range g.Nodes() {
		if err := hooks.Overwritable(p, op, hooks.Of(p, protection.InPlace, n.Type), n); err != nil {
			return nil, err
		}
	}
	return o.maker.Safety(ctx, c, p, of, g)
}

// AwaitSafety waits until the safety checkpoint of a restore in place is available. If it
// fails, nothing was overwritten.
func AwaitSafety(ctx context.Context, w running.Work, db *store.Store) error {
	id := w.Op.Choices.SafetyCheckpointID
	return openstack.Poll(ctx, "the safety checkpoint "+id, safetyWait, func(ctx context.Context) (bool, error) {
		cp, err := db.Checkpoint(ctx, w.Op.ProjectID, w.Op.ProviderID, id)
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

// NotBroughtBack tells, for each original that did not get its bytes back, where they are, and
// what else its undo has told. The id in its row is no new one, so nothing new is left.
func NotBroughtBack(op store.Operation, rows []store.ResourceRecord, why *outcome.Failures) {
	if hooks.Kind(op) != protection.InPlace {
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

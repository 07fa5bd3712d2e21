package proof

import (
	"context"
	"errors"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/checkpoint"
	"github.com/karbor/karbor/internal/evidence"
	"github.com/karbor/karbor/internal/provider"
)

// Adopted is what came of the evidence of drills that lies beside a checkpoint.
type Adopted struct {
	// Drills are the ids of those that the database did not know, and now does; Known counts the others.
	Drills []string
	Known  int
	// Refused is what nobody believes.
	Refused []Refused
}

// Refused is evidence that was not taken, and why.
type Refused struct {
	CheckpointID string `json:"checkpoint_id"`
	ProjectID    string `json:"project_id"`
	// DrillID is "" where nobody can tell.
	DrillID string `json:"drill_id,omitempty"`
	Reason  string `json:"reason"`
}

// Adopt brings the drills of a checkpoint back that the database does not know, by the evidence beside it:
// that which one of the keys has signed. dry changes nothing, and says what would be done. The error is of
// the bank or the database.
func Adopt(ctx context.Context, s Store, p *provider.Provider, cp karbor.Checkpoint, keys []evidence.PublicKey, dry bool) (Adopted, error) {
	var a Adopted
	refuse := func(drillID string, err error) {
		a.Refused = append(a.Refused, Refused{CheckpointID: cp.ID, ProjectID: cp.ProjectID, DrillID: drillID, Reason: err.Error()})
	}
	found, err := p.Checkpoints().Proofs(ctx, cp.ProjectID, cp.ID, func(u checkpoint.UnreadProof) error {
		refuse(u.DrillID, u.Err)
		return nil
	})
	var errs []error
	for _, one := range found {
		if _, err := evidence.Verify(one.File, keys...); err != nil {
			if karbor.KindOf(err) == karbor.NotFound {
				err = errors.New(err.Error() + ": add the public key to the file of keys")
			}
			refuse(one.Signed.Record.DrillID, err)
			continue
		}
		taken, err := take(ctx, s, drillOf(one, p.ID), one.File, dry)
		switch {
		case err != nil:
			errs = append(errs, err)
		case taken:
			a.Drills = append(a.Drills, one.Signed.Record.DrillID)
		default:
			a.Known++
		}
	}
	return a, errors.Join(append(errs, err)...)
}

// take puts a drill into the database, and reports whether it was not known.
func take(ctx context.Context, s Store, d karbor.Drill, file []byte, dry bool) (bool, error) {
	if dry {
		known, err := s.DrillKnown(ctx, d.ID)
		return !known, err
	}
	return s.AdoptDrill(ctx, d, file[:len(file)-1])
}

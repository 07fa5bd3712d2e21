// Package adoption makes a service with an empty database take over a bank: the catalogue
// says what the bank holds, the plans that travel inside its checkpoints are made again, and the drills
// whose signed records lie beside them are known again.
// What the database has already is left as it is, and nothing is written to the bank.
package adoption

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/checkpoint"
	"github.com/karbor/karbor/internal/evidence"
	"github.com/karbor/karbor/internal/protectionservice/proof"
	"github.com/karbor/karbor/internal/provider"
	"github.com/karbor/karbor/internal/store"
)

// Options of Adopt.
type Options struct {
	// Store is the database of the service. Provider is the one whose bank is taken over.
	// Both are required.
	Store    *store.Store
	Provider *provider.Provider
	// Keys are what the records of drills are checked with.
	Keys []evidence.PublicKey
	// WithoutPlans leaves the plans out: some may have been deleted since their
	// checkpoints were made, and a bank does not know that.
	WithoutPlans bool
	// DryRun changes nothing.
	DryRun bool
	// Told, if not nil, hears how many checkpoints were looked at.
	Told func(checkpoints int64)
}

// Report is what was done, or in a dry run would be.
type Report struct {
	// Adopted checkpoints are new in the catalogue; Known ones it had.
	Adopted int64 `json:"adopted"`
	Known   int64 `json:"known"`
	// Plans are those that were made again; KnownPlans those that the database has, or
	// had before they were deleted.
	Plans      []Plan `json:"plans"`
	KnownPlans int64  `json:"known_plans"`
	// Drills counts those that are new in the database, by their records beside the checkpoints;
	// KnownDrills those that it has, or had before they were deleted. Refused are records that nobody believes.
	Drills      int64           `json:"drills_adopted"`
	KnownDrills int64           `json:"drills_known"`
	Refused     []proof.Refused `json:"drills_refused"`
	// Elsewhere counts the checkpoints of other providers in the same bank, by
	// the provider's id.
	Elsewhere map[string]int64 `json:"of_other_providers"`
	// Unread are checkpoints that can't be read. Those that are only sealed are in the
	// catalogue all the same, in error, until their key is there.
	Unread []Unread `json:"unread"`
}

// Plan is a plan that was made again.
type Plan struct {
	ID        string `json:"id"`
	ProjectID string `json:"project_id"`
	Name      string `json:"name"`
}

// Unread is a checkpoint that can't be read, and why.
type Unread struct {
	ID        string `json:"id"`
	ProjectID string `json:"project_id"`
	Damaged   bool   `json:"damaged"`
	Reason    string `json:"reason"`
}

// adopter is one run.
type adopter struct {
	Options
	report Report
	// plans are the newest records of the plans, by id.
	plans map[string]planned
	// busy are checkpoints that an operation works on.
	busy map[string]karbor.OperationType
	seen int64
}

// planned is a plan as its newest checkpoint remembers it.
type planned struct {
	karbor.PlanRecord
	project string
	at      time.Time
}

// Adopt takes a bank over. It may be broken off and run again, also while the service
// runs. Checkpoints that were left unfinished are finished or failed by the service, when
// it starts.
func Adopt(ctx context.Context, o Options) (Report, error) {
	a := &adopter{Options: o, plans: map[string]planned{}}
	a.report = Report{Plans: []Plan{}, Elsewhere: map[string]int64{}, Unread: []Unread{}, Refused: []proof.Refused{}}
	if err := a.adopt(ctx); err != nil {
		return a.report, fmt.Errorf("taking over the bank of provider %s: %w", o.Provider.Name, err)
	}
	return a.report, nil
}

func (a *adopter) adopt(ctx context.Context) (err error) {
	if a.busy, err = a.Store.BusyCheckpoints(ctx, a.Provider.ID); err != nil {
		return err
	}
	var closed []karbor.Checkpoint
	err = a.Provider.Checkpoints().Scan(ctx, func(cp karbor.Checkpoint) error {
		return a.take(ctx, cp)
	}, func(cp karbor.Checkpoint, why error) {
		if !a.ours(cp) {
			return
		}
		_, sealed := errors.AsType[*checkpoint.ClosedError](why)
		a.report.Unread = append(a.report.Unread, Unread{ID: cp.ID, ProjectID: cp.ProjectID, Damaged: !sealed, Reason: karbor.Sentence(why)})
		if sealed {
			cp.Reasons = map[string]string{"": karbor.Sentence(why)}
			closed = append(closed, cp)
		}
	})
	if err != nil {
		return err
	}
	for _, cp := range closed {
		if cp.Status != karbor.CheckpointDeleting && cp.Status != karbor.CheckpointErrorDeleting {
			cp.Status = karbor.CheckpointError
		} else {
			cp.Status = karbor.CheckpointErrorDeleting
		}
		if err := a.catalogue(ctx, cp); err != nil {
			return err
		}
	}
	if a.WithoutPlans {
		return nil
	}
	return a.makePlans(ctx)
}

// ours reports whether a checkpoint is the provider's, and counts those of others.
func (a *adopter) ours(cp karbor.Checkpoint) bool {
	if a.seen++; a.Told != nil {
		a.Told(a.seen)
	}
	if cp.ProviderID != a.Provider.ID {
		a.report.Elsewhere[cp.ProviderID]++
		return false
	}
	return true
}

func (a *adopter) take(ctx context.Context, cp karbor.Checkpoint) error {
	if !a.ours(cp) {
		return nil
	}
	if known, there := a.plans[cp.Plan.ID]; !there || known.at.Before(cp.CreatedAt) {
		a.plans[cp.Plan.ID] = planned{cp.Plan, cp.ProjectID, cp.CreatedAt}
	}
	if err := a.catalogue(ctx, cp); err != nil || cp.Status != karbor.CheckpointAvailable {
		return err
	}
	found, err := proof.Adopt(ctx, a.Store, a.Provider, cp, a.Keys, a.DryRun)
	a.report.Drills += int64(len(found.Drills))
	a.report.KnownDrills += int64(found.Known)
	a.report.Refused = append(a.report.Refused, found.Refused...)
	return err
}

// catalogue puts a checkpoint into the catalogue, if it is not there.
func (a *adopter) catalogue(ctx context.Context, cp karbor.Checkpoint) error {
	_, err := a.Store.Checkpoint(ctx, cp.ProjectID, a.Provider.ID, cp.ID)
	switch {
	case err == nil || a.busy[cp.ID] != "":
		a.report.Known++
		return nil
	case karbor.KindOf(err) != karbor.NotFound:
		return err
	}
	a.report.Adopted++
	if a.DryRun {
		return nil
	}
	return a.Store.PutCheckpoint(ctx, cp)
}

// Package proof keeps the evidence of restore drills in the banks, beside the checkpoints that were
// drilled, so that no database can lose it; and brings it back from there.
package proof

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/checkpoint"
	"github.com/karbor/karbor/internal/evidence"
	"github.com/karbor/karbor/internal/protectionservice/drill"
	"github.com/karbor/karbor/internal/provider"
	"github.com/karbor/karbor/internal/store"
)

// bankTime bounds the calls to a bank for one record: a bank that hangs holds up no end of a drill.
const bankTime = 30 * time.Second

// Store keeps what is known of evidence; store.Store is one.
type Store interface {
	NoteProof(ctx context.Context, drillID string, p store.DrillProof) error
	BeginProof(ctx context.Context, drillID, providerID, bank string) (bool, error)
	UnkeptProofs(ctx context.Context, providerID, bank, behind string, limit int) ([]store.UnkeptProof, error)
	DeletedProofs(ctx context.Context, providerID, bank, behind string, limit int) ([]karbor.Drill, error)
	ForgetProof(ctx context.Context, drillID string) error
	AdoptDrill(ctx context.Context, d karbor.Drill, record json.RawMessage) (bool, error)
	DrillKnown(ctx context.Context, id string) (bool, error)
}

// Keep signs the record of a drill that ends, puts it beside its checkpoint, and notes whether that
// could be done. It gives the file, and what the record says. Where an earlier try at the same end has
// put one there that says the same, it is that one. place gives where the checkpoint lies, or why that is
// not known. What keeps it from the bank is no error: another try is made later (Tidy).
func Keep(ctx context.Context, s Store, place func() (*provider.Provider, error), d karbor.Drill, r evidence.Record, by *evidence.Signer) ([]byte, evidence.Record, error) {
	file, err := by.Sign(r)
	if err != nil {
		return nil, r, fmt.Errorf("signing the record of drill %s: %w", d.ID, err)
	}
	p, bankErr := place()
	if bankErr == nil {
		var there *checkpoint.Proof
		if there, bankErr = put(ctx, p.Checkpoints(), d, file, by.Keys()); there != nil {
			file, r = there.File, there.Signed.Record
		}
	}
	if ctx.Err() != nil {
		return nil, r, ctx.Err()
	}
	return file, r, s.NoteProof(ctx, d.ID, noteOf(bankErr))
}

// noteOf says what came of a try to put a record into a bank.
func noteOf(err error) store.DrillProof {
	if err == nil {
		return store.DrillProof{Kept: true}
	}
	if karbor.KindOf(err) == karbor.Internal {
		return store.DrillProof{Reason: "the bank does not work"}
	}
	return store.DrillProof{Reason: karbor.Sentence(err)}
}

// put puts a signed record beside its checkpoint, unless one is there that says the same, which it gives.
func put(ctx context.Context, c *checkpoint.Checkpoints, d karbor.Drill, file []byte, keys []evidence.PublicKey) (*checkpoint.Proof, error) {
	ctx, cancel := context.WithTimeout(ctx, bankTime)
	defer cancel()
	p, err := checkpoint.NewProof(file, d)
	if err != nil {
		return nil, err
	}
	all, err := c.Proofs(ctx, d.ProjectID, d.CheckpointID, nil)
	if err != nil {
		return nil, err
	}
	for _, there := range all {
		if there.Signed.Record.DrillID != d.ID || there.Status != d.Status {
			continue
		}
		if _, err := evidence.Verify(there.File, keys...); err == nil && same(there.Signed.Record, p.Signed.Record) {
			return &there, nil
		}
	}
	return nil, c.PutProof(ctx, d.ProjectID, d.CheckpointID, p)
}

// same reports whether two records say the same, but for when the drill was over.
func same(a, b evidence.Record) bool {
	text := func(r evidence.Record) []byte {
		r.EndedAt = evidence.Time{}
		r.Phases = slices.Clone(r.Phases)
		for i := range r.Phases {
			r.Phases[i].EndedAt = evidence.Time{}
		}
		out, err := evidence.CanonicalOf(r)
		if err != nil {
			return nil
		}
		return out
	}
	one := text(a)
	return one != nil && bytes.Equal(one, text(b))
}

// drillOf gives the drill that a record is of, as lists and shows have it.
func drillOf(p checkpoint.Proof, providerID string) karbor.Drill {
	r := p.Signed.Record
	d := karbor.Drill{
		ID: r.DrillID, ProjectID: r.ProjectID, ProviderID: providerID, CheckpointID: r.Checkpoint.ID, PlanID: r.Checkpoint.PlanID,
		Probes: p.Probes, Mapping: p.Mapping, Status: p.Status, Verdict: r.Verdict, Reason: drill.Brief(slices.Concat(r.Reasons, r.Left)),
		Recovery: time.Duration(r.RecoveryMS) * time.Millisecond, Resources: Resources(r), CreatedAt: r.StartedAt.Time, UpdatedAt: r.EndedAt.Time,
	}
	return d
}

// Resources gives what a record says of each resource.
func Resources(r evidence.Record) map[string]karbor.DrilledResource {
	out := make(map[string]karbor.DrilledResource, len(r.Resources))
	for _, one := range r.Resources {
		out[one.Resource] = karbor.DrilledResource{Verdict: one.Verdict, RecoveryMS: one.ReadyMS}
	}
	return out
}

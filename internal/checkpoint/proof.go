package checkpoint

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/internal/evidence"
)

// Proof is the evidence of a restore drill, as it lies beside the checkpoint that was drilled
// (docs/format/layout1.md, "Evidence of drills").
type Proof struct {
	// File is the signed record, byte for byte; Signed is what it says. Nobody has looked at the
	// signature yet: see evidence.Verify.
	File   []byte
	Signed evidence.Signed
	// Status is how the drill ended; Probes and Mapping are what was asked for. They are not signed.
	Status  karbor.DrillStatus
	Probes  karbor.DrillProbes
	Mapping map[string]any
}

// NewProof reads the signed record of a drill. One that is none is karbor.Invalid.
func NewProof(file []byte, d karbor.Drill) (Proof, error) {
	signed, err := evidence.Parse(file)
	if err != nil {
		return Proof{}, err
	}
	return Proof{File: file, Signed: signed, Status: d.Status, Probes: d.Probes, Mapping: d.Mapping}, nil
}

// proof is its document.
type proof struct {
	Layout   int                `json:"layout"`
	Evidence json.RawMessage    `json:"evidence"`
	Status   karbor.DrillStatus `json:"status"`
	Probes   karbor.DrillProbes `json:"probes"`
	Mapping  map[string]any     `json:"mapping"`
}

// UnreadProof is evidence that does not count, and why.
type UnreadProof struct {
	// DrillID is "" where the key names no drill.
	DrillID string
	// Key is its place in the bank.
	Key string
	Err error
}

func proofsPrefix(project, id string) string { return checkpointPrefix(project, id) + "evidence/" }

func proofKey(project, id, drill string, n int) string {
	return proofsPrefix(project, id) + drill + "/" + sequence(n)
}

// proofTries is how many numbers are tried where a listing lags, or others write.
const proofTries = 8

// PutProof puts the evidence of a drill beside its checkpoint. The same once more is no error; other
// evidence of the same drill takes the place of the one before. A checkpoint that is neither available
// nor protecting is karbor.Conflict, one that is not there karbor.NotFound, and evidence of another one
// karbor.Invalid.
func (c *Checkpoints) PutProof(ctx context.Context, projectID, id string, p Proof) error {
	if err := checkIDs(projectID, id); err != nil {
		return err
	}
	if err := c.putProof(ctx, projectID, id, p); err != nil {
		return fmt.Errorf("putting the evidence of drill %s beside checkpoint %s: %w", p.Signed.Record.DrillID, id, err)
	}
	return nil
}

func (c *Checkpoints) putProof(ctx context.Context, project, id string, p Proof) error {
	ctx, cancel, err := c.lease.publishing(ctx)
	if err != nil {
		return err
	}
	defer cancel()
	s, err := c.newest(ctx, project, id)
	if err == nil {
		err = provable(s, id)
	}
	if err == nil && !p.of(s) {
		err = karbor.Errorf(karbor.Invalid, "the record is of another checkpoint")
	}
	if err == nil && c.papers.sealer == nil {
		var sealed bool
		if sealed, err = c.papers.sealed(ctx, descriptionKey(project, id)); sealed {
			err = &ClosedError{ProjectID: project, ID: id, Err: karbor.Errorf(karbor.Unavailable, "it is sealed, and there are no keys here")}
		}
	}
	if err != nil {
		return err
	}
	key, err := c.writeProof(ctx, s, p)
	if err != nil || key == "" {
		return err
	}
	// Who deletes it has said so before it looked for what to remove.
	now, err := c.newest(ctx, project, id)
	if err != nil {
		return err
	}
	if gone := provable(now, id); gone != nil {
		return errors.Join(gone, c.bank.Delete(ctx, key))
	}
	return nil
}

// provable reports why there can't be evidence of a checkpoint with a state.
func provable(s *state, id string) error {
	switch {
	case s == nil || s.Status == karbor.CheckpointDeleted:
		return notFound(id)
	case s.Status != karbor.CheckpointAvailable && s.Status != karbor.CheckpointProtecting:
		return karbor.Errorf(karbor.Conflict, "checkpoint %s is %s", id, s.Status)
	}
	return nil
}

// of reports whether the evidence is of a checkpoint.
func (p Proof) of(s *state) bool {
	r := p.Signed.Record
	return karbor.IsUUID(r.DrillID) && r.ProjectID == s.ProjectID && r.Checkpoint.ID == s.CheckpointID
}

// writeProof writes evidence under the next number, and gives its key; "" if it is there.
func (c *Checkpoints) writeProof(ctx context.Context, s *state, p Proof) (string, error) {
	drill := p.Signed.Record.DrillID
	numbers, err := c.sequences(ctx, proofsPrefix(s.ProjectID, s.CheckpointID)+drill+"/")
	if err != nil {
		return "", err
	}
	n := 0
	if len(numbers) > 0 {
		n = numbers[len(numbers)-1]
		there, err := c.readProof(ctx, s, drill, n)
		if err == nil && string(there.File) == string(p.File) {
			return "", nil
		}
	}
	doc := proof{Layout: layout, Evidence: p.File[:len(p.File)-1], Status: p.Status, Probes: p.Probes, Mapping: p.Mapping}
	if doc.Mapping == nil {
		doc.Mapping = map[string]any{}
	}
	for range proofTries {
		if n++; n > maxSequence {
			break
		}
		key := proofKey(s.ProjectID, s.CheckpointID, drill, n)
		err = c.papers.create(ctx, s.ProjectID, key, doc)
		if karbor.KindOf(err) != karbor.Conflict {
			return key, err
		}
	}
	return "", karbor.Transientf("others write the evidence of drill %s, too: %w", drill, err)
}

// Proofs gives the evidence of drills that lies beside a checkpoint, the newest of each drill, in the
// order of their ids. What does not count is told to unread, if that is not nil, once for each object;
// where the evidence is sealed and the key is not here, with a *ClosedError.
func (c *Checkpoints) Proofs(ctx context.Context, projectID, id string, unread func(UnreadProof) error) ([]Proof, error) {
	if err := checkIDs(projectID, id); err != nil {
		return nil, err
	}
	found, err := c.proofs(ctx, projectID, id, unread)
	if err != nil {
		return nil, fmt.Errorf("reading the evidence of drills of checkpoint %s: %w", id, err)
	}
	return found, nil
}

func (c *Checkpoints) proofs(ctx context.Context, project, id string, unread func(UnreadProof) error) ([]Proof, error) {
	if unread == nil {
		unread = func(UnreadProof) error { return nil }
	}
	prefix := proofsPrefix(project, id)
	var keys []string
	if err := eachKey(ctx, c.bank, prefix, func(key string) error {
		keys = append(keys, key)
		return nil
	}); err != nil || len(keys) == 0 {
		return nil, err
	}
	s, err := c.newest(ctx, project, id)
	if err != nil || s == nil || s.Status == karbor.CheckpointDeleted {
		return nil, err
	}
	var found []Proof
	last := ""
	for _, key := range slices.Backward(keys) {
		drill, number, _ := strings.Cut(strings.TrimPrefix(key, prefix), "/")
		n, ok := parseSequence(number)
		if !ok || !karbor.IsUUID(drill) {
			if err := unread(UnreadProof{Key: key, Err: errors.New("no evidence of a drill has such a key")}); err != nil {
				return nil, err
			}
			continue
		}
		if drill == last {
			continue
		}
		p, err := c.readProof(ctx, s, drill, n)
		if err == nil {
			found, last = append(found, p), drill
			continue
		}
		_, damaged := errors.AsType[*bank.DecodeError](err)
		_, closed := errors.AsType[*ClosedError](err)
		switch {
		case karbor.KindOf(err) == karbor.NotFound: // its drill was just deleted
			continue
		case !damaged && !closed:
			return nil, err
		}
		if err := unread(UnreadProof{DrillID: drill, Key: key, Err: err}); err != nil {
			return nil, err
		}
	}
	slices.Reverse(found)
	return found, nil
}

// readProof reads one object; what does not count is a *bank.DecodeError.
func (c *Checkpoints) readProof(ctx context.Context, s *state, drill string, n int) (Proof, error) {
	key := proofKey(s.ProjectID, s.CheckpointID, drill, n)
	refuse := func(err error) (Proof, error) { return Proof{}, &bank.DecodeError{Key: key, Err: err} }
	var doc proof
	sealed, err := c.papers.read(ctx, s.ProjectID, key, &doc)
	if err != nil {
		return Proof{}, err
	}
	if doc.Layout != layout {
		return refuse(errors.New("it is of another layout"))
	}
	if !sealed {
		whole, err := c.papers.sealed(ctx, descriptionKey(s.ProjectID, s.CheckpointID))
		if err != nil {
			return Proof{}, err
		}
		if whole { // who can write to the bank and has no key could put it there
			return refuse(errors.New("it is in the clear, and the rest of its checkpoint is sealed"))
		}
	}
	if len(doc.Evidence) == 0 {
		return refuse(errors.New("it has no record"))
	}
	file, err := evidence.File(doc.Evidence)
	if err != nil {
		return refuse(err)
	}
	p, err := NewProof(file, karbor.Drill{Status: doc.Status, Probes: doc.Probes, Mapping: doc.Mapping})
	if err != nil {
		return refuse(err)
	}
	switch {
	case p.Signed.Record.DrillID != drill || !p.of(s):
		return refuse(errors.New("its record is of another drill or checkpoint"))
	case p.Status != karbor.DrillFinished && p.Status != karbor.DrillError:
		return refuse(fmt.Errorf("no drill ends as %q", p.Status))
	}
	return p, nil
}

// RemoveProof removes the evidence of a drill from beside its checkpoint, in whatever state that is.
// What is gone is no error.
func (c *Checkpoints) RemoveProof(ctx context.Context, projectID, id, drillID string) error {
	if err := checkIDs(projectID, id); err != nil || !karbor.IsUUID(drillID) {
		return err
	}
	if err := c.lease.Valid(); err != nil {
		return err
	}
	if err := c.clear(ctx, proofsPrefix(projectID, id)+drillID+"/"); err != nil {
		return fmt.Errorf("removing the evidence of drill %s from beside checkpoint %s: %w", drillID, id, err)
	}
	return nil
}

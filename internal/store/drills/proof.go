package drills

import (
	"context"
	"database/sql"
	"encoding/json"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store/rows"
)

// Proof says whether the signed record of a drill lies in the bank, too.
type Proof struct {
	Kept bool
	// Reason says why it does not; "" where nobody has tried yet.
	Reason string
}

// UnkeptProof is a drill whose record does not lie in its bank.
type UnkeptProof struct {
	karbor.Drill
	// Evidence is its signed record, as JSON with its members in whatever order.
	Evidence json.RawMessage
}

var putProof = "INSERT INTO drill_proofs (drill_id, kept, reason, updated_at) VALUES (?, ?, ?, ?)" +
	rows.Upsert("drill_id", "kept", "reason", "updated_at")

// NoteProof keeps whether the record of a drill lies in the bank, too; if not, reason says why.
func (s *Store) NoteProof(ctx context.Context, drillID string, p Proof) error {
	return s.db.Write(ctx, "noting whether the record of the drill "+drillID+" lies in its bank", func(t *rows.Tx) error {
		return t.Exec(ctx, putProof, drillID, rows.Truth(p.Kept), p.Reason, rows.Micros(s.db.Now()))
	})
}

// BeginProof notes that the record of a drill may lie in a bank of its provider from now on, though nobody
// knows whether it does, and reports whether it may be put there: its drill is not deleted, and its
// checkpoint lies there, available. Once a checkpoint's deletion has been accepted, it may not. One that is
// accepted later does not wait for who may: what is put there then lies beside a checkpoint that is about to go,
// and goes with it, or after it where the bank locks all that is written.
func (s *Store) BeginProof(ctx context.Context, drillID, providerID, bank string) (may bool, err error) {
	err = s.db.Write(ctx, "noting that the record of the drill "+drillID+" is put into its bank", func(t *rows.Tx) error {
		n, err := rows.One(ctx, t, rows.Int, "SELECT COUNT(*)"+besideCheckpoint+" AND c.status = ? AND d.deleted = 0 AND d.id = ?",
			providerID, bank, string(karbor.CheckpointAvailable), drillID)
		if may = err == nil && n > 0; !may {
			return err
		}
		return t.Exec(ctx, putProof, drillID, rows.Truth(false), "", rows.Micros(t.Now()))
	})
	return may, err
}

// checkpointGone is why no record of a drill lies in a bank from which its checkpoint was deleted.
const checkpointGone = "its checkpoint was deleted"

// DrillProofs gives, of drills with these ids, whether their records lie in their banks: they go from
// there with the checkpoints. One of which that is not known is missing.
func (s *Store) DrillProofs(ctx context.Context, ids []string) (map[string]Proof, error) {
	out := make(map[string]Proof, len(ids))
	if len(ids) == 0 {
		return out, nil
	}
	args := make([]any, len(ids))
	for i, id := range ids {
		args[i] = id
	}
	_, err := rows.All(ctx, s.db.Once(), func(row *sql.Rows) (string, error) {
		var id string
		var p Proof
		var there bool
		err := row.Scan(&id, &p.Kept, &p.Reason, &there)
		if !there {
			p = Proof{Reason: checkpointGone}
		}
		out[id] = p
		return id, err
	}, `SELECT d.id, k.kept, k.reason, CASE WHEN c.id IS NULL THEN 0 ELSE 1 END FROM drills d
		JOIN drill_proofs k ON k.drill_id = d.id
		LEFT JOIN checkpoints c ON c.id = d.checkpoint_id AND c.provider_id = d.provider_id AND c.deleted = 0
		WHERE d.id IN (`+rows.Repeated("?", len(ids))+")", args...)
	return out, rows.Failed("looking which records of drills lie in their banks", err)
}

// besideCheckpoint tells, of drills d of a provider, those whose checkpoint c lies in a bank of it.
const besideCheckpoint = ` FROM drills d JOIN checkpoints c ON c.id = d.checkpoint_id AND c.provider_id = d.provider_id
	WHERE d.provider_id = ? AND c.bank = ? AND c.deleted = 0`

// UnkeptProofs gives drills that are over, of available checkpoints in a bank of a provider ("" for its
// own), whose records do not lie there yet: those behind an id, in the order of the ids.
func (s *Store) UnkeptProofs(ctx context.Context, providerID, bank, behind string, limit int) ([]UnkeptProof, error) {
	found, err := rows.All(ctx, s.db, func(row *sql.Rows) (UnkeptProof, error) {
		var u UnkeptProof
		var text string
		err := row.Scan(&u.ID, &u.ProjectID, &u.ProviderID, &u.CheckpointID, (*string)(&u.Status), rows.Document(&u.Probes), rows.Document(&u.Mapping), &text)
		u.Evidence = json.RawMessage(text)
		return u, err
	}, "SELECT d.id, d.project_id, d.provider_id, d.checkpoint_id, d.status, d.probes, d.mapping, d.evidence"+besideCheckpoint+
		` AND c.status = ? AND d.deleted = 0 AND d.status <> ? AND d.evidence IS NOT NULL AND d.id > ? AND NOT EXISTS
		(SELECT 1 FROM drill_proofs k WHERE k.drill_id = d.id AND k.kept = 1) ORDER BY d.id LIMIT ?`,
		providerID, bank, string(karbor.CheckpointAvailable), string(karbor.DrillRunning), behind, limit)
	return found, rows.Failed("listing the records of drills that are in no bank", err)
}

// DeletedProofs gives drills that were deleted, of checkpoints in a bank of a provider, whose records may
// still lie there: those behind an id, in the order of the ids.
func (s *Store) DeletedProofs(ctx context.Context, providerID, bank, behind string, limit int) ([]karbor.Drill, error) {
	found, err := rows.All(ctx, s.db, func(row *sql.Rows) (karbor.Drill, error) {
		var d karbor.Drill
		return d, row.Scan(&d.ID, &d.ProjectID, &d.ProviderID, &d.CheckpointID)
	}, "SELECT d.id, d.project_id, d.provider_id, d.checkpoint_id"+besideCheckpoint+
		` AND d.deleted = 1 AND d.id > ? AND EXISTS (SELECT 1 FROM drill_proofs k WHERE k.drill_id = d.id) ORDER BY d.id LIMIT ?`,
		providerID, bank, behind, limit)
	return found, rows.Failed("listing the records of deleted drills", err)
}

// ForgetProof notes that the record of a deleted drill does not lie in its bank any more.
func (s *Store) ForgetProof(ctx context.Context, drillID string) error {
	return s.db.Write(ctx, "noting that the record of the drill "+drillID+" has gone from its bank", func(t *rows.Tx) error {
		return t.Exec(ctx, "DELETE FROM drill_proofs WHERE drill_id = ?", drillID)
	})
}

// AdoptDrill puts a drill that is over and whose record was found in a bank among the others, and
// reports whether it did: one of this id that is known, deleted ones too, stays as it is.
func (s *Store) AdoptDrill(ctx context.Context, d karbor.Drill, evidence json.RawMessage) (adopted bool, err error) {
	err = s.db.Write(ctx, "adopting the drill "+d.ID, func(t *rows.Tx) error {
		var err error
		adopted, err = t.Insert(ctx, `INSERT INTO drills (id, project_id, provider_id, checkpoint_id, plan_id, probes, mapping, status, verdict,
			reason, recovery, resources, evidence, created_at, updated_at, deleted) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)`,
			d.ID, d.ProjectID, d.ProviderID, d.CheckpointID, d.PlanID, rows.Document(d.Probes), rows.Document(d.Mapping), string(d.Status),
			string(d.Verdict), d.Reason, d.Recovery.Microseconds(), rows.Document(d.Resources), rows.Document(evidence), rows.Micros(d.CreatedAt), rows.Micros(d.UpdatedAt))
		if err != nil || !adopted {
			return err
		}
		return t.Exec(ctx, putProof, d.ID, rows.Truth(true), "", rows.Micros(s.db.Now()))
	})
	return adopted, err
}

// DrillKnown reports whether there is a drill of this id in the database, or was one.
func (s *Store) DrillKnown(ctx context.Context, id string) (bool, error) {
	n, err := rows.One(ctx, s.db, rows.Int, "SELECT COUNT(*) FROM drills WHERE id = ?", id)
	return n > 0, rows.Failed("looking for the drill "+id, err)
}

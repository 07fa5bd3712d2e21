package checkpoints

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store/rows"
)

// Keepings says how checkpoints of a provider are kept, by id. One of which nothing is
// known is left out.
func (s *Store) Keepings(ctx context.Context, providerID string, ids []string) (map[string]karbor.Keeping, error) {
	found := map[string]karbor.Keeping{}
	if len(ids) == 0 {
		return found, nil
	}
	args := []any{providerID}
	for _, id := range ids {
		args = append(args, id)
	}
	kept, err := rows.All(ctx, s.db.Once(), scanKeeping, selectKeeping+
		" WHERE provider_id = ? AND checkpoint_id IN ("+rows.Repeated("?", len(ids))+")", args...)
	for _, r := range kept {
		found[r.id] = r.Keeping
	}
	return found, rows.Failed("reading how checkpoints are kept", err)
}

const selectKeeping = `SELECT checkpoint_id, held_at, held_until, held_by, hold_reason, expires_at, expires_by,
	verified_at, verified_depth, verified_result FROM keepings`

// keepingRow is a keeping as it lies in its table.
type keepingRow struct {
	id string
	karbor.Keeping
}

func scanKeeping(row *sql.Rows) (keepingRow, error) {
	var k keepingRow
	var hold karbor.Hold
	var verified karbor.LastVerified
	err := row.Scan(&k.id, rows.Time(&hold.At), rows.Time(&hold.Until), &hold.UserID, &hold.Reason, rows.Time(&k.ExpiresAt), &k.ExpiresBy,
		rows.Time(&verified.At), &verified.Depth, (*string)(&verified.Result))
	if !hold.At.IsZero() {
		k.Hold = &hold
	}
	if !verified.At.IsZero() {
		k.LastVerified = &verified
	}
	return k, err
}

// keeping gives how a checkpoint is kept; the zero value if nothing is known.
func keeping(ctx context.Context, q rows.Queryer, providerID, id string) (karbor.Keeping, error) {
	found, err := rows.All(ctx, q, scanKeeping, selectKeeping+" WHERE checkpoint_id = ? AND provider_id = ?", id, providerID)
	if err != nil || len(found) == 0 {
		return karbor.Keeping{}, err
	}
	return found[0].Keeping, nil
}

// KeepCheckpoint changes how a checkpoint of a project, or of any if projectID is "", is
// kept; change may see what is, and give an error that is then the result. One that is
// being deleted is karbor.Conflict.
func (s *Store) KeepCheckpoint(ctx context.Context, projectID, providerID, id string, change func(*karbor.Keeping) error) (karbor.Keeping, error) {
	var k karbor.Keeping
	err := s.db.Write(ctx, "changing how the checkpoint "+id+" is kept", func(t *rows.Tx) error {
		c, err := Get(ctx, t, projectID, providerID, id)
		if err != nil {
			return err
		}
		if c.Status == karbor.CheckpointDeleting {
			return karbor.Errorf(karbor.Conflict, "the checkpoint %s is being deleted", id)
		}
		if k, err = keeping(ctx, t, providerID, id); err != nil {
			return err
		}
		if err := change(&k); err != nil {
			return err
		}
		return putKeeping(ctx, t, c.ProjectID, providerID, id, k)
	})
	return k, err
}

var upsertKeeping = `INSERT INTO keepings (checkpoint_id, provider_id, project_id, held_at, held_until, held_by, hold_reason,
	expires_at, expires_by, verified_at, verified_depth, verified_result) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)` +
	rows.Upsert("checkpoint_id, provider_id", "held_at", "held_until", "held_by", "hold_reason",
		"expires_at", "expires_by", "verified_at", "verified_depth", "verified_result")

func putKeeping(ctx context.Context, t *rows.Tx, projectID, providerID, id string, k karbor.Keeping) error {
	var hold karbor.Hold
	if k.Hold != nil {
		hold = *k.Hold
	}
	var verified karbor.LastVerified
	if k.LastVerified != nil {
		verified = *k.LastVerified
	}
	return t.Exec(ctx, upsertKeeping, id, providerID, projectID, rows.MicrosOrNull(hold.At), rows.MicrosOrNull(hold.Until), hold.UserID,
		hold.Reason, rows.MicrosOrNull(k.ExpiresAt), k.ExpiresBy, rows.MicrosOrNull(verified.At), verified.Depth, string(verified.Result))
}

// Verified is what a verification that came to its end has found.
type Verified struct {
	karbor.LastVerified
	// Resources are by TYPE#id, or TYPE#id@role of one that is there for another.
	Resources map[string]VerifiedResource
}

// VerifiedResource is what was found of a resource.
type VerifiedResource struct {
	Depth string
	Good  bool
}

// PutVerified keeps what a verification has found of its checkpoint.
func PutVerified(ctx context.Context, t *rows.Tx, of Key, v *Verified) error {
	k, err := keeping(ctx, t, of.ProviderID, of.ID)
	if err != nil || k.LastVerified != nil && k.LastVerified.At.After(v.At) {
		return err // of two at once, the later one counts
	}
	k.LastVerified = &v.LastVerified
	if err := putKeeping(ctx, t, of.ProjectID, of.ProviderID, of.ID, k); err != nil {
		return err
	}
	err = t.Exec(ctx, "DELETE FROM verified_resources WHERE checkpoint_id = ? AND provider_id = ?", of.ID, of.ProviderID)
	for resource, found := range v.Resources {
		if err != nil {
			return err
		}
		err = t.Exec(ctx, `INSERT INTO verified_resources (checkpoint_id, provider_id, project_id, resource, depth, good)
			VALUES (?, ?, ?, ?, ?, ?)`, of.ID, of.ProviderID, of.ProjectID, verifiedName(resource), found.Depth, rows.Truth(found.Good))
	}
	return err
}

// maxVerifiedName is the length of the longest name of a resource that its column takes.
const maxVerifiedName = 400

// verifiedName is how a resource is named in the table of what was verified: one whose name
// is too long has the digest of it in the place of its id. The same name gives the same.
func verifiedName(resource string) string {
	if len(resource) <= maxVerifiedName {
		return resource
	}
	typ, _, _ := strings.Cut(resource, "#")
	sum := sha256.Sum256([]byte(resource))
	return typ + "#sha256:" + hex.EncodeToString(sum[:])
}

// Standing is what speaks against deleting a checkpoint.
type Standing struct {
	CheckpointID string
	karbor.Keeping
	// NewestVerifiedOf are the resources of which it is the newest checkpoint, of any
	// plan of the project, that is available and was found good, by TYPE#id; a very long
	// id is told by its digest.
	NewestVerifiedOf []string
}

// dataFrom is the time from which the data of a checkpoint is, in SQL: that of a copy is
// as old as its original.
func dataFrom(table string) string {
	return `COALESCE((SELECT o.created_at FROM checkpoints o
		WHERE o.id = ` + table + `.copy_of AND o.provider_id = ` + table + `.provider_id), ` + table + `.created_at)`
}

// standing gives what speaks against deleting a checkpoint.
func standing(ctx context.Context, q rows.Queryer, projectID, providerID, id string) (Standing, error) {
	st := Standing{CheckpointID: id}
	var err error
	if st.Keeping, err = keeping(ctx, q, providerID, id); err != nil || st.LastVerified == nil {
		return st, err
	}
	// The same checkpoint, shown by another provider of the same bank, is no other one.
	st.NewestVerifiedOf, err = rows.All(ctx, q, rows.Text, `SELECT v.resource FROM verified_resources v
		JOIN checkpoints c ON c.id = v.checkpoint_id AND c.provider_id = v.provider_id
		WHERE v.checkpoint_id = ? AND v.provider_id = ? AND v.good = 1 AND c.status = ? AND NOT EXISTS (
			SELECT 1 FROM verified_resources w JOIN checkpoints d ON d.id = w.checkpoint_id AND d.provider_id = w.provider_id
			WHERE w.project_id = ? AND w.resource = v.resource AND w.good = 1 AND w.checkpoint_id <> v.checkpoint_id
				AND d.deleted = 0 AND d.status = ?
				AND (`+dataFrom("d")+` > `+dataFrom("c")+` OR `+dataFrom("d")+` = `+dataFrom("c")+` AND d.id > c.id))
		ORDER BY v.resource`, id, providerID, string(karbor.CheckpointAvailable), projectID, string(karbor.CheckpointAvailable))
	return st, err
}

// PlannedCheckpoint is what the rules of retention need to know of a checkpoint.
type PlannedCheckpoint struct {
	ID        string
	Status    karbor.CheckpointStatus
	CreatedAt time.Time
	ExtraInfo map[string]json.RawMessage
	Size      int64
	karbor.Keeping
	// Verified are the resources in it, by TYPE#id, that its newest verification found good.
	Verified []string
}

// PlannedCheckpoints lists the checkpoints of a plan, but for copies, the oldest first.
func (s *Store) PlannedCheckpoints(ctx context.Context, projectID, providerID, planID string) ([]PlannedCheckpoint, error) {
	const of = " FROM checkpoints c WHERE c.plan_id = ? AND c.provider_id = ? AND c.project_id = ? AND c.deleted = 0 AND c.bank = ''"
	const doing = "listing the checkpoints of a plan"
	found, err := rows.All(ctx, s.db, func(row *sql.Rows) (PlannedCheckpoint, error) {
		var c PlannedCheckpoint
		err := row.Scan(&c.ID, (*string)(&c.Status), rows.Time(&c.CreatedAt), rows.Document(&c.ExtraInfo), &c.Size)
		return c, err
	}, "SELECT c.id, c.status, c.created_at, c.extra_info, c.size"+of+" ORDER BY c.created_at, c.id", planID, providerID, projectID)
	if err != nil {
		return nil, rows.Failed(doing, err)
	}
	keepings, err := rows.All(ctx, s.db, scanKeeping, selectKeeping+" WHERE provider_id = ? AND checkpoint_id IN (SELECT c.id"+of+")",
		providerID, planID, providerID, projectID)
	if err != nil {
		return nil, rows.Failed(doing, err)
	}
	type pair struct{ id, resource string }
	good, err := rows.All(ctx, s.db, func(row *sql.Rows) (pair, error) {
		var p pair
		err := row.Scan(&p.id, &p.resource)
		return p, err
	}, "SELECT checkpoint_id, resource FROM verified_resources WHERE good = 1 AND provider_id = ? AND checkpoint_id IN (SELECT c.id"+
		of+") ORDER BY checkpoint_id, resource", providerID, planID, providerID, projectID)
	if err != nil {
		return nil, rows.Failed(doing, err)
	}
	place := make(map[string]int, len(found))
	for i, c := range found {
		place[c.ID] = i
	}
	for _, k := range keepings {
		if i, ok := place[k.id]; ok {
			found[i].Keeping = k.Keeping
		}
	}
	for _, p := range good {
		if i, ok := place[p.id]; ok {
			found[i].Verified = append(found[i].Verified, p.resource)
		}
	}
	return found, nil
}

// Expired names a checkpoint whose date has come, and who set the date.
type Expired struct {
	ProjectID, ProviderID, CheckpointID, UserID string
	ExpiresAt                                   time.Time
}

// expiryRest is how long a checkpoint that could not be deleted is left alone before it is
// tried again by itself: each try is an operation, and most often it fails as the one before.
const expiryRest = time.Hour

// ExpiredCheckpoints lists the checkpoints whose date has come, that nothing deletes yet,
// the earliest date first, from behind one on; the zero value is the beginning. One that
// could not be deleted is left out for an hour.
func (s *Store) ExpiredCheckpoints(ctx context.Context, now time.Time, behind Expired, limit int) ([]Expired, error) {
	found, err := rows.All(ctx, s.db, func(row *sql.Rows) (Expired, error) {
		var e Expired
		err := row.Scan(&e.ProjectID, &e.ProviderID, &e.CheckpointID, &e.UserID, rows.Time(&e.ExpiresAt))
		return e, err
	}, `SELECT k.project_id, k.provider_id, k.checkpoint_id, k.expires_by, k.expires_at FROM keepings k
		JOIN checkpoints c ON c.id = k.checkpoint_id AND c.provider_id = k.provider_id
		WHERE k.expires_at <= ? AND (k.expires_at > ? OR k.expires_at = ? AND k.checkpoint_id > ?)
			AND c.deleted = 0 AND (c.status IN (?, ?) OR c.status = ? AND c.updated_at <= ?)
		ORDER BY k.expires_at, k.checkpoint_id LIMIT `+strconv.Itoa(limit), rows.Micros(now), rows.Micros(behind.ExpiresAt), rows.Micros(behind.ExpiresAt),
		behind.CheckpointID, string(karbor.CheckpointAvailable), string(karbor.CheckpointError), string(karbor.CheckpointErrorDeleting),
		rows.Micros(now.Add(-expiryRest)))
	return found, rows.Failed("listing the checkpoints that have expired", err)
}

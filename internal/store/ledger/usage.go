package ledger

import (
	"context"
	"database/sql"
	"errors"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store/rows"
)

// Usage is what a project has of a resource.
type Usage struct {
	// InUse is what is there; Reserved is set aside for what is being made.
	InUse, Reserved int64
}

// gibibytes is the size of a checkpoint's row in whole GiB, in SQL.
const gibibytes = "((size + 1073741823) >> 30)"

// unreserved are the checkpoints whose making is over. What others will be is in
// their reservations.
const unreserved = ` FROM checkpoints WHERE deleted = 0 AND NOT EXISTS
	(SELECT 1 FROM reservations WHERE checkpoint_id = checkpoints.id AND deleted = 0)`

// CountPlans counts the plans of a project.
const CountPlans = "SELECT COUNT(*) FROM plans WHERE project_id = ? AND deleted = 0"

// countUsage counts what a project has, the slow way.
var countUsage = map[QuotaResource]string{
	QuotaPlans:       CountPlans,
	QuotaCheckpoints: "SELECT COUNT(*)" + unreserved + " AND project_id = ?",
	QuotaGigabytes:   "SELECT COALESCE(SUM(" + gibibytes + "), 0)" + unreserved + " AND project_id = ?",
}

// Usages gives what a project has.
func (s *Store) Usages(ctx context.Context, projectID string) (map[QuotaResource]Usage, error) {
	const doing = "reading what the project uses of its quotas"
	kept, err := rows.All(ctx, s.db, scanUsage, selectUsages+" WHERE project_id = ?", projectID)
	if err != nil {
		return nil, rows.Failed(doing, err)
	}
	found := map[QuotaResource]Usage{}
	for _, r := range kept {
		found[r.resource] = r.Usage
	}
	for _, r := range QuotaResources() {
		if _, ok := found[r]; ok {
			continue
		}
		// Nothing was made or deleted since there are quotas: the first change will
		// make the row.
		n, err := rows.One(ctx, s.db, rows.Int, countUsage[r], projectID)
		if err != nil {
			return nil, rows.Failed(doing, err)
		}
		found[r] = Usage{InUse: n}
	}
	return found, nil
}

// usageRow is a usage as it lies in its table.
type usageRow struct {
	id       int64
	project  string
	resource QuotaResource
	Usage
}

const selectUsages = "SELECT id, project_id, resource, in_use, reserved FROM quota_usages"

func scanUsage(row *sql.Rows) (usageRow, error) {
	var u usageRow
	err := row.Scan(&u.id, &u.project, (*string)(&u.resource), &u.InUse, &u.Reserved)
	return u, err
}

// lockUsage gives what a project has of a resource, and keeps others from changing
// it until the transaction ends. It must come before the change of what is counted:
// a row that is not there is made of what is counted now.
func lockUsage(ctx context.Context, t *rows.Tx, projectID string, r QuotaResource) (usageRow, error) {
	const query = selectUsages + " WHERE project_id = ? AND resource = ?" + rows.ForUpdate
	u, err := rows.One(ctx, t, scanUsage, query, projectID, string(r))
	if !errors.Is(err, sql.ErrNoRows) {
		return u, err
	}
	n, err := rows.One(ctx, t, rows.Int, countUsage[r], projectID)
	if err != nil {
		return usageRow{}, err
	}
	now := rows.Micros(t.Now())
	// Another transaction may make the row first: then its numbers hold.
	err = t.Exec(ctx, `INSERT INTO quota_usages (id, project_id, resource, in_use, reserved, created_at, updated_at, deleted)
		VALUES (?, ?, ?, ?, 0, ?, ?, 0)`+rows.Upsert("project_id, resource", "updated_at"), rows.RandomInteger(), projectID, string(r), n, now, now)
	if err != nil {
		return usageRow{}, err
	}
	return rows.One(ctx, t, scanUsage, query, projectID, string(r))
}

// lockCheckpointUsages locks what a project has of all that checkpoints count for.
func lockCheckpointUsages(ctx context.Context, t *rows.Tx, projectID string) (checkpointUsages, error) {
	found, err := rows.All(ctx, t, scanUsage, selectUsages+" WHERE project_id = ? AND resource IN (?, ?) ORDER BY resource"+rows.ForUpdate,
		projectID, string(QuotaCheckpoints), string(QuotaGigabytes))
	if err != nil {
		return checkpointUsages{}, err
	}
	if len(found) == 2 {
		return checkpointUsages{checkpoints: found[0], gigabytes: found[1]}, nil
	}
	var u checkpointUsages
	if u.checkpoints, err = lockUsage(ctx, t, projectID, QuotaCheckpoints); err == nil {
		u.gigabytes, err = lockUsage(ctx, t, projectID, QuotaGigabytes)
	}
	return u, err
}

// lockLimitedUsages is lockCheckpointUsages, and gives the limits of the project over the
// configured ones.
func lockLimitedUsages(ctx context.Context, t *rows.Tx, projectID string, configured Limits) (checkpointUsages, Limits, error) {
	found, err := rows.All(ctx, t, scanLimitedUsage, `SELECT id, project_id, resource, in_use, reserved, COALESCE(
		(SELECT q.hard_limit FROM quotas q WHERE q.project_id = u.project_id AND q.resource = u.resource AND q.deleted = 0),
		(SELECT c.hard_limit FROM quota_classes c WHERE c.class_name = ? AND c.resource = u.resource AND c.deleted = 0))
		FROM quota_usages u WHERE project_id = ? AND resource IN (?, ?) ORDER BY resource`+rows.ForUpdate,
		DefaultQuotaClass, projectID, string(QuotaCheckpoints), string(QuotaGigabytes))
	if err != nil {
		return checkpointUsages{}, nil, err
	}
	if len(found) == 2 {
		l := Limits{}
		for _, r := range []QuotaResource{QuotaCheckpoints, QuotaGigabytes} {
			l[r] = configured.Of(r)
		}
		for _, f := range found {
			if f.limit.Valid {
				l[f.resource] = f.limit.Int64
			}
		}
		return checkpointUsages{checkpoints: found[0].usageRow, gigabytes: found[1].usageRow}, l, nil
	}
	l, err := limits(ctx, t, projectID, configured)
	if err != nil {
		return checkpointUsages{}, nil, err
	}
	u, err := lockCheckpointUsages(ctx, t, projectID)
	return u, l, err
}

// limitedUsage is a usage with the limit that the tables have for it, if any.
type limitedUsage struct {
	usageRow
	limit sql.NullInt64
}

func scanLimitedUsage(row *sql.Rows) (limitedUsage, error) {
	var u limitedUsage
	err := row.Scan(&u.id, &u.project, (*string)(&u.resource), &u.InUse, &u.Reserved, &u.limit)
	return u, err
}

// checkpointUsages are the rows of what checkpoints use.
type checkpointUsages struct{ checkpoints, gigabytes usageRow }

// Hold keeps others from changing what a project has of a resource until the
// transaction ends. It must come before the change of what is counted.
func Hold(ctx context.Context, t *rows.Tx, projectID string, r QuotaResource) error {
	_, err := lockUsage(ctx, t, projectID, r)
	return err
}

// HoldCheckpoints is Hold of all that checkpoints count for.
func HoldCheckpoints(ctx context.Context, t *rows.Tx, projectID string) error {
	_, err := lockCheckpointUsages(ctx, t, projectID)
	return err
}

// Take makes sure that a project may have one more of a resource, over the
// configured limits, and keeps others from claiming until the transaction ends. Beyond
// the limit it is karbor.OverLimit. What is then made is counted by Change.
func Take(ctx context.Context, t *rows.Tx, projectID string, r QuotaResource, configured Limits) error {
	l, err := limits(ctx, t, projectID, configured)
	if err != nil {
		return err
	}
	_, err = claim(ctx, t, projectID, r, 1, l)
	return err
}

// claim makes sure that a project may have more of a resource, and keeps others
// from claiming until the transaction ends. Beyond the limit it is karbor.OverLimit.
func claim(ctx context.Context, t *rows.Tx, projectID string, r QuotaResource, more int64, l Limits) (usageRow, error) {
	u, err := lockUsage(ctx, t, projectID, r)
	if err != nil {
		return u, err
	}
	return u, u.takes(more, l)
}

// takes reports, as karbor.OverLimit, that so much more does not fit below the limits.
func (u *usageRow) takes(more int64, l Limits) error {
	if limit := l.Of(u.resource); limit >= 0 && u.InUse+u.Reserved+more > limit {
		return karbor.Errorf(karbor.OverLimit, "the quota of %s does not suffice: the limit is %d, %d are in use, %d are reserved, and %d more are asked for",
			u.resource, limit, u.InUse, u.Reserved, more)
	}
	return nil
}

// Change adds to what a project has. Nothing falls below 0, whatever the rows
// said before. The usage must be locked.
func Change(ctx context.Context, t *rows.Tx, projectID string, r QuotaResource, by Usage) error {
	if by == (Usage{}) {
		return nil
	}
	return t.Later(ctx, `UPDATE quota_usages SET in_use = CASE WHEN in_use + ? < 0 THEN 0 ELSE in_use + ? END,
		reserved = CASE WHEN reserved + ? < 0 THEN 0 ELSE reserved + ? END, updated_at = ?
		WHERE project_id = ? AND resource = ?`,
		by.InUse, by.InUse, by.Reserved, by.Reserved, rows.Micros(t.Now()), projectID, string(r))
}

// holding is what one checkpoint counts for.
type holding struct{ checkpoints, gibibytes int64 }

// holdingOf gives what a checkpoint counts for now: nothing if it is not there, is
// deleted, or is counted by reservations.
func holdingOf(ctx context.Context, t *rows.Tx, providerID, id string) (holding, error) {
	h, err := rows.One(ctx, t, scanHolding, "SELECT "+gibibytes+unreserved+" AND id = ? AND provider_id = ?"+rows.ForUpdate, id, providerID)
	if errors.Is(err, sql.ErrNoRows) {
		return holding{}, nil
	}
	return h, err
}

func scanHolding(row *sql.Rows) (holding, error) {
	h := holding{checkpoints: 1}
	err := row.Scan(&h.gibibytes)
	return h, err
}

// Recount does change, which changes a checkpoint of a project, and keeps the
// project's usages in step with it.
func Recount(ctx context.Context, t *rows.Tx, projectID, providerID, id string, change func() error) error {
	if _, err := lockCheckpointUsages(ctx, t, projectID); err != nil {
		return err
	}
	before, err := holdingOf(ctx, t, providerID, id)
	if err != nil {
		return err
	}
	if err := change(); err != nil {
		return err
	}
	after, err := holdingOf(ctx, t, providerID, id)
	if err != nil {
		return err
	}
	err = Change(ctx, t, projectID, QuotaCheckpoints, Usage{InUse: after.checkpoints - before.checkpoints})
	if err != nil {
		return err
	}
	return Change(ctx, t, projectID, QuotaGigabytes, Usage{InUse: after.gibibytes - before.gibibytes})
}

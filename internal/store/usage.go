package store

import (
	"context"
	"database/sql"
	"errors"

	"github.com/karbor/karbor"
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

// countUsage counts what a project has, the slow way.
var countUsage = map[QuotaResource]string{
	QuotaPlans:       countPlans,
	QuotaCheckpoints: "SELECT COUNT(*)" + unreserved + " AND project_id = ?",
	QuotaGigabytes:   "SELECT COALESCE(SUM(" + gibibytes + "), 0)" + unreserved + " AND project_id = ?",
}

// Usages gives what a project has.
func (s *Store) Usages(ctx context.Context, projectID string) (map[QuotaResource]Usage, error) {
	const doing = "reading what the project uses of its quotas"
	rows, err := all(ctx, s.reader, scanUsage, selectUsages+" WHERE project_id = ?", projectID)
	if err != nil {
		return nil, failed(doing, err)
	}
	found := map[QuotaResource]Usage{}
	for _, r := range rows {
		found[r.resource] = r.Usage
	}
	for _, r := range QuotaResources() {
		if _, ok := found[r]; ok {
			continue
		}
		// Nothing was made or deleted since there are quotas: the first change will
		// make the row.
		n, err := one(ctx, s.reader, scanInt, countUsage[r], projectID)
		if err != nil {
			return nil, failed(doing, err)
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

func scanUsage(rows *sql.Rows) (usageRow, error) {
	var u usageRow
	err := rows.Scan(&u.id, &u.project, (*string)(&u.resource), &u.InUse, &u.Reserved)
	return u, err
}

// lockUsage gives what a project has of a resource, and keeps others from changing
// it until the transaction ends. It must come before the change of what is counted:
// a row that is not there is made of what is counted now.
func (s *Store) lockUsage(ctx context.Context, t *transaction, projectID string, r QuotaResource) (usageRow, error) {
	const query = selectUsages + " WHERE project_id = ? AND resource = ?" + forUpdate
	u, err := one(ctx, t, scanUsage, query, projectID, string(r))
	if !errors.Is(err, sql.ErrNoRows) {
		return u, err
	}
	n, err := one(ctx, t, scanInt, countUsage[r], projectID)
	if err != nil {
		return usageRow{}, err
	}
	now := micros(s.now())
	// Another transaction may make the row first: then its numbers hold.
	err = t.exec(ctx, `INSERT INTO quota_usages (id, project_id, resource, in_use, reserved, created_at, updated_at, deleted)
		VALUES (?, ?, ?, ?, 0, ?, ?, 0)`+upsert("project_id, resource", "updated_at"), randomInteger(), projectID, string(r), n, now, now)
	if err != nil {
		return usageRow{}, err
	}
	return one(ctx, t, scanUsage, query, projectID, string(r))
}

// lockCheckpointUsages locks what a project has of all that checkpoints count for.
func (s *Store) lockCheckpointUsages(ctx context.Context, t *transaction, projectID string) (checkpointUsages, error) {
	found, err := all(ctx, t, scanUsage, selectUsages+" WHERE project_id = ? AND resource IN (?, ?) ORDER BY resource"+forUpdate,
		projectID, string(QuotaCheckpoints), string(QuotaGigabytes))
	if err != nil {
		return checkpointUsages{}, err
	}
	if len(found) == 2 {
		return checkpointUsages{checkpoints: found[0], gigabytes: found[1]}, nil
	}
	var u checkpointUsages
	if u.checkpoints, err = s.lockUsage(ctx, t, projectID, QuotaCheckpoints); err == nil {
		u.gigabytes, err = s.lockUsage(ctx, t, projectID, QuotaGigabytes)
	}
	return u, err
}

// checkpointUsages are the rows of what checkpoints use.
type checkpointUsages struct{ checkpoints, gigabytes usageRow }

// claim makes sure that a project may have more of a resource, and keeps others
// from claiming until the transaction ends. Beyond the limit it is karbor.OverLimit.
func (s *Store) claim(ctx context.Context, t *transaction, projectID string, r QuotaResource, more int64, l Limits) (usageRow, error) {
	u, err := s.lockUsage(ctx, t, projectID, r)
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

// changeUsage adds to what a project has. Nothing falls below 0, whatever the rows
// said before. The usage must be locked.
func (s *Store) changeUsage(ctx context.Context, t *transaction, projectID string, r QuotaResource, by Usage) error {
	if by == (Usage{}) {
		return nil
	}
	return t.later(ctx, `UPDATE quota_usages SET in_use = CASE WHEN in_use + ? < 0 THEN 0 ELSE in_use + ? END,
		reserved = CASE WHEN reserved + ? < 0 THEN 0 ELSE reserved + ? END, updated_at = ?
		WHERE project_id = ? AND resource = ?`,
		by.InUse, by.InUse, by.Reserved, by.Reserved, micros(s.now()), projectID, string(r))
}

// holding is what one checkpoint counts for.
type holding struct{ checkpoints, gibibytes int64 }

// holdingOf gives what a checkpoint counts for now: nothing if it is not there, is
// deleted, or is counted by reservations.
func holdingOf(ctx context.Context, t *transaction, providerID, id string) (holding, error) {
	h, err := one(ctx, t, scanHolding, "SELECT "+gibibytes+unreserved+" AND id = ? AND provider_id = ?"+forUpdate, id, providerID)
	if errors.Is(err, sql.ErrNoRows) {
		return holding{}, nil
	}
	return h, err
}

func scanHolding(rows *sql.Rows) (holding, error) {
	h := holding{checkpoints: 1}
	err := rows.Scan(&h.gibibytes)
	return h, err
}

// recount does change, which changes a checkpoint of a project, and keeps the
// project's usages in step with it.
func (s *Store) recount(ctx context.Context, t *transaction, projectID, providerID, id string, change func() error) error {
	if _, err := s.lockCheckpointUsages(ctx, t, projectID); err != nil {
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
	err = s.changeUsage(ctx, t, projectID, QuotaCheckpoints, Usage{InUse: after.checkpoints - before.checkpoints})
	if err != nil {
		return err
	}
	return s.changeUsage(ctx, t, projectID, QuotaGigabytes, Usage{InUse: after.gibibytes - before.gibibytes})
}

// Package ledger keeps what projects may have, what they have, and what is set aside for
// what is being made: quotas, usages and reservations.
package ledger

import (
	"context"
	"database/sql"
	"maps"
	"slices"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store/rows"
)

// Store keeps quotas, usages and reservations in the tables of a database. Its methods
// may be called concurrently, and each is one transaction.
type Store struct{ db *rows.DB }

// New gives the quotas, usages and reservations of a database.
func New(db *rows.DB) Store { return Store{db: db} }

// QuotaResource is something that a project may have only so much of.
type QuotaResource string

// The resources of quotas. Gigabytes are the logical sizes of checkpoints, each
// rounded up to a whole GiB.
const (
	QuotaPlans       QuotaResource = "plans"
	QuotaCheckpoints QuotaResource = "checkpoints"
	QuotaGigabytes   QuotaResource = "gigabytes"
)

// QuotaResources gives all of them, in the order in which they are shown, and in
// which a transaction locks their usages.
func QuotaResources() []QuotaResource {
	return []QuotaResource{QuotaPlans, QuotaCheckpoints, QuotaGigabytes}
}

// Unlimited is the limit that stands for any number.
const Unlimited = -1

// DefaultQuotaClass is the class whose limits are the defaults of all projects, in
// place of the configured ones.
const DefaultQuotaClass = "default"

// Limits are the most that there may be of each resource.
type Limits map[QuotaResource]int64

// Of gives a limit; Unlimited for a resource that is not there.
func (l Limits) Of(r QuotaResource) int64 {
	if n, ok := l[r]; ok {
		return n
	}
	return Unlimited
}

// limitTable is a table of limits.
type limitTable struct{ name, key string }

var (
	projectLimits = limitTable{"quotas", "project_id"}
	classLimits   = limitTable{"quota_classes", "class_name"}
)

// limitRow is a limit as it lies in a table.
type limitRow struct {
	resource QuotaResource
	limit    int64
}

func scanLimit(row *sql.Rows) (limitRow, error) {
	var r limitRow
	err := row.Scan((*string)(&r.resource), &r.limit)
	return r, err
}

// into reads the limits of a project or class over those of l.
func (l Limits) into(ctx context.Context, q rows.Queryer, table limitTable, key string) error {
	found, err := rows.All(ctx, q, scanLimit, "SELECT resource, hard_limit FROM "+table.name+" WHERE "+table.key+
		" = ? AND deleted = 0", key)
	for _, r := range found {
		l[r.resource] = r.limit
	}
	return err
}

// limits gives the limits of a project, or the defaults if projectID is "".
func limits(ctx context.Context, q rows.Queryer, projectID string, configured Limits) (Limits, error) {
	l := Limits{}
	maps.Copy(l, configured)
	if projectID == "" {
		return l, l.into(ctx, q, classLimits, DefaultQuotaClass)
	}
	found, err := rows.All(ctx, q, scanLevel, `SELECT 0 AS level, resource, hard_limit FROM quota_classes
		WHERE class_name = ? AND deleted = 0 UNION ALL SELECT 1 AS level, resource, hard_limit FROM quotas
		WHERE project_id = ? AND deleted = 0 ORDER BY level`, DefaultQuotaClass, projectID)
	for _, r := range found {
		l[r.resource] = r.limit
	}
	return l, err
}

// scanLevel reads a row of the limits of all levels, the widest of which comes first.
func scanLevel(row *sql.Rows) (limitRow, error) {
	var r limitRow
	var level int
	err := row.Scan(&level, (*string)(&r.resource), &r.limit)
	return r, err
}

// Limits gives the limits of a project: its own, over those of the default class,
// over the configured ones. With projectID "" it gives the defaults.
func (s *Store) Limits(ctx context.Context, projectID string, configured Limits) (Limits, error) {
	l, err := limits(ctx, s.db, projectID, configured)
	return l, rows.Failed("reading the quotas of the project "+projectID, err)
}

// ClassLimits gives the limits of a quota class, over the configured ones.
func (s *Store) ClassLimits(ctx context.Context, class string, configured Limits) (Limits, error) {
	l := Limits{}
	maps.Copy(l, configured)
	return l, rows.Failed("reading the quota class "+class, l.into(ctx, s.db, classLimits, class))
}

// SetLimits sets limits of a project; those that are not named stay. One below what
// is in use keeps more from being made, and takes nothing away.
func (s *Store) SetLimits(ctx context.Context, projectID string, l Limits) error {
	return s.setLimits(ctx, "setting quotas of the project "+projectID, projectLimits, projectID, l)
}

// SetClassLimits sets limits of a quota class; those that are not named stay.
func (s *Store) SetClassLimits(ctx context.Context, class string, l Limits) error {
	return s.setLimits(ctx, "setting quotas of the class "+class, classLimits, class, l)
}

func (s *Store) setLimits(ctx context.Context, doing string, table limitTable, key string, l Limits) error {
	now := rows.Micros(s.db.Now())
	query := "INSERT INTO " + table.name + " (id, " + table.key + `, resource, hard_limit, created_at, updated_at, deleted_at, deleted)
		VALUES (?, ?, ?, ?, ?, ?, NULL, 0)` + rows.Upsert(table.key+", resource", "hard_limit", "updated_at", "deleted_at", "deleted")
	return s.db.Write(ctx, doing, func(t *rows.Tx) error {
		for _, r := range slices.Sorted(maps.Keys(l)) {
			if l[r] < Unlimited {
				return karbor.Errorf(karbor.Invalid, "the quota of %s can't be %d", r, l[r])
			}
			if err := t.Exec(ctx, query, rows.RandomInteger(), key, string(r), l[r], now, now); err != nil {
				return err
			}
		}
		return nil
	})
}

// DeleteLimits takes the limits of a project's own away, so that the defaults hold.
// None is no error.
func (s *Store) DeleteLimits(ctx context.Context, projectID string) error {
	now := rows.Micros(s.db.Now())
	return s.db.Write(ctx, "deleting the quotas of the project "+projectID, func(t *rows.Tx) error {
		return t.Exec(ctx, `UPDATE quotas SET deleted = 1, deleted_at = ?, updated_at = ?
			WHERE project_id = ? AND deleted = 0`, now, now, projectID)
	})
}

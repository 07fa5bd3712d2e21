package store

import (
	"context"
	"database/sql"
	"maps"
	"slices"

	"github.com/karbor/karbor"
)

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

func scanLimit(rows *sql.Rows) (limitRow, error) {
	var r limitRow
	err := rows.Scan((*string)(&r.resource), &r.limit)
	return r, err
}

// into reads the limits of a project or class over those of l.
func (l Limits) into(ctx context.Context, q queryer, table limitTable, key string) error {
	rows, err := all(ctx, q, scanLimit, "SELECT resource, hard_limit FROM "+table.name+" WHERE "+table.key+
		" = ? AND deleted = 0", key)
	for _, r := range rows {
		l[r.resource] = r.limit
	}
	return err
}

// limits gives the limits of a project, or the defaults if projectID is "".
func limits(ctx context.Context, q queryer, projectID string, configured Limits) (Limits, error) {
	l := Limits{}
	maps.Copy(l, configured)
	if projectID == "" {
		return l, l.into(ctx, q, classLimits, DefaultQuotaClass)
	}
	rows, err := all(ctx, q, scanLevel, `SELECT 0 AS level, resource, hard_limit FROM quota_classes
		WHERE class_name = ? AND deleted = 0 UNION ALL SELECT 1 AS level, resource, hard_limit FROM quotas
		WHERE project_id = ? AND deleted = 0 ORDER BY level`, DefaultQuotaClass, projectID)
	for _, r := range rows {
		l[r.resource] = r.limit
	}
	return l, err
}

// scanLevel reads a row of the limits of all levels, the widest of which comes first.
func scanLevel(rows *sql.Rows) (limitRow, error) {
	var r limitRow
	var level int
	err := rows.Scan(&level, (*string)(&r.resource), &r.limit)
	return r, err
}

// Limits gives the limits of a project: its own, over those of the default class,
// over the configured ones. With projectID "" it gives the defaults.
func (s *Store) Limits(ctx context.Context, projectID string, configured Limits) (Limits, error) {
	l, err := limits(ctx, s.reader, projectID, configured)
	return l, failed("reading the quotas of the project "+projectID, err)
}

// ClassLimits gives the limits of a quota class, over the configured ones.
func (s *Store) ClassLimits(ctx context.Context, class string, configured Limits) (Limits, error) {
	l := Limits{}
	maps.Copy(l, configured)
	return l, failed("reading the quota class "+class, l.into(ctx, s.reader, classLimits, class))
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
	now := micros(s.now())
	query := "INSERT INTO " + table.name + " (id, " + table.key + `, resource, hard_limit, created_at, updated_at, deleted_at, deleted)
		VALUES (?, ?, ?, ?, ?, ?, NULL, 0)` + upsert(table.key+", resource", "hard_limit", "updated_at", "deleted_at", "deleted")
	return s.write(ctx, doing, func(t *transaction) error {
		for _, r := range slices.Sorted(maps.Keys(l)) {
			if l[r] < Unlimited {
				return karbor.Errorf(karbor.Invalid, "the quota of %s can't be %d", r, l[r])
			}
			if err := t.exec(ctx, query, randomInteger(), key, string(r), l[r], now, now); err != nil {
				return err
			}
		}
		return nil
	})
}

// DeleteLimits takes the limits of a project's own away, so that the defaults hold.
// None is no error.
func (s *Store) DeleteLimits(ctx context.Context, projectID string) error {
	now := micros(s.now())
	return s.write(ctx, "deleting the quotas of the project "+projectID, func(t *transaction) error {
		return t.exec(ctx, `UPDATE quotas SET deleted = 1, deleted_at = ?, updated_at = ?
			WHERE project_id = ? AND deleted = 0`, now, now, projectID)
	})
}

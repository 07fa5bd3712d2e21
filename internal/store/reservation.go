package store

import (
	"context"
	"database/sql"
	"maps"
	"slices"
	"time"

	"github.com/karbor/karbor"
)

// reservationPeriod is how long a reservation is taken for good before it is looked
// at whether its operation still lives.
const reservationPeriod = time.Hour

// reserve sets aside, for a checkpoint that an operation makes, what the project may
// still have; beyond a limit it is karbor.OverLimit.
func (s *Store) reserve(ctx context.Context, t *transaction, a *Acceptance) error {
	o := &a.Operation
	l, err := limits(ctx, t, o.ProjectID, a.Limits)
	if err != nil {
		return err
	}
	u, err := s.lockCheckpointUsages(ctx, t, o.ProjectID)
	if err != nil {
		return err
	}
	now := s.now()
	for _, d := range []struct {
		usage *usageRow
		more  int64
	}{{&u.checkpoints, 1}, {&u.gigabytes, max(a.Gigabytes, 0)}} {
		if err := d.usage.takes(d.more, l); err != nil {
			return err
		}
		if d.more == 0 {
			continue
		}
		if err := insertReservation(ctx, t, d.usage, o, o.CheckpointID, d.more, now); err != nil {
			return err
		}
		if err := s.changeUsage(ctx, t, o.ProjectID, d.usage.resource, Usage{Reserved: d.more}); err != nil {
			return err
		}
	}
	return nil
}

// insertReservation keeps what an operation sets aside of a usage for a checkpoint.
func insertReservation(ctx context.Context, t *transaction, u *usageRow, o *Operation, checkpointID string, more int64, now time.Time) error {
	return t.later(ctx, `INSERT INTO reservations (id, uuid, usage_id, project_id, resource, delta, expire, operation_id,
		checkpoint_id, created_at, updated_at, deleted) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)`,
		randomInteger(), karbor.NewID(), u.id, o.ProjectID, string(u.resource), more, micros(now.Add(reservationPeriod)),
		o.ID, checkpointID, micros(now), micros(now))
}

// release gives back what an operation has set aside. The usages must be locked.
func (s *Store) release(ctx context.Context, t *transaction, operationID string) error {
	rows, err := all(ctx, t, scanReservation, `SELECT project_id, resource, delta FROM reservations
		WHERE operation_id = ? AND deleted = 0`, operationID)
	if err != nil || len(rows) == 0 {
		return err
	}
	for _, r := range rows {
		if err := s.changeUsage(ctx, t, r.project, r.resource, Usage{Reserved: -r.delta}); err != nil {
			return err
		}
	}
	return deleteReservations(ctx, t, operationID)
}

// deleteReservations removes those of an operation: nobody asks for them any more.
func deleteReservations(ctx context.Context, t *transaction, operationID string) error {
	return t.later(ctx, "DELETE FROM reservations WHERE operation_id = ?", operationID)
}

type reservationRow struct {
	project  string
	resource QuotaResource
	delta    int64
}

func scanReservation(rows *sql.Rows) (reservationRow, error) {
	var r reservationRow
	err := rows.Scan(&r.project, (*string)(&r.resource), &r.delta)
	return r, err
}

// deadReservations are those whose operation has ended or is gone.
const deadReservations = ` FROM reservations WHERE deleted = 0 AND NOT EXISTS
	(SELECT 1 FROM operations WHERE operations.id = reservations.operation_id AND ended_at IS NULL)`

// SweepReservations gives back what is set aside for operations that are no more,
// among the reservations that are older than an hour. It gives the number of such
// operations.
func (s *Store) SweepReservations(ctx context.Context) (int, error) {
	now := s.now()
	dead, err := s.settleDead(ctx, " AND expire <= ?", micros(now))
	if err != nil {
		return 0, err
	}
	return dead, s.write(ctx, "prolonging reservations", func(t *transaction) error {
		return t.exec(ctx, "UPDATE reservations SET expire = ?, updated_at = ? WHERE deleted = 0 AND expire <= ?",
			micros(now.Add(reservationPeriod)), micros(now), micros(now))
	})
}

// settleDead settles the dead reservations that a condition is true of.
func (s *Store) settleDead(ctx context.Context, condition string, args ...any) (int, error) {
	const doing = "settling the reservations of operations that are gone"
	found, err := all(ctx, s.reader, scanDead, "SELECT DISTINCT operation_id, project_id"+deadReservations+condition, args...)
	if err != nil {
		return 0, failed(doing, err)
	}
	for _, d := range found {
		err := s.write(ctx, doing, func(t *transaction) error {
			if err := deleteReservations(ctx, t, d.operation); err != nil {
				return err
			}
			// The checkpoint counts by itself from now on.
			return s.count(ctx, t, d.project)
		})
		if err != nil {
			return 0, err
		}
	}
	return len(found), nil
}

type deadRow struct{ operation, project string }

func scanDead(rows *sql.Rows) (deadRow, error) {
	var d deadRow
	err := rows.Scan(&d.operation, &d.project)
	return d, err
}

// count makes the usages of a project what its rows say.
func (s *Store) count(ctx context.Context, t *transaction, projectID string) error {
	// All locks first: what is read after them is what the last change left.
	for _, r := range QuotaResources() {
		if _, err := s.lockUsage(ctx, t, projectID, r); err != nil {
			return err
		}
	}
	for _, r := range QuotaResources() {
		n, err := one(ctx, t, scanInt, countUsage[r], projectID)
		if err != nil {
			return err
		}
		reserved, err := one(ctx, t, scanInt, `SELECT COALESCE(SUM(delta), 0) FROM reservations
			WHERE project_id = ? AND resource = ? AND deleted = 0`, projectID, string(r))
		if err != nil {
			return err
		}
		err = t.exec(ctx, "UPDATE quota_usages SET in_use = ?, reserved = ?, updated_at = ? WHERE project_id = ? AND resource = ?",
			n, reserved, micros(s.now()), projectID, string(r))
		if err != nil {
			return err
		}
	}
	return nil
}

// SyncUsages settles all reservations of operations that are no more, and makes the
// usages of every project what its rows say. It gives the projects that were wrong.
// Where all is well, it only reads.
func (s *Store) SyncUsages(ctx context.Context) ([]string, error) {
	if _, err := s.settleDead(ctx, ""); err != nil {
		return nil, err
	}
	wrong, err := s.wrongUsages(ctx)
	if err != nil {
		return nil, failed("comparing what projects use with what they have", err)
	}
	for _, p := range wrong {
		err := s.write(ctx, "counting what the project "+p+" has", func(t *transaction) error { return s.count(ctx, t, p) })
		if err != nil {
			return nil, err
		}
	}
	return wrong, nil
}

// wrongUsages gives the projects whose usages are not what their rows say, or seem
// so: what changes while this reads may be among them.
func (s *Store) wrongUsages(ctx context.Context) ([]string, error) {
	kept, err := all(ctx, s.reader, scanUsage, selectUsages)
	if err != nil {
		return nil, err
	}
	counted := map[usageKey]Usage{}
	for _, c := range []struct {
		resource QuotaResource
		query    string
	}{
		{QuotaPlans, "SELECT project_id, '', COUNT(*) FROM plans WHERE deleted = 0 GROUP BY project_id"},
		{QuotaCheckpoints, "SELECT project_id, '', COUNT(*)" + unreserved + " GROUP BY project_id"},
		{QuotaGigabytes, "SELECT project_id, '', SUM(" + gibibytes + ")" + unreserved + " GROUP BY project_id"},
	} {
		rows, err := all(ctx, s.reader, scanReservation, c.query)
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			counted[usageKey{r.project, c.resource}] = Usage{InUse: r.delta}
		}
	}
	reserved, err := all(ctx, s.reader, scanReservation, `SELECT project_id, resource, SUM(delta) FROM reservations
		WHERE deleted = 0 GROUP BY project_id, resource`)
	if err != nil {
		return nil, err
	}
	for _, r := range reserved {
		u := counted[usageKey{r.project, r.resource}]
		u.Reserved = r.delta
		counted[usageKey{r.project, r.resource}] = u
	}
	wrong := map[string]bool{}
	for _, k := range kept {
		if counted[usageKey{k.project, k.resource}] != k.Usage {
			wrong[k.project] = true
		}
	}
	return slices.Sorted(maps.Keys(wrong)), nil
}

type usageKey struct {
	project  string
	resource QuotaResource
}

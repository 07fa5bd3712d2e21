package ledger

import (
	"context"
	"database/sql"
	"maps"
	"slices"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store/rows"
)

// reservationPeriod is how long a reservation is taken for good before it is looked
// at whether its operation still lives.
const reservationPeriod = time.Hour

// Maker is an operation that makes checkpoints in a project.
type Maker struct{ OperationID, ProjectID string }

// Reserve sets aside, for a checkpoint that an operation makes, what the project may
// still have, over the configured limits; beyond a limit it is karbor.OverLimit.
func Reserve(ctx context.Context, t *rows.Tx, m Maker, checkpointID string, gigabytes int64, configured Limits) error {
	u, l, err := lockLimitedUsages(ctx, t, m.ProjectID, configured)
	if err != nil {
		return err
	}
	now := t.Now()
	for _, d := range []struct {
		usage *usageRow
		more  int64
	}{{&u.checkpoints, 1}, {&u.gigabytes, max(gigabytes, 0)}} {
		if err := d.usage.takes(d.more, l); err != nil {
			return err
		}
		if d.more == 0 {
			continue
		}
		if err := insertReservation(ctx, t, d.usage, m, checkpointID, d.more, now); err != nil {
			return err
		}
		if err := Change(ctx, t, m.ProjectID, d.usage.resource, Usage{Reserved: d.more}); err != nil {
			return err
		}
	}
	return nil
}

// ReserveAll is reserve for the checkpoints that an operation makes at once. The sizes of
// these are what they will hold, in bytes.
func ReserveAll(ctx context.Context, t *rows.Tx, m Maker, made []karbor.Checkpoint, configured Limits) error {
	l, err := limits(ctx, t, m.ProjectID, configured)
	if err != nil {
		return err
	}
	for _, r := range []QuotaResource{QuotaCheckpoints, QuotaGigabytes} {
		each := make([]int64, len(made))
		var total int64
		for i, one := range made {
			if each[i] = 1; r == QuotaGigabytes {
				each[i] = wholeGibibytes(one.Size)
			}
			total += each[i]
		}
		u, err := claim(ctx, t, m.ProjectID, r, total, l)
		if err != nil {
			return err
		}
		for i, one := range made {
			if each[i] == 0 {
				continue
			}
			if err := insertReservation(ctx, t, &u, m, one.ID, each[i], t.Now()); err != nil {
				return err
			}
		}
		if err := Change(ctx, t, m.ProjectID, r, Usage{Reserved: total}); err != nil {
			return err
		}
	}
	return nil
}

// insertReservation keeps what an operation sets aside of a usage for a checkpoint.
func insertReservation(ctx context.Context, t *rows.Tx, u *usageRow, m Maker, checkpointID string, more int64, now time.Time) error {
	return t.Later(ctx, `INSERT INTO reservations (id, uuid, usage_id, project_id, resource, delta, expire, operation_id,
		checkpoint_id, created_at, updated_at, deleted) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)`,
		rows.RandomInteger(), karbor.NewID(), u.id, m.ProjectID, string(u.resource), more, rows.Micros(now.Add(reservationPeriod)),
		m.OperationID, checkpointID, rows.Micros(now), rows.Micros(now))
}

// deleteReservations removes those of an operation: nobody asks for them any more.
func deleteReservations(ctx context.Context, t *rows.Tx, operationID string) error {
	return t.Later(ctx, "DELETE FROM reservations WHERE operation_id = ?", operationID)
}

type reservationRow struct {
	project  string
	resource QuotaResource
	delta    int64
}

func scanReservation(row *sql.Rows) (reservationRow, error) {
	var r reservationRow
	err := row.Scan(&r.project, (*string)(&r.resource), &r.delta)
	return r, err
}

// deadReservations are those whose operation has ended or is gone.
const deadReservations = ` FROM reservations WHERE deleted = 0 AND NOT EXISTS
	(SELECT 1 FROM operations WHERE operations.id = reservations.operation_id AND ended_at IS NULL)`

// SweepReservations gives back what is set aside for operations that are no more,
// among the reservations that are older than an hour. It gives the number of such
// operations.
func (s *Store) SweepReservations(ctx context.Context) (int, error) {
	now := s.db.Now()
	dead, err := s.settleDead(ctx, " AND expire <= ?", rows.Micros(now))
	if err != nil {
		return 0, err
	}
	return dead, s.db.Write(ctx, "prolonging reservations", func(t *rows.Tx) error {
		return t.Exec(ctx, "UPDATE reservations SET expire = ?, updated_at = ? WHERE deleted = 0 AND expire <= ?",
			rows.Micros(now.Add(reservationPeriod)), rows.Micros(now), rows.Micros(now))
	})
}

// settleDead settles the dead reservations that a condition is true of.
func (s *Store) settleDead(ctx context.Context, condition string, args ...any) (int, error) {
	const doing = "settling the reservations of operations that are gone"
	found, err := rows.All(ctx, s.db, scanDead, "SELECT DISTINCT operation_id, project_id"+deadReservations+condition, args...)
	if err != nil {
		return 0, rows.Failed(doing, err)
	}
	for _, d := range found {
		err := s.db.Write(ctx, doing, func(t *rows.Tx) error {
			if err := deleteReservations(ctx, t, d.operation); err != nil {
				return err
			}
			// The checkpoint counts by itself from now on.
			return count(ctx, t, d.project)
		})
		if err != nil {
			return 0, err
		}
	}
	return len(found), nil
}

type deadRow struct{ operation, project string }

func scanDead(row *sql.Rows) (deadRow, error) {
	var d deadRow
	err := row.Scan(&d.operation, &d.project)
	return d, err
}

// count makes the usages of a project what its rows say.
func count(ctx context.Context, t *rows.Tx, projectID string) error {
	// All locks first: what is read after them is what the last change left.
	for _, r := range QuotaResources() {
		if _, err := lockUsage(ctx, t, projectID, r); err != nil {
			return err
		}
	}
	for _, r := range QuotaResources() {
		n, err := rows.One(ctx, t, rows.Int, countUsage[r], projectID)
		if err != nil {
			return err
		}
		reserved, err := rows.One(ctx, t, rows.Int, `SELECT COALESCE(SUM(delta), 0) FROM reservations
			WHERE project_id = ? AND resource = ? AND deleted = 0`, projectID, string(r))
		if err != nil {
			return err
		}
		err = t.Exec(ctx, "UPDATE quota_usages SET in_use = ?, reserved = ?, updated_at = ? WHERE project_id = ? AND resource = ?",
			n, reserved, rows.Micros(t.Now()), projectID, string(r))
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
		return nil, rows.Failed("comparing what projects use with what they have", err)
	}
	for _, p := range wrong {
		err := s.db.Write(ctx, "counting what the project "+p+" has", func(t *rows.Tx) error { return count(ctx, t, p) })
		if err != nil {
			return nil, err
		}
	}
	return wrong, nil
}

// wrongUsages gives the projects whose usages are not what their rows say, or seem
// so: what changes while this reads may be among them.
func (s *Store) wrongUsages(ctx context.Context) ([]string, error) {
	kept, err := rows.All(ctx, s.db, scanUsage, selectUsages)
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
		found, err := rows.All(ctx, s.db, scanReservation, c.query)
		if err != nil {
			return nil, err
		}
		for _, r := range found {
			counted[usageKey{r.project, c.resource}] = Usage{InUse: r.delta}
		}
	}
	reserved, err := rows.All(ctx, s.db, scanReservation, `SELECT project_id, resource, SUM(delta) FROM reservations
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

// ReleaseCheckpoint gives back what an operation has set aside for one of its checkpoints. The
// usages must be locked.
func ReleaseCheckpoint(ctx context.Context, t *rows.Tx, operationID, checkpointID string) error {
	found, err := rows.All(ctx, t, scanReservation, `SELECT project_id, resource, delta FROM reservations
		WHERE operation_id = ? AND checkpoint_id = ? AND deleted = 0`, operationID, checkpointID)
	if err != nil {
		return err
	}
	for _, r := range found {
		if err := Change(ctx, t, r.project, r.resource, Usage{Reserved: -r.delta}); err != nil {
			return err
		}
	}
	return t.Exec(ctx, "DELETE FROM reservations WHERE operation_id = ? AND checkpoint_id = ?", operationID, checkpointID)
}

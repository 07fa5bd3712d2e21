package journal

import (
	"context"
	"database/sql"
	"time"

	"github.com/karbor/karbor/internal/store/rows"
	"github.com/karbor/karbor/internal/workflow/local"
)

type lease struct {
	token   int64
	owner   string
	expires time.Time
}

func scanLease(row *sql.Rows) (lease, error) {
	var l lease
	err := row.Scan(&l.token, &l.owner, rows.Time(&l.expires))
	return l, err
}

// Acquire implements local.Journal.
func (j journal) Acquire(ctx context.Context, owner string, lasting time.Duration) (int64, time.Duration, error) {
	const doing = "taking the journal's lease"
	now, err := j.s.db.Moment(ctx)
	if err != nil {
		return 0, 0, rows.Failed(doing, err)
	}
	var held lease
	err = j.s.db.Write(ctx, doing, func(t *rows.Tx) error {
		var err error
		held, err = rows.One(ctx, t, scanLease, "SELECT token, owner, expires_at FROM journal_lease WHERE id = 1"+rows.ForUpdate)
		if err != nil {
			return err
		}
		if held.owner != "" && held.owner != owner && held.expires.After(now) {
			return local.ErrHeld
		}
		held = lease{token: held.token + 1, expires: now.Add(lasting)}
		err = t.Exec(ctx, "UPDATE journal_lease SET token = ?, owner = ?, expires_at = ? WHERE id = 1",
			held.token, owner, rows.Micros(held.expires))
		return err
	})
	if err != nil {
		return 0, max(0, held.expires.Sub(now)), err
	}
	return held.token, lasting, nil
}

// Renew implements local.Journal.
func (j journal) Renew(ctx context.Context, token int64, lasting time.Duration) error {
	const doing = "renewing the journal's lease"
	now, err := j.s.db.Moment(ctx)
	if err != nil {
		return rows.Failed(doing, err)
	}
	return j.s.db.Write(ctx, doing, func(t *rows.Tx) error {
		if err := Fence(ctx, t, token); err != nil {
			return err
		}
		err := t.Exec(ctx, "UPDATE journal_lease SET expires_at = ? WHERE id = 1", rows.Micros(now.Add(lasting)))
		return err
	})
}

// Release implements local.Journal.
func (j journal) Release(ctx context.Context, token int64) error {
	return j.s.db.Write(ctx, "giving the journal's lease back", func(t *rows.Tx) error {
		err := t.Exec(ctx, "UPDATE journal_lease SET owner = '', expires_at = 0 WHERE id = 1 AND token = ?", token)
		return err
	})
}

// Package services keeps the list of the programs that report here.
package services

import (
	"context"
	"database/sql"
	"strconv"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store/rows"
)

// Store keeps services in the tables of a database. Its methods may be called
// concurrently, and each is one transaction.
type Store struct {
	db *rows.DB
	// program is the version of this program.
	program string
}

// New gives the services of a database. program is the version of this program.
func New(db *rows.DB, program string) Store { return Store{db: db, program: program} }

const columns = "id, host, binary_name, disabled, disabled_reason, report_count, created_at, updated_at, version"

// Filter narrows a list of services down. Empty members ask for nothing.
type Filter struct {
	Host, Binary string
}

// ReportService notes that a service runs on a host, and adds it to the list if it
// is not there. It gives the service as it is now.
func (s *Store) ReportService(ctx context.Context, host, binary string) (karbor.Service, error) {
	var v karbor.Service
	err := s.db.Write(ctx, "reporting that "+binary+" runs", func(t *rows.Tx) error {
		now := s.db.Now().UTC().Truncate(time.Microsecond)
		const where = " WHERE host = ? AND binary_name = ?"
		n, err := t.Changed(ctx, "UPDATE services SET report_count = report_count + 1, updated_at = ?, version = ?, deleted_at = NULL, deleted = 0"+where,
			rows.Micros(now), s.program, host, binary)
		if err != nil {
			return err
		}
		if n == 0 {
			if err := insert(ctx, t, host, binary, s.program, now); err != nil {
				return err
			}
		}
		v, err = rows.One(ctx, t, scan, "SELECT "+columns+" FROM services"+where, host, binary)
		return err
	})
	return v, err
}

// insert gives a new service the smallest number that no other has had.
func insert(ctx context.Context, t *rows.Tx, host, binary, version string, now time.Time) error {
	last, err := rows.One(ctx, t, rows.Int, "SELECT COALESCE(MAX(id), 0) FROM services")
	if err != nil {
		return err
	}
	made, err := t.Insert(ctx, `INSERT INTO services (id, host, binary_name, topic, report_count, disabled, disabled_reason,
		modified_at, rpc_current_version, rpc_available_version, version, created_at, updated_at, deleted)
		VALUES (?, ?, ?, '', 1, 0, '', ?, '', '', ?, ?, ?, 0)`, last+1, host, binary, rows.Micros(now), version, rows.Micros(now), rows.Micros(now))
	if err == nil && !made {
		return karbor.Transientf("another service of the list was added at the same moment")
	}
	return err
}

// Services lists the services, in the order of their numbers: at most MaxLimit.
func (s *Store) Services(ctx context.Context, f Filter) ([]karbor.Service, error) {
	var filter rows.Conditions
	filter.Add("deleted = 0")
	filter.Equal("host", f.Host)
	filter.Equal("binary_name", f.Binary)
	found, err := rows.All(ctx, s.db, scan, "SELECT "+columns+" FROM services WHERE "+filter.String()+" ORDER BY id LIMIT ?",
		append(filter.Args, rows.MaxLimit)...)
	return found, rows.Failed("listing services", err)
}

// UpdateService changes whether a service is disabled, and why: change gets it as
// it is. An error of change is returned, and changes nothing. The rest of the
// service stays as it is. change may be called more than once.
func (s *Store) UpdateService(ctx context.Context, id int64, change func(*karbor.Service) error) (karbor.Service, error) {
	var v karbor.Service
	text := strconv.FormatInt(id, 10)
	err := s.db.Write(ctx, "changing the service "+text, func(t *rows.Tx) error {
		old, err := rows.One(ctx, t, scan, "SELECT "+columns+" FROM services WHERE id = ? AND deleted = 0"+rows.ForUpdate, id)
		if err != nil {
			return rows.Missing(err, "service", text)
		}
		v = old
		if err := change(&v); err != nil {
			return err
		}
		old.Disabled, old.DisabledReason = v.Disabled, v.DisabledReason
		v = old
		return t.Exec(ctx, "UPDATE services SET disabled = ?, disabled_reason = ?, modified_at = ? WHERE id = ?",
			rows.Truth(v.Disabled), v.DisabledReason, rows.Micros(s.db.Now()), id)
	})
	if err != nil {
		return karbor.Service{}, err
	}
	return v, nil
}

func scan(row *sql.Rows) (karbor.Service, error) {
	var v karbor.Service
	var disabled int64
	err := row.Scan(&v.ID, &v.Host, &v.Binary, &disabled, &v.DisabledReason, &v.ReportCount,
		rows.Time(&v.CreatedAt), rows.Time(&v.UpdatedAt), &v.Version)
	v.Disabled = disabled != 0
	return v, err
}

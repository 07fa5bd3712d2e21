package store

import (
	"context"
	"database/sql"
	"strconv"
	"time"

	"github.com/karbor/karbor"
)

const serviceColumns = "id, host, binary_name, disabled, disabled_reason, report_count, created_at, updated_at, version"

// ServiceFilter narrows a list of services down. Empty members ask for nothing.
type ServiceFilter struct {
	Host, Binary string
}

// ReportService notes that a service runs on a host, and adds it to the list if it
// is not there. It gives the service as it is now.
func (s *Store) ReportService(ctx context.Context, host, binary string) (karbor.Service, error) {
	var v karbor.Service
	err := s.write(ctx, "reporting that "+binary+" runs", func(t *transaction) error {
		now := s.now().UTC().Truncate(time.Microsecond)
		const where = " WHERE host = ? AND binary_name = ?"
		n, err := t.changed(ctx, "UPDATE services SET report_count = report_count + 1, updated_at = ?, version = ?, deleted_at = NULL, deleted = 0"+where,
			micros(now), s.program, host, binary)
		if err != nil {
			return err
		}
		if n == 0 {
			if err := insertService(ctx, t, host, binary, s.program, now); err != nil {
				return err
			}
		}
		v, err = one(ctx, t, scanService, "SELECT "+serviceColumns+" FROM services"+where, host, binary)
		return err
	})
	return v, err
}

// insertService gives a new service the smallest number that no other has had.
func insertService(ctx context.Context, t *transaction, host, binary, version string, now time.Time) error {
	last, err := one(ctx, t, scanInt, "SELECT COALESCE(MAX(id), 0) FROM services")
	if err != nil {
		return err
	}
	made, err := t.insert(ctx, `INSERT INTO services (id, host, binary_name, topic, report_count, disabled, disabled_reason,
		modified_at, rpc_current_version, rpc_available_version, version, created_at, updated_at, deleted)
		VALUES (?, ?, ?, '', 1, 0, '', ?, '', '', ?, ?, ?, 0)`, last+1, host, binary, micros(now), version, micros(now), micros(now))
	if err == nil && !made {
		return karbor.Transientf("another service of the list was added at the same moment")
	}
	return err
}

// Services lists the services, in the order of their numbers: at most MaxLimit.
func (s *Store) Services(ctx context.Context, f ServiceFilter) ([]karbor.Service, error) {
	var filter conditions
	filter.add("deleted = 0")
	filter.equal("host", f.Host)
	filter.equal("binary_name", f.Binary)
	found, err := all(ctx, s.reader, scanService, "SELECT "+serviceColumns+" FROM services WHERE "+filter.String()+" ORDER BY id LIMIT ?",
		append(filter.args, MaxLimit)...)
	return found, failed("listing services", err)
}

// UpdateService changes whether a service is disabled, and why: change gets it as
// it is. An error of change is returned, and changes nothing. The rest of the
// service stays as it is. change may be called more than once.
func (s *Store) UpdateService(ctx context.Context, id int64, change func(*karbor.Service) error) (karbor.Service, error) {
	var v karbor.Service
	text := strconv.FormatInt(id, 10)
	err := s.write(ctx, "changing the service "+text, func(t *transaction) error {
		old, err := one(ctx, t, scanService, "SELECT "+serviceColumns+" FROM services WHERE id = ? AND deleted = 0"+forUpdate, id)
		if err != nil {
			return missing(err, "service", text)
		}
		v = old
		if err := change(&v); err != nil {
			return err
		}
		old.Disabled, old.DisabledReason = v.Disabled, v.DisabledReason
		v = old
		return t.exec(ctx, "UPDATE services SET disabled = ?, disabled_reason = ?, modified_at = ? WHERE id = ?",
			truth(v.Disabled), v.DisabledReason, micros(s.now()), id)
	})
	if err != nil {
		return karbor.Service{}, err
	}
	return v, nil
}

func scanService(rows *sql.Rows) (karbor.Service, error) {
	var v karbor.Service
	var disabled int64
	err := rows.Scan(&v.ID, &v.Host, &v.Binary, &disabled, &v.DisabledReason, &v.ReportCount,
		timeColumn{&v.CreatedAt}, timeColumn{&v.UpdatedAt}, &v.Version)
	v.Disabled = disabled != 0
	return v, err
}

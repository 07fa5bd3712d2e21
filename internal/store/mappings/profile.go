// Package mappings keeps mapping profiles: what a restore puts in the place of what.
package mappings

import (
	"context"
	"database/sql"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store/ledger"
	"github.com/karbor/karbor/internal/store/rows"
)

// Store keeps mapping profiles in the tables of a database. Its methods may be called
// concurrently, and each is one transaction.
type Store struct{ db *rows.DB }

// New gives the mapping profiles of a database.
func New(db *rows.DB) Store { return Store{db: db} }

var listing = rows.Listing{
	What:    "mapping profile",
	Table:   "mapping_profiles",
	Columns: "id, project_id, name, description, mapping, created_at, updated_at",
	Keys:    map[string]string{"id": "id", "name": "name", "created_at": "created_at"},
}

// Filter narrows a list of mapping profiles down. Empty members ask for
// nothing.
type Filter struct {
	// ProjectID is the project; "" stands for all of them.
	ProjectID string
	// Name is the whole name.
	Name string
}

// CreateMappingProfile keeps a new mapping profile. A name that the project has already is
// karbor.Conflict; one more than limit, where that is not negative, is karbor.OverLimit.
func (s *Store) CreateMappingProfile(ctx context.Context, p karbor.MappingProfile, limit int) error {
	rows.FillIn(s.db.Now, &p.CreatedAt, &p.UpdatedAt)
	return s.db.Write(ctx, "creating the mapping profile "+p.ID, func(t *rows.Tx) error {
		// Those that are made at once take turns.
		if err := ledger.Hold(ctx, t, p.ProjectID, ledger.QuotaPlans); err != nil {
			return err
		}
		there, err := rows.One(ctx, t, rows.Int, "SELECT COUNT(*) FROM mapping_profiles WHERE project_id = ?", p.ProjectID)
		if err != nil {
			return err
		}
		if limit >= 0 && there >= int64(limit) {
			return karbor.Errorf(karbor.OverLimit, "the project has %d mapping profiles already, and may have no more", there)
		}
		err = t.Exec(ctx, `INSERT INTO mapping_profiles (id, project_id, name, description, mapping, created_at, updated_at)
			VALUES (?, ?, ?, ?, ?, ?, ?)`, p.ID, p.ProjectID, p.Name, p.Description, rows.Document(p.Mapping), rows.Micros(p.CreatedAt), rows.Micros(p.UpdatedAt))
		if rows.IsDuplicate(err) {
			return karbor.Errorf(karbor.Conflict, "the project has a mapping profile %q already", p.Name)
		}
		return err
	})
}

// MappingProfile gives a mapping profile of a project, or of any if projectID is "".
func (s *Store) MappingProfile(ctx context.Context, projectID, id string) (karbor.MappingProfile, error) {
	p, err := rows.One(ctx, s.db, scan, "SELECT "+listing.Columns+
		" FROM mapping_profiles WHERE id = ? AND (project_id = ? OR ? = '')", id, projectID, projectID)
	if err != nil {
		return karbor.MappingProfile{}, rows.Missing(err, "mapping profile", id)
	}
	return p, nil
}

// MappingProfiles lists mapping profiles. The error is karbor.Invalid for an unknown sort
// key or marker.
func (s *Store) MappingProfiles(ctx context.Context, f Filter, p rows.Page) ([]karbor.MappingProfile, error) {
	var scope, filter rows.Conditions
	scope.Equal("project_id", f.ProjectID)
	filter.Equal("name", f.Name)
	return rows.List(ctx, s.db, listing, scope, filter, p, scan)
}

// DeleteMappingProfile removes a mapping profile. Restores that used it keep what it said.
func (s *Store) DeleteMappingProfile(ctx context.Context, projectID, id string) error {
	return s.db.Write(ctx, "deleting the mapping profile "+id, func(t *rows.Tx) error {
		_, err := rows.One(ctx, t, scan, "SELECT "+listing.Columns+
			" FROM mapping_profiles WHERE id = ? AND (project_id = ? OR ? = '')"+rows.ForUpdate, id, projectID, projectID)
		if err != nil {
			return rows.Missing(err, "mapping profile", id)
		}
		return t.Exec(ctx, "DELETE FROM mapping_profiles WHERE id = ?", id)
	})
}

func scan(row *sql.Rows) (karbor.MappingProfile, error) {
	var p karbor.MappingProfile
	err := row.Scan(&p.ID, &p.ProjectID, &p.Name, &p.Description, rows.Document(&p.Mapping), rows.Time(&p.CreatedAt), rows.Time(&p.UpdatedAt))
	return p, err
}

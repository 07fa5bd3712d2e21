package store

import (
	"context"
	"database/sql"

	"github.com/karbor/karbor"
)

var mappingProfiles = listing{
	what:    "mapping profile",
	table:   "mapping_profiles",
	columns: "id, project_id, name, description, mapping, created_at, updated_at",
	keys:    map[string]string{"id": "id", "name": "name", "created_at": "created_at"},
}

// MappingProfileFilter narrows a list of mapping profiles down. Empty members ask for
// nothing.
type MappingProfileFilter struct {
	// ProjectID is the project; "" stands for all of them.
	ProjectID string
	// Name is the whole name.
	Name string
}

// CreateMappingProfile keeps a new mapping profile. A name that the project has already is
// karbor.Conflict; one more than limit, where that is not negative, is karbor.OverLimit.
func (s *Store) CreateMappingProfile(ctx context.Context, p karbor.MappingProfile, limit int) error {
	s.fillIn(&p.CreatedAt, &p.UpdatedAt)
	return s.write(ctx, "creating the mapping profile "+p.ID, func(t *transaction) error {
		// Those that are made at once take turns.
		if _, err := s.lockUsage(ctx, t, p.ProjectID, QuotaPlans); err != nil {
			return err
		}
		there, err := one(ctx, t, scanInt, "SELECT COUNT(*) FROM mapping_profiles WHERE project_id = ?", p.ProjectID)
		if err != nil {
			return err
		}
		if limit >= 0 && there >= int64(limit) {
			return karbor.Errorf(karbor.OverLimit, "the project has %d mapping profiles already, and may have no more", there)
		}
		err = t.exec(ctx, `INSERT INTO mapping_profiles (id, project_id, name, description, mapping, created_at, updated_at)
			VALUES (?, ?, ?, ?, ?, ?, ?)`, p.ID, p.ProjectID, p.Name, p.Description, document{p.Mapping}, micros(p.CreatedAt), micros(p.UpdatedAt))
		if isDuplicate(err) {
			return karbor.Errorf(karbor.Conflict, "the project has a mapping profile %q already", p.Name)
		}
		return err
	})
}

// MappingProfile gives a mapping profile of a project, or of any if projectID is "".
func (s *Store) MappingProfile(ctx context.Context, projectID, id string) (karbor.MappingProfile, error) {
	p, err := one(ctx, s.reader, scanMappingProfile, "SELECT "+mappingProfiles.columns+
		" FROM mapping_profiles WHERE id = ? AND (project_id = ? OR ? = '')", id, projectID, projectID)
	if err != nil {
		return karbor.MappingProfile{}, missing(err, "mapping profile", id)
	}
	return p, nil
}

// MappingProfiles lists mapping profiles. The error is karbor.Invalid for an unknown sort
// key or marker.
func (s *Store) MappingProfiles(ctx context.Context, f MappingProfileFilter, p Page) ([]karbor.MappingProfile, error) {
	var scope, filter conditions
	scope.equal("project_id", f.ProjectID)
	filter.equal("name", f.Name)
	return list(ctx, s, mappingProfiles, scope, filter, p, scanMappingProfile)
}

// DeleteMappingProfile removes a mapping profile. Restores that used it keep what it said.
func (s *Store) DeleteMappingProfile(ctx context.Context, projectID, id string) error {
	return s.write(ctx, "deleting the mapping profile "+id, func(t *transaction) error {
		_, err := one(ctx, t, scanMappingProfile, "SELECT "+mappingProfiles.columns+
			" FROM mapping_profiles WHERE id = ? AND (project_id = ? OR ? = '')"+forUpdate, id, projectID, projectID)
		if err != nil {
			return missing(err, "mapping profile", id)
		}
		return t.exec(ctx, "DELETE FROM mapping_profiles WHERE id = ?", id)
	})
}

func scanMappingProfile(rows *sql.Rows) (karbor.MappingProfile, error) {
	var p karbor.MappingProfile
	err := rows.Scan(&p.ID, &p.ProjectID, &p.Name, &p.Description, document{&p.Mapping}, timeColumn{&p.CreatedAt}, timeColumn{&p.UpdatedAt})
	return p, err
}

// Package credentials keeps what users have let Karbor act with, and what of it is still to
// be taken back: application credentials, trusts in the making, and revocations.
package credentials

import (
	"context"
	"database/sql"
	"encoding/base64"
	"time"

	"github.com/karbor/karbor/internal/store/rows"
)

// Store keeps credentials in the tables of a database. Its methods may be called
// concurrently, and each is one transaction.
type Store struct{ db *rows.DB }

// New gives the credentials of a database.
func New(db *rows.DB) Store { return Store{db: db} }

// ApplicationCredential is one that a user has registered for a project.
type ApplicationCredential struct {
	ProjectID, UserID string
	// ID is the credential's own id in Keystone.
	ID string
	// Sealed holds its secret, sealed by the protection service.
	Sealed    []byte
	CreatedAt time.Time
}

var putCredential = "INSERT INTO application_credentials (project_id, user_id, id, sealed, created_at) VALUES (?, ?, ?, ?, ?)" +
	rows.Upsert("project_id, user_id", "id", "sealed", "created_at")

// PutApplicationCredential keeps a user's credential, in place of an earlier one.
func (s *Store) PutApplicationCredential(ctx context.Context, c ApplicationCredential) error {
	return s.db.Write(ctx, "registering an application credential", func(t *rows.Tx) error {
		err := t.Exec(ctx, putCredential, c.ProjectID, c.UserID, c.ID,
			base64.StdEncoding.EncodeToString(c.Sealed), rows.Micros(c.CreatedAt))
		return err
	})
}

// ApplicationCredential gives a user's credential for a project; karbor.NotFound if
// there is none.
func (s *Store) ApplicationCredential(ctx context.Context, projectID, userID string) (ApplicationCredential, error) {
	c, err := rows.One(ctx, s.db, scanCredential, `SELECT project_id, user_id, id, sealed, created_at
		FROM application_credentials WHERE project_id = ? AND user_id = ?`, projectID, userID)
	if err != nil {
		return ApplicationCredential{}, rows.Missing(err, "application credential of user", userID)
	}
	return c, nil
}

// DeleteApplicationCredential removes a user's credential. None is no error.
func (s *Store) DeleteApplicationCredential(ctx context.Context, projectID, userID string) error {
	return s.db.Write(ctx, "removing an application credential", func(t *rows.Tx) error {
		err := t.Exec(ctx, "DELETE FROM application_credentials WHERE project_id = ? AND user_id = ?", projectID, userID)
		return err
	})
}

func scanCredential(row *sql.Rows) (ApplicationCredential, error) {
	var c ApplicationCredential
	var sealed string
	if err := row.Scan(&c.ProjectID, &c.UserID, &c.ID, &sealed, rows.Time(&c.CreatedAt)); err != nil {
		return c, err
	}
	var err error
	c.Sealed, err = base64.StdEncoding.DecodeString(sealed)
	return c, err
}

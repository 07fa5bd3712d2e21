package store

import (
	"context"
	"database/sql"
	"encoding/base64"
	"time"
)

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
	upsert("project_id, user_id", "id", "sealed", "created_at")

// PutApplicationCredential keeps a user's credential, in place of an earlier one.
func (s *Store) PutApplicationCredential(ctx context.Context, c ApplicationCredential) error {
	return s.write(ctx, "registering an application credential", func(t *transaction) error {
		err := t.exec(ctx, putCredential, c.ProjectID, c.UserID, c.ID,
			base64.StdEncoding.EncodeToString(c.Sealed), micros(c.CreatedAt))
		return err
	})
}

// ApplicationCredential gives a user's credential for a project; karbor.NotFound if
// there is none.
func (s *Store) ApplicationCredential(ctx context.Context, projectID, userID string) (ApplicationCredential, error) {
	c, err := one(ctx, s.reader, scanCredential, `SELECT project_id, user_id, id, sealed, created_at
		FROM application_credentials WHERE project_id = ? AND user_id = ?`, projectID, userID)
	if err != nil {
		return ApplicationCredential{}, missing(err, "application credential of user", userID)
	}
	return c, nil
}

// DeleteApplicationCredential removes a user's credential. None is no error.
func (s *Store) DeleteApplicationCredential(ctx context.Context, projectID, userID string) error {
	return s.write(ctx, "removing an application credential", func(t *transaction) error {
		err := t.exec(ctx, "DELETE FROM application_credentials WHERE project_id = ? AND user_id = ?", projectID, userID)
		return err
	})
}

func scanCredential(rows *sql.Rows) (ApplicationCredential, error) {
	var c ApplicationCredential
	var sealed string
	if err := rows.Scan(&c.ProjectID, &c.UserID, &c.ID, &sealed, timeColumn{&c.CreatedAt}); err != nil {
		return c, err
	}
	var err error
	c.Sealed, err = base64.StdEncoding.DecodeString(sealed)
	return c, err
}

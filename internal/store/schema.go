package store

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"

	"github.com/karbor/karbor/internal/store/database"
)

//go:embed migrations/*.sql
var migrations embed.FS

// migrationFiles gives the migrations by the names of their files.
func migrationFiles() (fs.FS, error) {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, fmt.Errorf("reading the migrations: %w", err)
	}
	return files, nil
}

// ErrOlder says that a database server's schema must be brought up to date first.
var ErrOlder = errors.New("the database's schema is older than this program: run `karbord db upgrade`, " +
	"or set database.auto_upgrade")

// ready makes sure that the schema is the one of this program.
func ready(ctx context.Context, db *database.DB, upgrade bool, logger *slog.Logger) error {
	files, err := migrationFiles()
	if err != nil {
		return err
	}
	have, err := db.Schema(ctx, files)
	switch {
	case err != nil:
		return err
	case have.Newer():
		return fmt.Errorf("opening the %s: %w: it has version %d, and this program knows %d",
			db, database.ErrNewer, have.Version, have.Wanted)
	case len(have.Pending) == 0:
		return nil
	case db.Server() && !upgrade:
		return fmt.Errorf("opening the %s: %w (it has version %d, and this program needs %d)",
			db, ErrOlder, have.Version, have.Wanted)
	}
	if err := db.Migrate(ctx, files, 0); err != nil {
		return err
	}
	logger.LogAttrs(ctx, slog.LevelInfo, "the database's schema was migrated",
		slog.Int64("from", have.Version), slog.Int64("to", have.Wanted), slog.Int("migrations", len(have.Pending)))
	return nil
}

// Schema compares the database with this program.
func (s *Store) Schema(ctx context.Context) (database.Schema, error) {
	files, err := migrationFiles()
	if err != nil {
		return database.Schema{}, err
	}
	return s.database.Schema(ctx, files)
}

// SchemaOf compares a database with this program. It changes nothing, and makes
// no file.
func SchemaOf(ctx context.Context, location string, server Server) (database.Schema, error) {
	db, err := database.Open(location, database.Options{Server: server})
	if err != nil {
		return database.Schema{}, err
	}
	files, err := migrationFiles()
	if err != nil {
		return database.Schema{}, errors.Join(err, db.Close())
	}
	s, err := db.Schema(ctx, files)
	return s, errors.Join(err, db.Close())
}

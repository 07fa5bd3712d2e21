package storetest

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/karbor/karbor/internal/store"
)

// NewFile makes an empty database at a path, with the schema of this program, and
// leaves alone one that is there. The migrations run once in a test binary, and
// their outcome is copied: they cost a hundred times what most tests do.
func NewFile(t testing.TB, path string) {
	t.Helper()
	if err := writeNew(path); err != nil {
		t.Fatalf("making the database %s: %v", path, err)
	}
}

// writeNew is NewFile, with its error.
func writeNew(path string) error {
	empty, err := emptyFile()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = f.Write(empty)
	return errors.Join(err, f.Close())
}

// emptyFile gives the bytes of an empty database.
var emptyFile = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "karbor-schema-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	path := filepath.Join(dir, "karbor.db")
	s, err := store.Open(context.Background(), path, store.Options{Now: time.Now})
	if err != nil {
		return nil, err
	}
	if err := s.Close(); err != nil {
		return nil, err
	}
	// What SQLite keeps beside a file is in the file once the last one closes it.
	return os.ReadFile(path)
})

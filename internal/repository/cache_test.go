package repository_test

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank/banktest"
	"github.com/karbor/karbor/internal/repository"
)

// damaged opens the domains of a bank that has the data in checkpoint 1, and damages their
// cache meanwhile.
func damaged(t *testing.T, m *banktest.Memory, data []byte) *repository.Domains {
	t.Helper()
	source, cache := keys(), t.TempDir()
	first := domains(t, repository.Options{Bank: m, Keys: source, Cache: cache})
	store(t, node(t, m, first, "1"), "volume", data)
	if err := first.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	d := domains(t, repository.Options{Bank: m, Keys: source, Cache: cache})
	u, err := d.Use(t.Context(), project)
	if err != nil {
		t.Fatal(err)
	}
	u.Done()
	runs := 0
	err = filepath.WalkDir(cache, func(path string, e os.DirEntry, err error) error {
		if err != nil || !strings.HasPrefix(e.Name(), "run-") {
			return err
		}
		runs++
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for i := range text {
			text[i] ^= 1
		}
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		_, err = f.WriteAt(text, 0)
		if closeErr := f.Close(); err == nil {
			err = closeErr
		}
		return err
	})
	if err != nil || runs == 0 {
		t.Fatalf("%d files were damaged, %v", runs, err)
	}
	return d
}

func TestReadingGoesOnWhenTheOpenCacheIsDamaged(t *testing.T) {
	m, data := banktest.NewMemory(), random(3<<20, 1)
	d := damaged(t, m, data)
	expect(t, node(t, m, d, "1"), "volume", data)
	if s := store(t, node(t, m, d, "2"), "volume", data); s.New != 0 {
		t.Errorf("%d bytes are stored again", s.New)
	}
}

func TestWritingIsTriedAgainWhenTheOpenCacheIsDamaged(t *testing.T) {
	m, data := banktest.NewMemory(), random(3<<20, 1)
	d := damaged(t, m, data)
	w, err := node(t, m, d, "2").Create(t.Context(), "volume")
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.Copy(w, bytes.NewReader(data))
	if err == nil {
		_, err = w.Commit(t.Context())
	}
	if !karbor.IsTransient(err) {
		t.Fatalf("got %v, want an error that passes", err)
	}
	if err := w.Abort(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s := store(t, node(t, m, d, "2"), "volume", data); s.New != 0 {
		t.Errorf("%d bytes are stored again", s.New)
	}
}

package repository

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/bank/banktest"
	"github.com/karbor/karbor/internal/repository/index"
	"github.com/karbor/karbor/internal/repository/keyring"
)

// opened gives domains, which are closed at the end.
func opened(t *testing.T, o Options) *Domains {
	t.Helper()
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Keys == nil {
		o.Keys = []*keyring.Source{keyring.Key(keyring.NewKey())}
	}
	d, err := NewDomains(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return d
}

func TestCacheFolderThatCannotBeUsedKeepsNobodyFromTheData(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	m := banktest.NewMemory()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	d := opened(t, Options{Bank: m, Cache: file})
	writeOnce(t, d, "project", "first")
	u, err := d.Use(t.Context(), "project")
	if err != nil {
		t.Fatal(err)
	}
	u.Done()
}

func TestDomainThatNoIndexCanBeMadeForMayBeOpenedLater(t *testing.T) {
	m, missing := banktest.NewMemory(), filepath.Join(t.TempDir(), "none")
	t.Setenv("TMPDIR", missing)
	d := opened(t, Options{Bank: m})
	_, err := d.use(t.Context(), "project", true)
	if _, is := errors.AsType[*index.FolderError](err); !is || !karbor.IsTransient(err) || !errors.Is(err, fs.ErrNotExist) ||
		strings.Contains(karbor.Sentence(err), missing) {
		t.Errorf("got %v", err)
	}
}

func TestTemporaryCachesGoWithTheirDomains(t *testing.T) {
	temporary := t.TempDir()
	t.Setenv("TMPDIR", temporary)
	m := banktest.NewMemory()
	d := opened(t, Options{Bank: m})
	caches := func() []string {
		found, err := filepath.Glob(filepath.Join(temporary, "karbor-index-*", "project-*"))
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	for range 3 {
		u, err := d.use(t.Context(), "project", true)
		if err != nil {
			t.Fatal(err)
		}
		u.Done()
		if found := caches(); len(found) != 1 {
			t.Errorf("%q are there, want that of the open domain", found)
		}
		d.mu.Lock()
		u.domain.used = time.Time{} // long ago
		d.mu.Unlock()
		d.closeIdle()
		if found := caches(); len(found) != 0 {
			t.Errorf("%q are left", found)
		}
	}
}

func TestTemporaryCachesOfDeadProcessesAreRemoved(t *testing.T) {
	temporary := t.TempDir()
	t.Setenv("TMPDIR", temporary)
	old := time.Now().Add(-time.Hour)
	folder := func(name string) string {
		path := filepath.Join(temporary, name)
		if err := errors.Join(os.MkdirAll(filepath.Join(path, "project-1"), 0o700), os.WriteFile(filepath.Join(path, index.LockName), nil, 0o600)); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(filepath.Join(path, index.LockName), old, old); err != nil {
			t.Fatal(err)
		}
		return path
	}
	dead, other := folder("karbor-index-1"), folder("another-1")
	var c cacheFolder
	living, err := c.temporaryFolder()
	if err == nil {
		err = os.Chtimes(filepath.Join(living, index.LockName), old, old)
	}
	if err != nil {
		t.Fatal(err)
	}
	var second cacheFolder
	if err := second.sweep(time.Now()); err != nil {
		t.Error(err)
	}
	for path, stays := range map[string]bool{dead: false, other: true, living: true} {
		if _, err := os.Stat(path); (err == nil) != stays {
			t.Errorf("%s: %v", path, err)
		}
	}
	if err := c.remove(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(living); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s is left: %v", living, err)
	}
}

func TestStreamOfAClosedDomainCanBeWrittenAgain(t *testing.T) {
	m := banktest.NewMemory()
	d := opened(t, Options{Bank: m, Cache: t.TempDir()})
	key := "v1/checkpoints/project/1/manifest"
	w, err := d.writer(t.Context(), "project", "volume", key)
	if err != nil {
		t.Fatal(err)
	}
	rival, err := d.writer(t.Context(), "project", "volume", key)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("text")); err != nil {
		t.Fatal(err)
	}
	if err := w.use.domain.session.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Commit(t.Context()); !karbor.IsTransient(err) || karbor.KindOf(err) == karbor.Conflict {
		t.Errorf("the session was closed: %v", err)
	}
	// Only who finds a manifest there is told of another writer.
	if err := m.Put(t.Context(), key, strings.NewReader("{}"), 2); err != nil {
		t.Fatal(err)
	}
	if _, err := rival.Commit(t.Context()); karbor.KindOf(err) != karbor.Conflict {
		t.Errorf("there is a manifest: %v", err)
	}
}

// stuck is a bank whose reads end only with their context.
type stuck struct{ bank.Bank }

func (s stuck) List(ctx context.Context, _, _ string, _ int) ([]bank.Info, error) {
	<-ctx.Done()
	return nil, context.Cause(ctx)
}

func TestWhoWaitsForAStuckBankMayGiveUp(t *testing.T) {
	m, source := banktest.NewMemory(), []*keyring.Source{keyring.Key(keyring.NewKey())}
	t.Setenv("TMPDIR", t.TempDir())
	first := opened(t, Options{Bank: m, Keys: source})
	writeOnce(t, first, "project", "first")
	synctest.Test(t, func(t *testing.T) {
		d, err := NewDomains(Options{Bank: stuck{m}, Keys: source, Now: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		var others sync.WaitGroup
		others.Go(func() {
			if _, err := d.Use(context.WithoutCancel(t.Context()), "project"); err == nil {
				t.Error("the bank answered")
			}
		})
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := d.Use(ctx, "project"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("who waits for another's look: %v", err)
		}
		began := time.Now()
		if err := d.Close(t.Context()); err != nil || time.Since(began) > time.Second {
			t.Errorf("closing took %v: %v", time.Since(began), err)
		}
		others.Wait()
	})
}

func TestDomainWhoseCacheCannotBeWrittenIsOpenedAnew(t *testing.T) {
	m := banktest.NewMemory()
	d := opened(t, Options{Bank: m, Cache: t.TempDir()})
	w, err := d.writer(t.Context(), "project", "volume", "v1/checkpoints/project/1/manifest")
	if err != nil {
		t.Fatal(err)
	}
	if err := w.explain(&index.FolderError{Folder: "/cache", Cause: errors.New("no space")}); !karbor.IsTransient(err) {
		t.Errorf("got %v", err)
	}
	if err := w.Abort(t.Context()); err != nil {
		t.Error(err)
	}
	u, err := d.Use(t.Context(), "project")
	if err != nil {
		t.Fatal(err)
	}
	defer u.Done()
	if u.domain == w.use.domain {
		t.Error("the same index is used again")
	}
}

package repository_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/bank/banktest"
	"github.com/karbor/karbor/internal/repository"
	"github.com/karbor/karbor/internal/repository/format"
	"github.com/karbor/karbor/internal/repository/keyring"
	"github.com/karbor/karbor/protection"
)

func random(size int, seed byte) []byte {
	data := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{seed}).Read(data) // never fails
	return data
}

func store(t *testing.T, s *repository.Streams, name string, data []byte) protection.Summary {
	t.Helper()
	w, err := s.Create(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(w, bytes.NewReader(data)); err != nil {
		t.Fatal(err)
	}
	summary, err := w.Commit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return summary
}

func load(t *testing.T, s *repository.Streams, name string) ([]byte, error) {
	t.Helper()
	r, err := s.Open(t.Context(), name)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(r)
	return data, errors.Join(err, r.Close())
}

func expect(t *testing.T, s *repository.Streams, name string, want []byte) {
	t.Helper()
	if got, err := load(t, s, name); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes come back of %d, error %v", len(got), len(want), err)
	}
}

func wantKind(t *testing.T, err error, kind karbor.Kind) {
	t.Helper()
	if err == nil || karbor.KindOf(err) != kind {
		t.Errorf("error %v of kind %v, want kind %v", err, karbor.KindOf(err), kind)
	}
}

// keys gives a key, to open the same domains again with.
func keys() []*keyring.Source { return []*keyring.Source{keyring.Key(keyring.NewKey())} }

func TestSecondCheckpointStoresOnlyWhatChanged(t *testing.T) {
	m := banktest.NewMemory()
	d := domains(t, repository.Options{Bank: m})
	data := random(20<<20, 1)
	first := store(t, node(t, m, d, "1"), "volume", data)
	if first.New != first.Size || first.Stored < first.Size {
		t.Errorf("the first: %+v", first)
	}
	copy(data[7<<20:], "a little that changed")
	second := store(t, node(t, m, d, "2"), "volume", data)
	if second.Size != first.Size || second.New > 512<<10 || second.Stored > first.Stored/20 {
		t.Errorf("the second: %+v", second)
	}
	expect(t, node(t, m, d, "2"), "volume", data)
}

func TestProjectsShareBytesOnlyInASharedDomain(t *testing.T) {
	data := random(1<<20, 1)
	for shared, want := range map[string]int64{"": int64(len(data)), "9c0c3b0e-7d0e-4c5b-8b57-6f0e0a7f7a01": 0} {
		m := banktest.NewMemory()
		d := domains(t, repository.Options{Bank: m, Shared: shared})
		store(t, node(t, m, d, "1"), "volume", data)
		section, err := bank.NewSection(m, "v1/checkpoints/another/2/nodes/volume/1/data")
		if err != nil {
			t.Fatal(err)
		}
		other, err := repository.NewStreams(repository.StreamsOptions{Domains: d, Project: "another", Section: section})
		if err != nil {
			t.Fatal(err)
		}
		if s := store(t, other, "volume", data); s.New != want || d.Shared() != (shared != "") {
			t.Errorf("domain %q: %d bytes are new to the other project, want %d", shared, s.New, want)
		}
		expect(t, other, "volume", data)
	}
}

// dying is a bank that takes no packs after some, as for a process that dies there.
type dying struct {
	bank.Bank
	left atomic.Int64
	dead context.CancelFunc
}

func (d *dying) Create(ctx context.Context, key string, body io.Reader, size int64) error {
	if strings.Contains(key, "/packs/") {
		if d.left.Add(-1) < 0 {
			d.dead()
			return context.Canceled
		}
	}
	return d.Bank.Create(ctx, key, body, size)
}

func TestWriterThatDiedIsResumedByTheNextProcess(t *testing.T) {
	m := banktest.NewMemory()
	source, data := keys(), random(200<<20, 1)
	ctx, kill := context.WithCancel(t.Context())
	defer kill()
	// The first process dies when five packs are stored: two uploaders are at work, and one
	// of the packs may be in no segment.
	b := &dying{Bank: m, dead: kill}
	b.left.Store(5)
	first := domains(t, repository.Options{Bank: b, Keys: source})
	w, err := node(t, b, first, "1").Create(ctx, "volume")
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.Copy(w, bytes.NewReader(data))
	if err == nil {
		_, err = w.Commit(ctx)
	}
	if err == nil {
		t.Fatal("it did not die")
	}
	_ = w.Abort(ctx)
	// The second has another cache, and knows only what is in the bank.
	second := domains(t, repository.Options{Bank: m, Keys: source})
	s := store(t, node(t, m, second, "1"), "volume", data)
	if stored := int64(len(data)) - s.New; stored < 4*format.PackTarget {
		t.Errorf("%d bytes of the first process's were found again, and it had stored 5 packs", stored)
	}
	expect(t, node(t, m, second, "1"), "volume", data)
}

func TestLostOrDamagedCacheIsReadFromTheBankAgain(t *testing.T) {
	m := banktest.NewMemory()
	source, cache, data := keys(), t.TempDir(), random(3<<20, 1)
	open := func() *repository.Domains {
		return domains(t, repository.Options{Bank: m, Keys: source, Cache: cache})
	}
	d := open()
	store(t, node(t, m, d, "1"), "volume", data)
	if err := d.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, damage := range map[string]func(path string) error{
		"removed": os.Remove,
		"cut":     func(path string) error { return os.Truncate(path, 10) },
		"changed": func(path string) error {
			text, err := os.ReadFile(path)
			for i := range text {
				text[i] ^= 1
			}
			return errors.Join(err, os.WriteFile(path, text, 0o600))
		},
	} {
		err := filepath.WalkDir(cache, func(path string, e os.DirEntry, err error) error {
			if err == nil && !e.IsDir() {
				err = damage(path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		d := open()
		expect(t, node(t, m, d, "1"), "volume", data)
		if s := store(t, node(t, m, d, "again-"+name), "volume", data); s.New != 0 {
			t.Errorf("%s: %d bytes are stored again", name, s.New)
		}
		if err := d.Close(t.Context()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCacheThatAnotherProcessHasOpenIsLeftToIt(t *testing.T) {
	m := banktest.NewMemory()
	source, cache, data := keys(), t.TempDir(), random(1<<20, 1)
	a := domains(t, repository.Options{Bank: m, Keys: source, Cache: cache})
	store(t, node(t, m, a, "1"), "volume", data)
	b := domains(t, repository.Options{Bank: m, Keys: source, Cache: cache})
	expect(t, node(t, m, b, "1"), "volume", data)
	// What one writes after the other has read the index, the other finds all the same.
	more := random(1<<20, 2)
	store(t, node(t, m, a, "2"), "volume", more)
	expect(t, node(t, m, b, "2"), "volume", more)
}

func TestWhatWasWrittenInTheClearStaysReadable(t *testing.T) {
	m := banktest.NewMemory()
	data := random(3<<20, 1)
	plain := node(t, m, nil, "1")
	store(t, plain, "volume", data)
	d := domains(t, repository.Options{Bank: m})
	keyed := node(t, m, d, "1")
	expect(t, keyed, "volume", data)
	if err := keyed.Verify(t.Context(), "volume", nil); err != nil {
		t.Error(err)
	}
	_, err := keyed.Create(t.Context(), "volume")
	wantKind(t, err, karbor.Conflict)
	// A writer that was left when the keys came.
	left, err := plain.Create(t.Context(), "left")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := left.Write(random(20<<20, 3)); err != nil {
		t.Fatal(err)
	}
	store(t, keyed, "left", data)
	if err := left.Abort(t.Context()); err != nil {
		t.Fatal(err)
	}
	expect(t, keyed, "left", data)
	for key := range m.Snapshot() {
		if strings.Contains(key, "/left/") && !strings.HasSuffix(key, "/left/manifest") {
			t.Errorf("%s is left", key)
		}
	}
	// Without keys the new one is not readable, and says why.
	_, err = plain.Open(t.Context(), "left")
	wantKind(t, err, karbor.Unavailable)
	if err := plain.Remove(t.Context(), "left"); err != nil {
		t.Error(err)
	}
}

func TestDamagedDataIsNamed(t *testing.T) {
	m := banktest.NewMemory()
	d := domains(t, repository.Options{Bank: m})
	store(t, node(t, m, d, "1"), "volume", random(3<<20, 1))
	for name, damage := range map[string]func(b bank.Bank, key, text string) error{
		"a flipped bit": func(b bank.Bank, key, text string) error {
			changed := []byte(text)
			changed[len(changed)/3] ^= 1
			return b.Put(t.Context(), key, bytes.NewReader(changed), int64(len(changed)))
		},
		"a missing pack": func(b bank.Bank, key, _ string) error { return b.Delete(t.Context(), key) },
	} {
		for key, text := range m.Snapshot() {
			if !strings.Contains(key, "/packs/") {
				continue
			}
			if err := damage(m, key, text); err != nil {
				t.Fatal(err)
			}
			_, err := load(t, node(t, m, d, "1"), "volume")
			wantKind(t, err, karbor.Internal)
			if err == nil || !strings.Contains(karbor.Sentence(err), "the data volume in the bank is damaged: ") {
				t.Errorf("%s: %v", name, err)
			}
			wantKind(t, node(t, m, d, "1").Verify(t.Context(), "volume", nil), karbor.Internal)
			if err := m.Put(t.Context(), key, strings.NewReader(text), int64(len(text))); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := load(t, node(t, m, d, "1"), "volume"); err != nil {
		t.Error(err)
	}
	manifest := "v1/checkpoints/" + project + "/1/nodes/volume/1/data/volume/manifest"
	for _, text := range []string{"", "{", "[]", `{"format":"repository/2"}`, `{"format":"repository/1"}`, strings.Repeat(" ", 100_000)} {
		if err := m.Put(t.Context(), manifest, strings.NewReader(text), int64(len(text))); err != nil {
			t.Fatal(err)
		}
		if _, err := node(t, m, d, "1").Open(t.Context(), "volume"); err == nil || karbor.KindOf(err) == karbor.NotFound {
			t.Errorf("a manifest %.40q: %v", text, err)
		}
	}
}

func TestManifestOfAnotherCheckpointIsRefused(t *testing.T) {
	m := banktest.NewMemory()
	d := domains(t, repository.Options{Bank: m})
	store(t, node(t, m, d, "1"), "volume", random(1<<20, 1))
	text := m.Snapshot()["v1/checkpoints/"+project+"/1/nodes/volume/1/data/volume/manifest"]
	if err := m.Put(t.Context(), "v1/checkpoints/"+project+"/2/nodes/volume/1/data/volume/manifest", strings.NewReader(text), int64(len(text))); err != nil {
		t.Fatal(err)
	}
	_, err := load(t, node(t, m, d, "2"), "volume")
	wantKind(t, err, karbor.Internal)
}

func TestSessionGoesWhenTheDomainsAreClosed(t *testing.T) {
	m := banktest.NewMemory()
	cache := t.TempDir()
	d := domains(t, repository.Options{Bank: m, Cache: cache})
	store(t, node(t, m, d, "1"), "volume", random(1<<20, 1))
	sessions := func() (found []string) {
		for key := range m.Snapshot() {
			if strings.Contains(key, "/sessions/") {
				found = append(found, key)
			}
		}
		return found
	}
	if len(sessions()) == 0 {
		t.Error("it was written without a session")
	}
	if err := d.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if left := sessions(); len(left) > 0 {
		t.Errorf("%q are left", left)
	}
	if _, err := d.Use(t.Context(), project); err == nil {
		t.Error("closed domains are opened")
	}
	if err := d.Close(t.Context()); err != nil {
		t.Errorf("closing again: %v", err)
	}
	if entries, err := os.ReadDir(cache); err != nil || !slices.ContainsFunc(entries, func(e os.DirEntry) bool { return e.Name() == project }) {
		t.Errorf("%v, %v", entries, err)
	}
}

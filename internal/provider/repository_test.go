package provider_test

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/bank/banktest"
	"github.com/karbor/karbor/internal/provider"
	"github.com/karbor/karbor/internal/repository/keyring"
)

const (
	projectID    = "e486a2f49695423ca9c47e589b948108"
	checkpointID = "0a6c1f9e-7b01-4d0c-8a86-9f1a5d2f9c3a"
)

func keyFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "bank.key")
	if err := keyring.WriteKeyFile(path); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFaultsOfARepositoryNameTheirLine(t *testing.T) {
	memory := func() (bank.Bank, error) { return banktest.NewMemory(), nil }
	key := keyFile(t)
	bad := filepath.Join(t.TempDir(), "bad")
	if err := os.WriteFile(bad, []byte("secret that is no key"), 0o600); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"repository: {}":                                              "line 5: repository.keys: there are none",
		"repository:\n  keys: []":                                     "repository.keys: there are none",
		"repository:\n  keys:\n    - {}":                              "line 7: repository.keys[0]: it needs one of ",
		"repository:\n  keys:\n    - {file: K, barbican: u}":          "line 7: repository.keys[0]: it needs one of ",
		"repository:\n  keys:\n    - file: relative":                  "line 7: repository.keys[0].file: \"relative\" is no absolute path",
		"repository:\n  keys:\n    - barbican: ''":                    "line 7: repository.keys[0].barbican: \"\" is no URL",
		"repository:\n  keys:\n    - {fil: K}":                        "7 | ",
		"repository:\n  keys:\n    - file: K\n  key: 1":               "8 | ",
		"repository:\n  keys:\n    - file: K\n  domain: tenant":       "line 8: repository.domain: it is project or provider, not \"tenant\"",
		"repository:\n  keys:\n    - file: K\n  compression: lz4":     "line 8: repository.compression: it is auto or zstd or s2, not \"lz4\"",
		"repository:\n  keys:\n    - file: K\n  cache: x":             "line 8: repository.cache: \"x\" is no absolute path",
		"repository:\n  keys:\n    - file: K\n  recovery_file: /none": "line 8: repository.recovery_file: ",
		"repository:\n  keys:\n    - file: K\n    - file: /none":      "line 8: repository.keys[1]: ",
		"repository:\n  keys:\n    - file: " + bad:                    "line 7: repository.keys[0]: ",
	} {
		_, err := load(t, good+strings.ReplaceAll(text, "file: K", "file: "+key)+"\n", memory, time.Now)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\ngot %v, want %s", text, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("a secret in %v", err)
		}
	}
}

// protect writes a stream of a node by a provider whose file has these lines, and gives its
// size in the bank.
func protect(t *testing.T, p *provider.Provider, m *banktest.Memory) {
	t.Helper()
	s, err := p.Streams(projectID, checkpointID, karbor.NodeKey("volume/1"))
	if err != nil {
		t.Fatal(err)
	}
	w, err := s.Create(t.Context(), "data")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprint(w, "the bytes of a volume"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	r, err := s.Open(t.Context(), "data")
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(r); err != nil || string(text) != "the bytes of a volume" || r.Close() != nil {
		t.Errorf("%q, %v", text, err)
	}
	if len(m.Snapshot()) == 0 {
		t.Error("nothing was written")
	}
}

func TestProviderKeepsDataAsItsFileSays(t *testing.T) {
	for text, want := range map[string]struct {
		prefix string
		shared bool
		clear  bool
	}{
		"":                                      {prefix: "v1/checkpoints/", clear: true},
		"repository:\n  keys:\n    - file: K\n": {prefix: "v1/repositories/" + projectID + "/packs/"},
		"repository:\n  keys: [{file: K}]\n  domain: project\n  compression: s2\n": {prefix: "v1/repositories/" + projectID + "/packs/"},
		"repository:\n  keys: [{file: K}]\n  domain: provider\n  cache: CACHE\n  recovery_file: K\n": {
			prefix: "v1/repositories/11111111-1111-4111-8111-111111111111/packs/", shared: true},
	} {
		cache := t.TempDir()
		m := banktest.NewMemory()
		text = strings.NewReplacer("file: K", "file: "+keyFile(t), "CACHE", cache).Replace(text)
		providers, err := load(t, good+text, func() (bank.Bank, error) { return m, nil }, time.Now)
		if err != nil {
			t.Fatal(err)
		}
		p := providers[0]
		protect(t, p, m)
		if p.SharesData() != want.shared || (p.Domains() == nil) != want.clear {
			t.Errorf("%s: shared %v, domains %v", text, p.SharesData(), p.Domains())
		}
		found, open := false, false
		for key, content := range m.Snapshot() {
			found = found || strings.HasPrefix(key, want.prefix)
			open = open || strings.Contains(content, "the bytes of a volume")
		}
		if !found || open != want.clear {
			t.Errorf("%s: nothing under %s, or bytes in the clear: %v", text, want.prefix, open)
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		entries, err := os.ReadDir(cache)
		if err != nil || (len(entries) > 0) != strings.Contains(text, "cache:") {
			t.Errorf("%s: cache %v, %v", text, entries, err)
		}
	}
}

func TestDataInTheClearIsWarnedOf(t *testing.T) {
	for text, want := range map[string]int{"": 1, "repository: {keys: [{file: K}]}\n": 0} {
		var log bytes.Buffer
		dir := t.TempDir()
		text = good + strings.ReplaceAll(text, "file: K", "file: "+keyFile(t))
		if err := os.WriteFile(filepath.Join(dir, "p.yaml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		o := provider.Options{Owner: "me", Now: time.Now, Logger: slog.New(slog.NewTextHandler(&log, nil))}
		providers, err := provider.Load(t.Context(), dir, sets(func() (bank.Bank, error) { return banktest.NewMemory(), nil }), o)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Count(log.String(), "in the clear"); got != want {
			t.Errorf("%d warnings, want %d: %s", got, want, &log)
		}
		if err := providers[0].Close(); err != nil {
			t.Error(err)
		}
	}
}

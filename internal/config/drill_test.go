package config

import (
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/evidence"
)

// keyID gives the id of the key that a configuration signs with.
func keyID(t *testing.T, c Config) string {
	t.Helper()
	s, err := c.EvidenceSigner()
	if err != nil {
		t.Error(err)
		return ""
	}
	return s.Keys()[0].ID
}

func TestProcessesThatStartAtOnceSignWithOneKey(t *testing.T) {
	for range 20 {
		c := Default()
		c.State = t.TempDir()
		const starts = 8
		var ids [starts]string
		var all sync.WaitGroup
		for i := range starts {
			all.Go(func() { ids[i] = keyID(t, c) })
		}
		all.Wait()
		later := keyID(t, c)
		for _, id := range ids {
			if id != later {
				t.Fatalf("one signs with the key %s, a later one with %s", id, later)
			}
		}
		left, err := filepath.Glob(filepath.Join(c.State, ".new-*"))
		if err != nil || len(left) > 0 {
			t.Fatalf("there are left %v, %v", left, err)
		}
	}
}

func TestWhereProcessesMayShareADatabaseOnlyAConfiguredKeySigns(t *testing.T) {
	file, err := evidence.NewKeyFile()
	if err != nil {
		t.Fatal(err)
	}
	key := write(t, file.Reveal())
	for name, share := range map[string]func(c *Config){
		"a server's database":      func(c *Config) { c.Database.URL = "postgresql://karbor@db/karbor" },
		"an engine's cluster":      func(c *Config) { c.Engine.Type = TemporalEngine },
		"a server of another kind": func(c *Config) { c.Database.URL = "mysql://karbor@db/karbor" },
	} {
		c := Default()
		c.State = t.TempDir()
		share(&c)
		if _, err := c.EvidenceSigner(); karbor.KindOf(err) != karbor.NotImplemented {
			t.Errorf("%s: %v", name, err)
		}
		if made, err := os.ReadDir(c.State); err != nil || len(made) > 0 {
			t.Errorf("%s: it made %v, %v", name, made, err)
		}
		c.Drills.KeyFile = key
		keyID(t, c)
	}
	c := Default()
	c.State = t.TempDir()
	c.Database.URL = "sqlite://" + c.State + "/other.db"
	keyID(t, c)
}

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/karbor/karbor/internal/config"
	"github.com/karbor/karbor/internal/provider"
)

// devProvider opens the provider of karbord dev that has a bank in a state folder.
func devProvider(t *testing.T, c config.Config) *provider.Provider {
	t.Helper()
	p, err := provider.Find(t.Context(), c.Providers, "bank", sets(), provider.Options{Owner: "me", Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// writeDevBank writes what karbord dev writes for the provider at a start.
func writeDevBank(t *testing.T, state string, c config.Config) {
	t.Helper()
	if err := os.MkdirAll(c.Providers, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := writeDevKey(state, c, "bank"); err != nil {
		t.Fatal(err)
	}
	if err := writeNew(filepath.Join(c.Providers, "bank.yaml"), fmt.Sprintf(devProviders["bank.yaml"], state)); err != nil {
		t.Fatal(err)
	}
}

func TestNewStateFolderHasAKeyThatStays(t *testing.T) {
	state := t.TempDir()
	c := config.Config{Providers: filepath.Join(state, "providers.d")}
	key := filepath.Join(state, "bank.key")
	writeDevBank(t, state, c)
	before, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	if devProvider(t, c).Domains() == nil {
		t.Error("the provider has no keys")
	}
	writeDevBank(t, state, c)
	if after, err := os.ReadFile(key); err != nil || string(after) != string(before) {
		t.Errorf("the second start has another key, or none: %v", err)
	}
	// A key that was lost must not be replaced by one that opens nothing.
	if err := os.Remove(key); err != nil {
		t.Fatal(err)
	}
	writeDevBank(t, state, c)
	if _, err := provider.Find(t.Context(), c.Providers, "bank", sets(), provider.Options{Owner: "me", Now: time.Now}); err == nil {
		t.Error("a lost key was replaced")
	}
}

// TestEachProviderOfANewStateFolderOpens finds a provider file that names what is not there.
func TestEachProviderOfANewStateFolderOpens(t *testing.T) {
	state := t.TempDir()
	c := config.Config{Providers: filepath.Join(state, "providers.d")}
	if err := os.MkdirAll(c.Providers, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range devKeys {
		if err := writeDevKey(state, c, name); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range devProviders {
		if err := writeNew(filepath.Join(c.Providers, name), fmt.Sprintf(text, state)); err != nil {
			t.Fatal(err)
		}
	}
	for name := range devProviders {
		p, err := provider.Find(t.Context(), c.Providers, strings.TrimSuffix(name, ".yaml"), sets(), provider.Options{Owner: "me", Now: time.Now})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestOldStateFolderStaysWithoutAKey(t *testing.T) {
	state := t.TempDir()
	c := config.Config{Providers: filepath.Join(state, "providers.d")}
	if err := os.MkdirAll(c.Providers, 0o700); err != nil {
		t.Fatal(err)
	}
	old := fmt.Sprintf("id: 6d2b8f0e-5d0c-4a86-9f1a-0a6c1f9e7b01\nname: bank\nbank: {plugin: karbor-file-bank, options: {path: %s/bank}}\n"+
		"plugins: [{plugin: karbor-volume-glance-plugin}]\n", state)
	if err := os.WriteFile(filepath.Join(c.Providers, "bank.yaml"), []byte(old), 0o600); err != nil {
		t.Fatal(err)
	}
	writeDevBank(t, state, c)
	if _, err := os.Stat(filepath.Join(state, "bank.key")); !os.IsNotExist(err) {
		t.Errorf("a key that nobody names: %v", err)
	}
	if devProvider(t, c).Domains() != nil {
		t.Error("the provider got keys")
	}
}

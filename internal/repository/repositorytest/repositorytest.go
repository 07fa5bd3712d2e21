// Package repositorytest makes repositories of every kind for the tests of who uses them.
package repositorytest

import (
	"context"
	"testing"
	"time"

	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/bank/banktest"
	"github.com/karbor/karbor/internal/repository"
	"github.com/karbor/karbor/internal/repository/keyring"
	"github.com/karbor/karbor/protection"
)

// Kinds gives, by the name of the format, what makes an empty repository in a bank in memory.
// It is closed when the test ends.
func Kinds() map[string]func(t *testing.T) protection.Repository {
	return map[string]func(t *testing.T) protection.Repository{
		"chunks/1": func(t *testing.T) protection.Repository { return node(t, banktest.NewMemory(), nil) },
		"repository/1": func(t *testing.T) protection.Repository {
			m := banktest.NewMemory()
			d, err := repository.NewDomains(repository.Options{
				Bank: m, Keys: []*keyring.Source{keyring.Key(keyring.NewKey())}, Cache: t.TempDir(), Now: time.Now,
			})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := d.Close(context.WithoutCancel(t.Context())); err != nil {
					t.Errorf("closing the key domains: %v", err)
				}
			})
			return node(t, m, d)
		},
	}
}

func node(t *testing.T, b bank.Bank, d *repository.Domains) *repository.Streams {
	t.Helper()
	section, err := bank.NewSection(b, "v1/checkpoints/project/checkpoint/nodes/volume/1/data")
	if err != nil {
		t.Fatal(err)
	}
	s, err := repository.NewStreams(repository.StreamsOptions{Domains: d, Project: "project", Section: section})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

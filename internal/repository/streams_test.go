package repository_test

import (
	"context"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/bank/banktest"
	"github.com/karbor/karbor/internal/repository"
	"github.com/karbor/karbor/internal/repository/keyring"
	"github.com/karbor/karbor/protection"
	"github.com/karbor/karbor/protection/protectiontest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const project = "e486a2f49695423ca9c47e589b948108"

// domains opens the domains of a bank with a key of their own, or with options.
func domains(t *testing.T, o repository.Options) *repository.Domains {
	t.Helper()
	if o.Keys == nil {
		o.Keys = []*keyring.Source{keyring.Key(keyring.NewKey())}
	}
	if o.Cache == "" {
		o.Cache = t.TempDir()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	d, err := repository.NewDomains(o)
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

// node gives the streams of a node of a checkpoint.
func node(t *testing.T, b bank.Bank, d *repository.Domains, checkpoint string) *repository.Streams {
	t.Helper()
	section, err := bank.NewSection(b, "v1/checkpoints/"+project+"/"+checkpoint+"/nodes/volume/1/data")
	if err != nil {
		t.Fatal(err)
	}
	s, err := repository.NewStreams(repository.StreamsOptions{Domains: d, Project: project, Section: section})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestStreamsOfBothFormatsKeepTheContract(t *testing.T) {
	for name, open := range map[string]func(t *testing.T) protection.Repository{
		"repository/1": func(t *testing.T) protection.Repository {
			m := banktest.NewMemory()
			return node(t, m, domains(t, repository.Options{Bank: m}), "1")
		},
		"repository/1, shared": func(t *testing.T) protection.Repository {
			m := banktest.NewMemory()
			return node(t, m, domains(t, repository.Options{Bank: m, Shared: "9c0c3b0e-7d0e-4c5b-8b57-6f0e0a7f7a01"}), "1")
		},
		"chunks/1": func(t *testing.T) protection.Repository { return node(t, banktest.NewMemory(), nil, "1") },
	} {
		t.Run(name, func(t *testing.T) { protectiontest.Repository(t, open) })
	}
}

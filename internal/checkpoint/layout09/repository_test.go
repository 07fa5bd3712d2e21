package layout09_test

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank/banktest"
	"github.com/karbor/karbor/internal/checkpoint"
	"github.com/karbor/karbor/internal/checkpoint/layout09"
	"github.com/karbor/karbor/internal/repository"
	"github.com/karbor/karbor/internal/repository/keyring"
	"github.com/karbor/karbor/protection"
)

func TestCheckpointIsImportedIntoARepositoryWithKeys(t *testing.T) {
	b, content := twoVolumes(t)
	m := banktest.NewMemory()
	domains, err := repository.NewDomains(repository.Options{
		Bank: m, Now: time.Now, Cache: t.TempDir(), Keys: []*keyring.Source{keyring.Key(karbor.Secret(strings.Repeat("7", 64)))},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := domains.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	cs, err := checkpoint.Open(t.Context(), m, checkpoint.Options{Owner: "importer", Now: time.Now, Sealer: domains})
	if err != nil {
		t.Fatal(err)
	}
	if err := cs.Lease().Acquire(t.Context()); err != nil {
		t.Fatal(err)
	}
	to := layout09.Target{Checkpoints: cs, Data: func(_ context.Context, project, id string, key karbor.NodeKey) (protection.Repository, error) {
		section, err := cs.Data(project, id, key)
		if err != nil {
			return nil, err
		}
		return repository.NewStreams(repository.StreamsOptions{Domains: domains, Project: project, Section: section})
	}}
	i, err := b.open().Prepare(t.Context(), cpID)
	if err != nil {
		t.Fatal(err)
	}
	if err := i.Run(t.Context(), to, nil); err != nil {
		t.Fatal(err)
	}
	for key, text := range m.Snapshot() {
		for _, name := range []string{"old plan", "imported_from", "OS::Cinder", "availability_zone"} {
			if strings.Contains(text, name) {
				t.Errorf("%s lies in the clear in %s", name, key)
			}
		}
	}
	cp, err := cs.Get(t.Context(), project, cpID)
	if err != nil || cp.Plan.Name != "old plan" || cp.ProviderID != provider {
		t.Errorf("%+v, %v", cp, err)
	}
	for id, want := range content {
		if !bytes.Equal(bytesIn(t, to, karbor.NodeKey("volume/"+id)), want) {
			t.Errorf("volume %s has other bytes", id)
		}
	}
}

package adoption_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	filebank "github.com/karbor/karbor/bank/file"
	"github.com/karbor/karbor/internal/checkpoint"
	"github.com/karbor/karbor/internal/protectionservice/adoption"
	"github.com/karbor/karbor/internal/protectionservice/proof"
	"github.com/karbor/karbor/internal/provider"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/internal/store/storetest"
	"github.com/karbor/karbor/plugin"
	"github.com/karbor/karbor/protection"
	"github.com/karbor/karbor/protection/noop"
)

const (
	providerID = "6d2b8f0e-5d0c-4a86-9f1a-0a6c1f9e7b01"
	otherID    = "6d2b8f0e-5d0c-4a86-9f1a-0a6c1f9e7b02"
	project    = "0123456789abcdef0123456789abcdef"
)

func id(kind, n int) string { return fmt.Sprintf("0a1b2c3d-0001-4002-80%02d-%012d", kind, n) }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// site is a provider with its bank, and an empty database.
type site struct {
	provider *provider.Provider
	store    *store.Store
	dir      string
}

func newSite(t *testing.T) site {
	t.Helper()
	dir := t.TempDir()
	text := "id: " + providerID + "\nname: bank\nbank: {plugin: karbor-file-bank, options: {path: " + dir + "/bank}}\nplugins: [{plugin: karbor-noop-plugin}]\n"
	must(t, os.MkdirAll(filepath.Join(dir, "providers"), 0o700))
	must(t, os.WriteFile(filepath.Join(dir, "providers", "bank.yaml"), []byte(text), 0o600))
	p, err := provider.Find(t.Context(), filepath.Join(dir, "providers"), "bank", provider.Sets{
		Banks: plugin.Set[bank.Bank]{filebank.Plugin}, Protections: plugin.Set[protection.Plugin]{noop.Plugin},
	}, provider.Options{Owner: "test", Now: time.Now})
	must(t, err)
	t.Cleanup(func() { must(t, p.Close()) })
	must(t, p.Acquire(t.Context()))
	path := filepath.Join(dir, "karbor.db")
	storetest.NewFile(t, path)
	s, err := store.Open(t.Context(), path, store.Options{Now: time.Now})
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	return site{p, s, dir}
}

// protect makes a checkpoint in the bank, of a plan whose name tells which checkpoint it is.
func (s site) protect(t *testing.T, n, plan int, of string, status karbor.CheckpointStatus) {
	t.Helper()
	graph := &karbor.Graph{}
	volume := karbor.Resource{Type: karbor.VolumeType, ID: id(9, 1), Name: "data"}
	graph.Add(volume, "")
	must(t, s.provider.Checkpoints().Create(t.Context(), karbor.Checkpoint{
		ID: id(1, n), ProjectID: project, ProviderID: of, Graph: graph, ExtraInfo: map[string]json.RawMessage{},
		Plan: karbor.PlanRecord{ID: id(2, plan), Name: fmt.Sprintf("as of %d", n), ProviderID: of, Resources: []karbor.Resource{volume},
			Parameters: karbor.Parameters{"OS::Cinder::Volume": {"n": float64(n)}}},
		CreatedAt: time.Date(2026, 11, n, 0, 0, 0, 0, time.UTC),
	}))
	if status != karbor.CheckpointProtecting {
		must(t, s.provider.Checkpoints().SetState(t.Context(), project, id(1, n), status, checkpoint.Change{Size: int64(n)}))
	}
}

func (s site) adopt(t *testing.T, change func(*adoption.Options)) adoption.Report {
	t.Helper()
	o := adoption.Options{Store: s.store, Provider: s.provider}
	if change != nil {
		change(&o)
	}
	r, err := adoption.Adopt(t.Context(), o)
	must(t, err)
	return r
}

// bankFiles gives the names and times of all files of the bank.
func (s site) bankFiles(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	must(t, filepath.WalkDir(filepath.Join(s.dir, "bank", "v1"), func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		out[path] = info.ModTime().String()
		return err
	}))
	return out
}

func TestAnEmptyDatabaseGetsCheckpointsAndPlans(t *testing.T) {
	s := newSite(t)
	s.protect(t, 2, 1, providerID, karbor.CheckpointAvailable)
	s.protect(t, 1, 1, providerID, karbor.CheckpointAvailable)
	s.protect(t, 3, 2, providerID, karbor.CheckpointError)
	s.protect(t, 4, 3, otherID, karbor.CheckpointAvailable)
	before := s.bankFiles(t)

	dry := s.adopt(t, func(o *adoption.Options) { o.DryRun = true })
	if _, err := s.store.Checkpoint(t.Context(), project, providerID, id(1, 1)); karbor.KindOf(err) != karbor.NotFound {
		t.Errorf("a dry run has written: %v", err)
	}
	want := adoption.Report{Adopted: 3, Plans: []adoption.Plan{{ID: id(2, 1), ProjectID: project, Name: "as of 2"}, {ID: id(2, 2), ProjectID: project, Name: "as of 3"}},
		Elsewhere: map[string]int64{otherID: 1}, Unread: []adoption.Unread{}, Refused: []proof.Refused{}}
	if diff := cmp.Diff(want, dry); diff != "" {
		t.Errorf("dry run (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want, s.adopt(t, nil)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	cp, err := s.store.Checkpoint(t.Context(), project, providerID, id(1, 2))
	if err != nil || cp.Size != 2 || cp.Status != karbor.CheckpointAvailable || cp.Plan.Name != "as of 2" {
		t.Errorf("%+v, %v", cp, err)
	}
	plan, err := s.store.Plan(t.Context(), project, id(2, 1))
	if err != nil || plan.Name != "as of 2" || plan.ProviderID != providerID || plan.Status != karbor.PlanSuspended || len(plan.Resources) != 1 ||
		plan.Parameters["OS::Cinder::Volume"]["n"] != float64(2) {
		t.Errorf("%+v, %v", plan, err)
	}
	if diff := cmp.Diff(before, s.bankFiles(t)); diff != "" {
		t.Errorf("the bank was changed:\n%s", diff)
	}
}

func TestWhatTheDatabaseHasStays(t *testing.T) {
	s := newSite(t)
	s.protect(t, 1, 1, providerID, karbor.CheckpointAvailable)
	s.protect(t, 2, 2, providerID, karbor.CheckpointAvailable)
	must(t, s.store.CreatePlan(t.Context(), karbor.Plan{ID: id(2, 1), ProjectID: project, Name: "renamed since", ProviderID: providerID, Status: karbor.PlanStarted}, -1))
	must(t, s.store.CreatePlan(t.Context(), karbor.Plan{ID: id(2, 2), ProjectID: project, Name: "deleted since", ProviderID: providerID}, -1))
	must(t, s.store.DeletePlan(t.Context(), project, id(2, 2)))
	must(t, s.store.PutCheckpoint(t.Context(), karbor.Checkpoint{ID: id(1, 1), ProjectID: project, ProviderID: providerID, Status: karbor.CheckpointErrorDeleting}))
	r := s.adopt(t, nil)
	if r.Adopted != 1 || r.Known != 1 || len(r.Plans) != 0 || r.KnownPlans != 2 {
		t.Errorf("%+v", r)
	}
	if p, err := s.store.Plan(t.Context(), project, id(2, 1)); err != nil || p.Name != "renamed since" || p.Status != karbor.PlanStarted {
		t.Errorf("%+v, %v", p, err)
	}
	if _, err := s.store.Plan(t.Context(), project, id(2, 2)); karbor.KindOf(err) != karbor.NotFound {
		t.Errorf("a deleted plan is back: %v", err)
	}
	if cp, err := s.store.Checkpoint(t.Context(), project, providerID, id(1, 1)); err != nil || cp.Status != karbor.CheckpointErrorDeleting {
		t.Errorf("%+v, %v", cp, err)
	}
	if again := s.adopt(t, nil); again.Adopted != 0 || again.Known != 2 {
		t.Errorf("again: %+v", again)
	}
}

func TestDamagedCheckpointsAreToldAndTheOthersAdopted(t *testing.T) {
	s := newSite(t)
	s.protect(t, 1, 1, providerID, karbor.CheckpointAvailable)
	s.protect(t, 2, 1, providerID, karbor.CheckpointAvailable)
	must(t, os.WriteFile(filepath.Join(s.dir, "bank", "v1", "checkpoints", project, id(1, 1), "description="), []byte("{"), 0o600))
	seen := int64(0)
	r := s.adopt(t, func(o *adoption.Options) { o.Told = func(n int64) { seen = n } })
	if r.Adopted != 1 || len(r.Unread) != 1 || r.Unread[0].ID != id(1, 1) || !r.Unread[0].Damaged || seen != 2 {
		t.Errorf("%+v, %d seen", r, seen)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := adoption.Adopt(ctx, adoption.Options{Store: s.store, Provider: s.provider}); err == nil {
		t.Error("an interrupted adoption has no error")
	}
}
